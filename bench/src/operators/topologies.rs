//! One small topology for each operator. Owns the list; what is measured and how, `main` knows.

use std::cell::Cell;
use std::time::Duration;

use candlewick::{
    Consumed, Grouped, JoinWindows, Joined, KStream, KTable, Materialized, Produced, SessionWindows,
    SlidingWindows, StreamJoined, StreamsBuilder, Suppressed, TableJoined, TimeWindows, Topology,
};

/// An operator and what it is fed.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Records take turns among these, a millisecond each.
    pub(super) topics: &'static [&'static str],
    pub(super) records_per_ms: i64,
    /// The value of a record, of its number and key.
    pub(super) value: fn(i64, i64) -> i64,
    /// Only the latest row of each key must be the JVM's: how many rows there are on the way to it depends on how records
    /// are taken together.
    pub(super) only_latest: bool,
    pub(super) topology: fn() -> Topology,
}

/// Strides that are prime to the number of keys: all of them come to each topic, in no order that helps. With different
/// ones a record finds a match in a join of streams in six of ten cases.
const STRIDES: [i64; 2] = [61_403, 77_201];

impl Case {
    /// The topic, key and time of a record, of its number. Of two topics each has every other millisecond, so that the
    /// order of times is that of numbers.
    pub(super) fn place(&self, number: i64) -> (&'static str, i64, i64) {
        let topics = i64::try_from(self.topics.len()).expect("a case has one topic or two");
        let time = number / self.records_per_ms;
        let topic = usize::try_from(time % topics).expect("not negative");
        let turn = time / topics * self.records_per_ms + number % self.records_per_ms;
        (self.topics[topic], turn.wrapping_mul(STRIDES[topic]).rem_euclid(KEYS), time)
    }
}

thread_local! {
    /// What came out of operators whose results are not written: how many, and their sum.
    static SEEN: Cell<(u64, i64)> = const { Cell::new((0, 0)) };
}

/// What [`gone`] has seen on this thread since it was last asked.
pub(super) fn seen() -> (u64, i64) {
    SEEN.take()
}

const ONE: &[&str] = &["in"];
const TWO: &[&str] = &["left", "right"];

const fn one(name: &'static str, topology: fn() -> Topology) -> Case {
    Case { name, topics: ONE, records_per_ms: 100, value: |number, _| number, only_latest: false, topology }
}

const fn two(name: &'static str, topology: fn() -> Topology) -> Case {
    Case { name, topics: TWO, records_per_ms: 100, value: |number, _| number, only_latest: false, topology }
}

