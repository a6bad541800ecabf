//! The topologies, in the DSL.

use std::time::Duration;

use candlewick::{
    Consumed, Grouped, JoinWindows, Materialized, Produced, StreamJoined, StreamsBuilder, Suppressed,
    TimeWindows, Topology,
};

use super::{Kind, OUT};

/// The length of windows.
pub(super) const WINDOW_MS: i64 = 500;
/// Records of a partition are out of order by less than this.
pub(super) const GRACE_MS: u64 = 400;
/// The greatest distance of a pair.
pub(super) const PAIR_MS: i64 = 150;

fn append(list: &mut String, value: &str) {
    if let Some(at) = value.find('#') {
        list.push_str(&value[at..]);
    }
}

/// Builds one.
pub(super) fn of(kind: Kind) -> Topology {
    let builder = StreamsBuilder::new();
    let texts = Consumed::<String, String>::default;
    let tables = Consumed::<String, Option<String>>::default;
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
        Kind::Regrouped => builder
            .stream("in", texts())
            .group_by(
                |_, value| value.split(' ').next().unwrap_or_default().to_owned(),
                Grouped::default().named("regrouped"),
            )
            .aggregate(String::new, |_, value, list| append(list, value), Materialized::named("lists"))
            .to_stream()
            .to(OUT, Produced::default()),
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
    }
    builder.build().expect("the topologies are valid")
}
