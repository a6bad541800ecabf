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
}

impl Kind {
    /// All of them; under at-least-once, those whose results can be told when records are processed again.
    pub(crate) fn of(exactly_once: bool, number: u64) -> Self {
        let all = [Self::Lists, Self::Regrouped, Self::Copies, Self::Pairs, Self::Tables, Self::Windows];
        let count = if exactly_once { all.len() } else { all.len() - 1 };
        all[usize::try_from(number).expect("small") % count]
    }

    /// The input topics.
    pub(crate) fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Copies | Self::Lists | Self::Regrouped | Self::Windows => &["in"],
            Self::Pairs | Self::Tables => &["left", "right"],
        }
    }

    /// For each topic that is read with offsets, where every id read must be before an offset behind it counts.
    pub(crate) fn trail(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Copies => &[("in", &[OUT])],
            Self::Lists => &[("in", &["sim-lists-changelog", OUT])],
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
            Self::Tables => &[("left", &[]), ("right", &[])],
        }
    }

    /// Stores of strings by strings.
    pub(crate) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Lists | Self::Regrouped => &["lists"],
            Self::Tables => &["lefts", "rights"],
            Self::Copies | Self::Windows | Self::Pairs => &[],
        }
    }

    /// Whether an id leaves no trace.
    pub(crate) fn drops(self, id: u32) -> bool {
        self == Self::Copies && id.is_multiple_of(5)
    }

    pub(crate) fn topology(self) -> Topology {
        topologies::of(self)
    }
}

/// The ids in a text.
pub(crate) fn ids(text: &[u8]) -> impl Iterator<Item = u32> {
    text.split(|byte| *byte == b'#').skip(1).map(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    })
}
