//! What a window aggregation costs for a record: node, store and all, of numbers and of trades to candles.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use candlewick::{Consumed, Grouped, I64Serde, Materialized, StreamsBuilder, TimeWindows, Timestamp, Utf8};
use candlewick_operators::{CandleOptions, Decimal, Interval, Side, Symbol, Trade, TradeStream};
use criterion::{Criterion, Throughput};

use crate::fan_out::{FAN_OUT, FanOut};

fn trade(number: i64) -> Trade {
    Trade {
        exchange: "".into(),
        symbol: "SYM001-USD".into(),
        price: Decimal::from_f64((5_000 + number % 97) as f64 / 100.0).expect("two places"),
        size: Decimal::from_f64((1 + number % 31) as f64 / 100.0).expect("two places"),
        side: if number % 2 == 0 { Side::Buy } else { Side::Sell },
        timestamp: Timestamp(number),
        id: number,
    }
}

/// A thousand records into windows of a minute.
pub(crate) fn windows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("1000 records into windows");
    group.throughput(Throughput::Elements(FAN_OUT.unsigned_abs()));

    let builder = StreamsBuilder::new();
    let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    builder
        .stream("in", Consumed::<i64, i64>::default())
        .flat_map_values(|first| first..first + FAN_OUT)
        .group_by_key(Grouped::default())
        .windowed_by(minutes)
        .count(Materialized::named("counts"));
    let mut driver = FanOut::new(&builder.build().expect("valid"));
    group.bench_function("count", |bencher| bencher.iter(|| driver.pipe()));

    let builder = StreamsBuilder::new();
    let trades: Arc<[Trade]> = (0..FAN_OUT).map(trade).collect();
    builder
        .stream("in", Consumed::<Symbol, i64>::with(Utf8, I64Serde))
        .flat_map_values(move |_| {
            let trades = Arc::clone(&trades);
            (0..trades.len()).map(move |at| trades[at].clone())
        })
        .closed_candles(&CandleOptions::new(Interval::MINUTE))
        .for_each(|key, candle| {
            black_box((key, candle));
        });
    let symbol = |number| Symbol::from(format!("SYM{number:03}-USD").as_str());
    let mut driver = FanOut::with_keys(&builder.build().expect("valid"), Utf8, symbol);
    group.bench_function("candle", |bencher| bencher.iter(|| driver.pipe()));
    group.finish();
}
