//! What the simulated applications compute: a handful of topologies that together use every kind of state, and the inputs
//! they are fed. Every input value carries an id of its own, `#17`, and every result the ids it was made from, so that
//! what is missing or came twice can be named. Must not know faults.

mod expected;
mod input;
mod topologies;

pub(crate) use expected::{Outputs, Row, check};
pub(crate) use input::{Input, inputs};

use candlewick::Topology;

/// The application's id.
pub(crate) const APPLICATION: &str = "sim";
/// The topic of the global table, written before anybody starts.
pub(crate) const FACTS: &str = "facts";
/// Where results go.
pub(crate) const OUT: &str = "out";

/// A topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Filtered and mapped, no state.
    Copies,
    /// All ids of a key, in their order.
    Lists,
    /// The same by another key: over a repartition topic.
    Regrouped,
    /// All ids of a key in a window, told once it has closed.
    Windows,
    /// Pairs of two streams within a window.
    Pairs,
    /// The newest of two tables.
    Tables,
    /// The same by a key that stands in the left one's values.
    Foreign,
    /// Joined with a table that every instance has whole.
    Global,
    /// All ids of a key that lie close to each other in time.
    Sessions,
    /// Mapped by slow calls, no state.
    Calls,
    /// All ids of a key, in their order, between slow calls and slow batches.
    Slow,
}

impl Kind {
    /// One of all of them. Not all promise enough under at-least-once: what a suppression forgets and what it tells, or a
    /// session that ends and the one that it becomes part of, are two records, and a crash may come between them.
    pub(crate) fn of(exactly_once: bool, number: u64) -> Self {
        let all = [
            Self::Lists,
            Self::Regrouped,
            Self::Copies,
            Self::Pairs,
            Self::Tables,
            Self::Foreign,
            Self::Global,
            Self::Calls,
            Self::Slow,
            Self::Windows,
            Self::Sessions,
        ];
        let count = if exactly_once { all.len() } else { all.len() - 2 };
        all[usize::try_from(number).expect("small") % count]
    }

    /// The input topics.
    pub(crate) fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Copies
            | Self::Lists
            | Self::Regrouped
            | Self::Windows
            | Self::Sessions
            | Self::Calls
            | Self::Slow => &["in"],
            Self::Pairs | Self::Tables | Self::Foreign => &["left", "right"],
            Self::Global => &["in", FACTS],
        }
    }

    /// For each topic that is read with offsets, where every id read must be before an offset behind it counts.
    pub(crate) fn trail(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Copies | Self::Global | Self::Calls => &[("in", &[OUT])],
            Self::Sessions => &[("in", &["sim-sessions-changelog"])],
            Self::Lists | Self::Slow => &[("in", &["sim-lists-changelog", OUT])],
            Self::Regrouped => &[
                ("in", &["sim-regrouped-repartition"]),
                ("sim-regrouped-repartition", &["sim-lists-changelog", OUT]),
            ],
            Self::Windows => &[("in", &["sim-windows-changelog"])],
            Self::Pairs => &[
                ("left", &["sim-pairs-this-join-store-changelog"]),
                ("right", &["sim-pairs-other-join-store-changelog"]),
            ],
            // A value that is replaced in a cache is told nowhere.
            Self::Tables | Self::Foreign => &[("left", &[]), ("right", &[])],
        }
    }

    /// Stores of strings by strings.
    pub(crate) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Lists | Self::Regrouped | Self::Slow => &["lists"],
            Self::Tables => &["lefts", "rights"],
            Self::Foreign => &["lefts", "rights", "joined"],
            Self::Copies | Self::Windows | Self::Pairs | Self::Sessions | Self::Global | Self::Calls => &[],
        }
    }

    /// Whether an id leaves no trace.
    pub(crate) fn drops(self, id: u32) -> bool {
        self == Self::Copies && id.is_multiple_of(5)
    }

    /// The topic that says what a table holds: its changelog, or its source where that is restored from.
    pub(crate) fn changelog_of(self, table: &str, reuses_sources: bool) -> String {
        match table {
            "lefts" if reuses_sources => "left".to_owned(),
            "rights" if reuses_sources => "right".to_owned(),
            table => format!("{APPLICATION}-{table}-changelog"),
        }
    }

    pub(crate) fn topology(self, reuses_sources: bool) -> Topology {
        topologies::of(self, reuses_sources)
    }
}

/// The ids in a text.
pub(crate) fn ids(text: &[u8]) -> impl Iterator<Item = u32> {
    text.split(|byte| *byte == b'#').skip(1).map(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    })
}