/// Every operator.
pub(super) const ALL: [Case; 24] = [
    one("filter", || on_stream(|s| s.filter(|_, value| value % 2 == 0).to("out", Produced::default()))),
    one("map_values", || on_stream(|s| s.map_values(|value| value + 1).to("out", Produced::default()))),
    one("count", || on_stream(|s| told(s.group_by_key(Grouped::default()).count(kept("store"))))),
    one("reduce", || {
        on_stream(|s| told(s.group_by_key(Grouped::default()).reduce(|a, b| a + b, kept("store"))))
    }),
    one("count by another key", || {
        on_stream(|s| {
            told(s.group_by(|_, value| value % KEYS, Grouped::default().named("by")).count(kept("store")))
        })
    }),
    one("tumbling count", || {
        let windows = TimeWindows::of_size_and_grace(ms(1_000), ms(100));
        on_stream(|s| gone(s.group_by_key(Grouped::default()).windowed_by(windows).count(kept("store"))))
    }),
    one("hopping count, two windows", || {
        let windows = TimeWindows::of_size_and_grace(ms(1_000), ms(100)).advance_by(ms(500));
        on_stream(|s| gone(s.group_by_key(Grouped::default()).windowed_by(windows).count(kept("store"))))
    }),
    one("sliding count", || {
        let windows = SlidingWindows::of_time_difference_and_grace(ms(1_500), ms(100));
        on_stream(|s| gone(s.group_by_key(Grouped::default()).windowed_by(windows).count(kept("store"))))
    }),
    one("session count", || {
        let windows = SessionWindows::of_inactivity_gap_and_grace(ms(1_500), ms(100));
        on_stream(|s| gone(s.group_by_key(Grouped::default()).windowed_by(windows).count(kept("store"))))
    }),
    one("suppress until windows close", || {
        let windows = TimeWindows::of_size_and_grace(ms(1_000), ms(100));
        on_stream(|s| {
            let counts = s.group_by_key(Grouped::default()).windowed_by(windows).count(kept("store"));
            gone(counts.suppress(Suppressed::until_window_closes("final")));
        })
    }),
    one("suppress for a time", || {
        on_table(|t| told(t.suppress(Suppressed::until_time_limit("calm", ms(500)))))
    }),
    one("table", || on_table(told)),
    one("table filter", || on_table(|t| told(t.filter(|_, value| value % 2 == 0)))),
    one("table group count", || {
        on_table(|t| {
            told(
                t.group_by(|_, value| (value % 1_000, *value), Grouped::default().named("by"))
                    .count(kept("store")),
            )
        })
    }),
    one("versioned table", || {
        let builder = StreamsBuilder::new();
        told(builder.table("in", Consumed::default(), kept("table").versioned(ms(10_000))));
        builder.build().expect("valid")
    }),
    two("stream-table join", || {
        let builder = StreamsBuilder::new();
        let table = builder.table("right", Consumed::default(), kept("table"));
        sent(builder.stream("left", Consumed::default()).join(
            table,
            |_, a: &i64, b: &i64| a + b,
            Joined::default(),
        ));
        builder.build().expect("valid")
    }),
    two("stream-table join with grace", || {
        let builder = StreamsBuilder::new();
        let table = builder.table("right", Consumed::default(), kept("table").versioned(ms(10_000)));
        let joined = Joined::default().named("waits").grace(ms(100));
        sent(builder.stream("left", Consumed::default()).join(table, |_, a: &i64, b: &i64| a + b, joined));
        builder.build().expect("valid")
    }),
    Case {
        // A global table is read ahead of the records that wait: what it holds must not depend on when.
        value: |_, key| key,
        ..two("stream-global join", || {
            let builder = StreamsBuilder::new();
            let table = builder.global_table("right", Consumed::default(), kept("table"));
            let left = builder.stream("left", Consumed::<i64, i64>::default());
            sent(left.join_global(table, |key, _| Some(*key), |_, a, b: &i64| a + b, Joined::default()));
            builder.build().expect("valid")
        })
    },
    two("stream-stream join", || {
        on_streams(|l, r, windows, joined| sent(l.join_stream(r, |_, a, b| a + b, windows, joined)))
    }),
    two("stream-stream left join", || {
        on_streams(|l, r, windows, joined| {
            sent(l.left_join_stream(r, |_, a, b| a + b.copied().unwrap_or(0), windows, joined))
        })
    }),
    two("stream-stream outer join", || {
        on_streams(|l, r, windows, joined| {
            let add = |_: &i64, a: Option<&i64>, b: Option<&i64>| a.unwrap_or(&0) + b.unwrap_or(&0);
            sent(l.outer_join_stream(r, add, windows, joined))
        })
    }),
    two("table-table join", || on_tables(|l, r| told(l.join(r, |_, a, b| a + b)))),
    two("table-table outer join", || {
        on_tables(|l, r| told(l.outer_join(r, |_, a, b| a.unwrap_or(&0) + b.unwrap_or(&0))))
    }),
    Case {
        // Rows of the left table belong to one of as many of the right one, and change it now and then.
        value: |number, key| (key + number / (3 * KEYS)) % KEYS,
        only_latest: true,
        ..two("foreign-key join", || {
            on_tables(|l, r| {
                told(l.join_foreign(
                    r,
                    |_, value| Some(*value),
                    |_, a, b| a + b,
                    TableJoined::named("foreign"),
                    kept("joined"),
                ))
            })
        })
    },
];

const KEYS: i64 = super::KEYS;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn kept(name: &str) -> Materialized<i64, i64> {
    Materialized::named(name).without_cache()
}

fn on_stream(add: impl FnOnce(KStream<'_, i64, i64>)) -> Topology {
    let builder = StreamsBuilder::new();
    add(builder.stream("in", Consumed::default()));
    builder.build().expect("valid")
}

fn on_table(add: impl FnOnce(KTable<'_, i64, i64>)) -> Topology {
    let builder = StreamsBuilder::new();
    add(builder.table("in", Consumed::default(), kept("table")));
    builder.build().expect("valid")
}

fn on_tables(add: impl FnOnce(KTable<'_, i64, i64>, KTable<'_, i64, i64>)) -> Topology {
    let builder = StreamsBuilder::new();
    add(
        builder.table("left", Consumed::default(), kept("left")),
        builder.table("right", Consumed::default(), kept("right")),
    );
    builder.build().expect("valid")
}

fn on_streams(
    add: impl FnOnce(KStream<'_, i64, i64>, KStream<'_, i64, i64>, JoinWindows, StreamJoined<i64, i64, i64>),
) -> Topology {
    let builder = StreamsBuilder::new();
    let windows = JoinWindows::of_time_difference_and_grace(ms(600), ms(100));
    add(
        builder.stream("left", Consumed::default()),
        builder.stream("right", Consumed::default()),
        windows,
        StreamJoined::named("joined"),
    );
    builder.build().expect("valid")
}

/// Writes the changes of a table.
fn told(table: KTable<'_, i64, i64>) {
    sent(table.to_stream().map_values(|value| value.unwrap_or(-1)));
}

/// Lets the changes of a windowed table go where they cost nothing more than being counted.
fn gone<K: candlewick::Data>(table: KTable<'_, K, i64>) {
    table.to_stream().for_each(|_, value| {
        SEEN.with(|seen| {
            let (count, sum) = seen.get();
            seen.set((count + 1, sum.wrapping_add(value.unwrap_or(-1))));
        });
    });
}

fn sent(stream: KStream<'_, i64, i64>) {
    stream.to("out", Produced::default());
}
