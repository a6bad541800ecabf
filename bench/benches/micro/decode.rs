//! What it costs to read a trade off its Avro bytes, written with the type's own schema and with an older one.

use std::hint::black_box;
use std::sync::Arc;

use candlewick::{Serde, Timestamp};
use candlewick_bench::{TRADE_SCHEMA, TradeGenerator};
use candlewick_connectors::avro::{AvroSerde, MemoryRegistry, SchemaRegistry};
use candlewick_operators::Trade;
use criterion::Criterion;

const RECORDS: usize = 1_024;

/// Decoding and encoding.
pub(crate) fn decoding(criterion: &mut Criterion) {
    let registry = Arc::new(MemoryRegistry::new());
    let id = registry.register("trades-value", TRADE_SCHEMA).expect("a schema");
    let serde = AvroSerde::<Trade>::new(registry).expect("a schema");
    let mut trades = TradeGenerator::new(42, Timestamp(1_700_000_040_000));
    let older: Vec<Vec<u8>> = (0..RECORDS)
        .map(|_| {
            let (trade, mut bytes) = (trades.next_trade(), Vec::new());
            trades.encode(&trade, id, &mut bytes);
            bytes
        })
        .collect();
    let read = |bytes: &Vec<u8>| serde.deserialize("trades", bytes).expect("a trade");
    let own: Vec<Vec<u8>> = older
        .iter()
        .map(|bytes| {
            let mut again = Vec::new();
            serde.serialize("trades", &read(bytes), &mut again).expect("a trade");
            again
        })
        .collect();
    let mut group = criterion.benchmark_group("avro trade");
    for (name, records) in [("decode, older schema", &older), ("decode, own schema", &own)] {
        let mut at = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                at = (at + 1) % RECORDS;
                black_box(read(&records[at]));
            });
        });
    }
    let trade = read(&own[0]);
    let mut out = Vec::with_capacity(256);
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            serde.serialize("trades", black_box(&trade), &mut out).expect("a trade");
        });
    });
    group.finish();
}
