//! Records on the input topic that are no trades: each becomes a dead letter, byte for byte and once, and every trade
//! around them counts.

use candlewick_tests::shipped::Found;
use candlewick_tests::{require, servers};

use super::run::{Run, START};

/// A schema id that no registry of a test gives out.
const UNKNOWN: u32 = 99_000_000;

/// The wire format's header for a schema id.
fn header(id: u32) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..]].concat()
}

/// The schema id that the trades of a run are written with: its first run has registered it.
fn id_of_trades(run: &Run, registry: &str) -> u32 {
    let url = format!("{registry}/subjects/{}-value/versions/latest", run.topic("trades"));
    let answer: serde_json::Value =
        reqwest::blocking::get(url).and_then(|answer| answer.json()).expect("the registry answers");
    u32::try_from(answer["id"].as_u64().expect("an id")).expect("small")
}

/// Each of these values is a dead letter once, with the place it came from; and there are no others.
fn each_is_a_dead_letter_once(run: &Run, partition: i32, values: &[Vec<u8>], words: &[&str]) {
    let letters = run.dead_letters();
    let of = |name: &str| -> Vec<String> { letters.iter().map(|letter| letter.header(name)).collect() };
    let bytes: Vec<Vec<u8>> =
        letters.iter().map(|letter: &Found| letter.value.clone().unwrap_or_default()).collect();
    assert_eq!(bytes, values, "byte for byte, in order, once");
    assert!(letters.iter().all(|letter| letter.key.as_deref() == Some(b"BTC-USD")));
    let times: Vec<i64> = letters.iter().map(|letter| letter.timestamp_ms - START).collect();
    assert_eq!(times, (0..values.len()).map(|n| 1_000 * n as i64).collect::<Vec<_>>());
    assert_eq!(of("__streams.errors.topic"), vec![run.topic("trades"); values.len()]);
    assert_eq!(of("__streams.errors.partition"), vec![partition.to_string(); values.len()]);
    assert_eq!(of("__streams.errors.offset").len(), values.len());
    for (message, word) in of("__streams.errors.message").iter().zip(words) {
        assert!(message.contains(word) && message.lines().count() == 1, "{word}: {message}");
    }
}

#[test]
fn a_record_that_is_no_avro_becomes_a_dead_letter_and_every_trade_counts() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "noavro", 15);
    // The first run knows nothing bad; the second goes on over what somebody else has written meanwhile.
    run.succeeds();
    run.candles_are_exact();
    assert_eq!(run.dead_letters(), []);
    let mut cut = header(id_of_trades(&run, registry.url()));
    cut.extend(b"\x0eBTC");
    let bad = vec![b"hello".to_vec(), vec![0, 0], b"{\"price\":1}".to_vec(), cut];
    run.write_values(&run.topic("trades"), 1, &bad);
    run.succeeds();
    let words =
        ["begins with the byte 0x68", "too few", "begins with the byte 0x7b", "do not follow the schema"];
    each_is_a_dead_letter_once(&run, 1, &bad, &words);
    run.succeeds();
    each_is_a_dead_letter_once(&run, 1, &bad, &words);
    run.candles_are_exact();
}

#[test]
fn bad_records_before_and_among_the_trades_change_no_candle() {
    let run = Run::embedded(31, 15);
    // Before the first trade, in the partition of every symbol.
    let log = run.log();
    drop(log);
    run.make_topic("trades", 4);
    let bad: Vec<Vec<u8>> = (0..20).map(|n| vec![b'a' + n; 40]).collect();
    run.write_values("trades", 2, &bad);
    run.succeeds();
    run.candles_are_exact();
    each_is_a_dead_letter_once(&run, 2, &bad, &["begins with the byte"; 20]);
}

#[test]
fn a_record_with_an_unknown_schema_id_becomes_a_dead_letter() {
    let kafka = require!(servers::kafka());
    let registry = require!(servers::registry());
    let run = Run::on_kafka(kafka.bootstrap(), registry.url(), "noschema", 15);
    run.make_topic(&run.topic("trades"), 4);
    let bad: Vec<Vec<u8>> =
        (0..3).map(|n| [&header(UNKNOWN + n)[..], &[2, b'x', 0, 0, 0]].concat()).collect();
    run.write_values(&run.topic("trades"), 3, &bad);
    run.succeeds();
    run.candles_are_exact();
    let ids: Vec<String> = (0..3).map(|n| format!("no schema with the id {}", UNKNOWN + n)).collect();
    each_is_a_dead_letter_once(&run, 3, &bad, &ids.iter().map(String::as_str).collect::<Vec<_>>());
}
