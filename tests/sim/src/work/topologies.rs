//! The topologies, in the DSL.

use std::time::Duration;

use candlewick::{
    AsyncCall, AsyncOptions, AsyncOrder, BatchOptions, BuildOptions, Consumed, Grouped, JoinWindows, Joined,
    Materialized, ProcessError, Produced, Record, Retry, SessionWindows, StreamJoined, StreamsBuilder,
    Suppressed, TableJoined, TimeWindows, Topology,
};

use super::{FACTS, Kind, OUT};
use crate::stage::{self, Wake, on};

/// The length of windows.
pub(super) const WINDOW_MS: i64 = 500;
/// Records of a partition are out of order by less than this.
pub(super) const GRACE_MS: u64 = 400;
/// The longest silence within a session.
pub(super) const GAP_MS: i64 = 60;
/// The greatest distance of a pair.
pub(super) const PAIR_MS: i64 = 150;

fn append(list: &mut String, value: &str) {
    if let Some(at) = value.find('#') {
        list.push_str(&value[at..]);
    }
}

/// What a value belongs to besides its key.
pub(super) fn group_of(value: &str) -> String {
    value.split(' ').next().unwrap_or_default().to_owned()
}

/// Builds one.
pub(super) fn of(kind: Kind, reuses_sources: bool) -> Topology {
    let options = BuildOptions { reuse_source_topics: reuses_sources, ..BuildOptions::default() };
    let builder = StreamsBuilder::with_options(options);
    match kind {
        Kind::Copies | Kind::Lists | Kind::Regrouped => plain(&builder, kind),
        Kind::Windows | Kind::Sessions => windowed(&builder, kind),
        Kind::Pairs | Kind::Tables | Kind::Foreign | Kind::Global => joined(&builder, kind),
        Kind::Calls | Kind::Slow => slow(&builder, kind),
    }
    builder.build().expect("the topologies are valid")
}

fn texts() -> Consumed<String, String> {
    Consumed::default()
}

fn tables() -> Consumed<String, Option<String>> {
    Consumed::default()
}

fn plain(builder: &StreamsBuilder, kind: Kind) {
    match kind {
        Kind::Copies => builder
            .stream("in", texts())
            .filter(move |_, value| super::ids(value.as_bytes()).all(|id| !kind.drops(id)))
            .map_values(|value| format!("copy of {value}"))
            .to(OUT, Produced::default()),
        Kind::Lists => builder
            .stream("in", texts())
            .group_by_key(Grouped::default())
            .aggregate(String::new, |_, value, list| append(list, value), Materialized::named("lists"))
            .to_stream()
            .to(OUT, Produced::default()),
        _ => builder
            .stream("in", texts())
            .group_by(|_, value| group_of(value), Grouped::default().named("regrouped"))
            .aggregate(String::new, |_, value, list| append(list, value), Materialized::named("lists"))
            .to_stream()
            .to(OUT, Produced::default()),
    }
}

/// What a call waits for: others run, time passes, and now and then it fails.
fn service() -> Result<(), ProcessError> {
    let (until, fails) = on(|stage| {
        let ms = if stage.chance.once_in(20) { stage.chance.below(300) } else { stage.chance.below(15) };
        (stage.now + Duration::from_millis(ms), stage.chance.once_in(10))
    });
    stage::rest(until, Wake::Nothing);
    if fails { Err(ProcessError::new("no answer")) } else { Ok(()) }
}

