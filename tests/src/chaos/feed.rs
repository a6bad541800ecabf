//! Writes a recording into a topic at a rate, through whatever happens to the broker, each trade once. Must not know what
//! happens.

use std::time::{Duration, Instant};

use candlewick::client::{Log, OutgoingRecord, ProducerError, ProducerSettings};
use candlewick::{Headers, Serde, Timestamp, partition_for_key};
use candlewick_connectors::avro::AvroSerde;
use candlewick_operators::{Decimal, Exchange, Side, Symbol, Trade};

use crate::shipped::{RecordedTrade, Recording};

/// Partitions of the input.
pub(super) const PARTITIONS: i32 = 4;

const PATIENCE: Duration = Duration::from_secs(120);

/// Writes all trades and then, to each partition, one of an hour later: every candle before it is closed by it.
pub(super) fn feed(log: &dyn Log, serde: &AvroSerde<Trade>, topic: &str, recording: &Recording, rate: u32) {
    let mut producer = log.producer(&ProducerSettings::default()).expect("a producer");
    let handle = producer.topic(topic).expect("a plain name");
    let (begin, mut bytes, headers) = (Instant::now(), Vec::new(), Headers::default());
    let last = recording.trades().map(|trade| trade.time).max().expect("a recording with trades");
    let closing = (0..).map(|n| format!("CLOSING{n}-USD")).scan(0_i32, |covered, name| {
        let partition = partition_for_key(name.as_bytes(), PARTITIONS);
        (*covered < (1 << PARTITIONS) - 1).then(|| {
            let is_new = *covered & (1 << partition.0) == 0;
            *covered |= 1 << partition.0;
            is_new.then_some(name)
        })
    });
    let closing: Vec<String> = closing.flatten().collect();
    let closing = closing.iter().map(|name| RecordedTrade {
        id: 0,
        time: last + 3_600_000,
        symbol: name,
        price: "1".to_owned(),
        size: "1".to_owned(),
        buy: true,
    });
    for (number, trade) in recording.trades().chain(closing).enumerate() {
        let key = trade.symbol.to_owned();
        bytes.clear();
        serde.serialize(topic, &typed(&trade), &mut bytes).expect("a trade can be written");
        loop {
            let sent = producer.send(OutgoingRecord {
                topic: handle,
                partition: partition_for_key(key.as_bytes(), PARTITIONS),
                key: Some(key.as_bytes()),
                value: Some(&bytes),
                headers: &headers,
                timestamp: Timestamp(trade.time),
            });
            match sent {
                Ok(()) => break,
                Err(ProducerError::QueueFull) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => panic!("the input is written: {error}"),
            }
            producer.poll().expect("the input is written");
        }
        if number % 100 == 0 {
            producer.poll().expect("the input is written");
            let due = begin + Duration::from_secs_f64(number as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    let until = Instant::now() + PATIENCE;
    while let Err(error) = producer.flush(Duration::from_secs(1)) {
        assert!(matches!(error, ProducerError::Timeout { .. }), "the input is written: {error}");
        assert!(Instant::now() < until, "the input is written within {PATIENCE:?}");
    }
}

fn typed(trade: &RecordedTrade<'_>) -> Trade {
    let decimal = |text: &str| text.parse::<Decimal>().expect("a recording's number");
    Trade {
        exchange: Exchange::from("chaos"),
        symbol: Symbol::from(trade.symbol),
        price: decimal(&trade.price),
        size: decimal(&trade.size),
        side: if trade.buy { Side::Buy } else { Side::Sell },
        timestamp: Timestamp(trade.time),
        id: trade.id,
    }
}
