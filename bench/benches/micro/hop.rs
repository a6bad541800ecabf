//! What it costs to hand a record of 56 bytes to the next node: the difference between topologies with and without ten
//! more nodes, over ten.

use std::hint::black_box;

use candlewick::{Consumed, KStream, StreamsBuilder, Topology};
use criterion::{Criterion, Throughput};

use crate::fan_out::{FAN_OUT, FanOut};

type Value = [i64; 4];

fn topology(more: impl for<'b> Fn(KStream<'b, i64, Value>) -> KStream<'b, i64, Value>) -> Topology {
    let builder = StreamsBuilder::new();
    let stream = builder
        .stream("in", Consumed::<i64, i64>::default())
        .flat_map_values(|first| (first..first + FAN_OUT).map(|number| [number, 1, 2, 3]));
    more(stream).for_each(|key, value| {
        black_box((key, value));
    });
    builder.build().expect("valid")
}

/// A thousand records through no more nodes, ten in place, and ten that make a new value.
pub(crate) fn hops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("1000 records");
    group.throughput(Throughput::Elements(FAN_OUT.unsigned_abs()));
    let none = topology(|stream| stream);
    let filters = topology(|stream| {
        (0..10).fold(stream, |stream, _| stream.filter(|_, value| black_box(value[1]) == 1))
    });
    let maps = topology(|stream| {
        (0..5).fold(stream, |stream, _| {
            // To another type and back: no slot can be used in place.
            stream
                .map_values(|value| (value, black_box(1_u8)))
                .map_values(|(value, one)| [value[0], i64::from(one), value[2], value[3]])
        })
    });
    for (name, topology) in [("no more nodes", none), ("10 filters", filters), ("10 maps", maps)] {
        let mut driver = FanOut::new(&topology);
        group.bench_function(name, |bencher| bencher.iter(|| driver.pipe()));
    }
    group.finish();
}