fn slow(builder: &StreamsBuilder, kind: Kind) {
    let options = AsyncOptions {
        concurrency: 5,
        order: if kind == Kind::Calls { AsyncOrder::Partition } else { AsyncOrder::Key },
        timeout: Duration::from_millis(200),
        retry: Retry {
            attempts_max: 20,
            backoff: Duration::from_millis(2),
            backoff_max: Duration::from_millis(20),
        },
    };
    let stream = builder.stream("in", texts());
    if kind == Kind::Calls {
        let call = AsyncCall::blocking(|record: Record<String, String>| {
            service().map(|()| format!("copy of {}", record.value))
        });
        stream.async_map(options, call).to(OUT, Produced::default());
        return;
    }
    let together = |rows: &[Record<String, Option<String>>]| {
        // A batch that fails is tried again record by record, and then it may not.
        if rows.len() > 1 { service() } else { service().or(Ok(())) }?;
        Ok(rows.iter().map(|row| row.value.clone().unwrap_or_default()).collect())
    };
    let batches = BatchOptions { max: 8, linger: Duration::from_millis(3), threads: 2 };
    stream
        .async_map(options, AsyncCall::blocking(|record| service().map(|()| record.value)))
        .group_by_key(Grouped::default())
        .aggregate(String::new, |_, value, list| append(list, value), Materialized::named("lists"))
        .to_stream()
        .batch(batches, together)
        .to(OUT, Produced::default());
}

fn windowed(builder: &StreamsBuilder, kind: Kind) {
    match kind {
        Kind::Windows => {
            let size = Duration::from_millis(WINDOW_MS.unsigned_abs());
            builder
                .stream("in", texts())
                .group_by_key(Grouped::default())
                .windowed_by(TimeWindows::of_size_and_grace(size, Duration::from_millis(GRACE_MS)))
                .aggregate(String::new, |_, value, list| append(list, value), Materialized::named("windows"))
                .suppress(Suppressed::until_window_closes("final"))
                .to_stream()
                .map(|window, list| {
                    (
                        window.key.clone(),
                        format!("{} {}", window.window.start.0, list.clone().unwrap_or_default()),
                    )
                })
                .to(OUT, Produced::<String, String>::default());
        }
        _ => {
            let gap = Duration::from_millis(GAP_MS.unsigned_abs());
            let windows = SessionWindows::of_inactivity_gap_and_grace(gap, Duration::from_secs(3600));
            let merge = |_: &String, one: &String, other: &String| format!("{one}{other}");
            builder
                .stream("in", texts())
                .group_by_key(Grouped::default())
                .windowed_by(windows)
                .aggregate(
                    String::new,
                    |_, value, list| append(list, value),
                    merge,
                    Materialized::named("sessions"),
                )
                .to_stream()
                .map(|session, list| {
                    let (start, end) = (session.window.start.0, session.window.end.0);
                    (format!("{}@{start}-{end}", session.key), list.clone().unwrap_or_default())
                })
                .to(OUT, Produced::<String, String>::default());
        }
    }
}

fn joined(builder: &StreamsBuilder, kind: Kind) {
    match kind {
        Kind::Pairs => {
            let distance = Duration::from_millis(PAIR_MS.unsigned_abs());
            let windows = JoinWindows::of_time_difference_and_grace(distance, Duration::from_secs(3600));
            let right = builder.stream("right", texts());
            builder
                .stream("left", texts())
                .join_stream(right, |_, l, r| format!("{l} {r}"), windows, StreamJoined::named("pairs"))
                .to(OUT, Produced::default());
        }
        Kind::Tables => {
            let right = builder.table("right", tables(), Materialized::named("rights"));
            builder
                .table("left", tables(), Materialized::named("lefts"))
                .join(right, |_, l, r| format!("{l} {r}"))
                .to_stream()
                .to(OUT, Produced::default());
        }
        Kind::Foreign => {
            let right = builder.table("right", tables(), Materialized::named("rights"));
            builder
                .table("left", tables(), Materialized::named("lefts"))
                .join_foreign(
                    right,
                    |_, left| Some(group_of(left)),
                    |_, l, r| format!("{l} {r}"),
                    TableJoined::named("foreign"),
                    Materialized::named("joined"),
                )
                .to_stream()
                .to(OUT, Produced::default());
        }
        _ => {
            let facts = builder.global_table(FACTS, tables(), Materialized::named("facts"));
            builder
                .stream("in", texts())
                .join_global(
                    facts,
                    |_, value| Some(group_of(value)),
                    |_, value, fact| format!("{value} {fact}"),
                    Joined::default(),
                )
                .to(OUT, Produced::default());
        }
    }
}
