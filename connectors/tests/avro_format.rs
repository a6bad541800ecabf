//! The bytes of the Avro serdes beside apache-avro's own encoder and decoder, and what data of other schemas become.
//! Knows the public surface only.

#![cfg(feature = "avro")]

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::{Record, Value};
use apache_avro::writer::datum::GenericDatumWriter;
use candlewick::{Serde, Timestamp};
use candlewick_connectors::avro::{
    AvroDatum, AvroError, AvroFields, AvroRecord, AvroSerde, CandleRecord, MemoryRegistry, SchemaRegistry,
};
use candlewick_operators::{Candle, Decimal, Interval, Side, Trade};
use proptest::prelude::*;

fn trades() -> impl Strategy<Value = Trade> {
    let decimal = (1..10_i64.pow(15), 0..=8_u32)
        .prop_map(|(digits, places)| Decimal::from_units(i128::from(digits) * 10_i128.pow(12 - places)));
    let texts = ("[A-Za-z0-9/-]{1,30}", "[a-z]{0,12}");
    (texts, decimal.clone(), decimal, any::<bool>(), any::<i64>(), any::<i64>()).prop_map(
        |((symbol, exchange), price, size, buy, ms, id)| Trade {
            exchange: exchange.into(),
            symbol: symbol.into(),
            price,
            size,
            side: if buy { Side::Buy } else { Side::Sell },
            timestamp: Timestamp(ms),
            id,
        },
    )
}

fn registered(schemas: &[&str]) -> (Arc<MemoryRegistry>, Vec<u32>) {
    let registry = Arc::new(MemoryRegistry::new());
    let subjects = schemas.iter().enumerate();
    let ids =
        subjects.map(|(n, schema)| registry.register(&format!("s{n}"), schema).expect("a schema")).collect();
    (registry, ids)
}

/// A datum in the wire format, made by apache-avro.
fn foreign(id: u32, schema: &str, fields: Vec<(&str, Value)>) -> Vec<u8> {
    let schema = Schema::parse_str(schema).expect("a schema");
    let mut record = Record::new(&schema).expect("a record");
    for (name, value) in fields {
        record.put(name, value);
    }
    let datum = GenericDatumWriter::builder(&schema).build().expect("built");
    let mut bytes = vec![0];
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend(datum.write_value_to_vec(record).expect("valid"));
    bytes
}

fn value_of(trade: &Trade) -> Vec<(&'static str, Value)> {
    let side = if trade.side == Side::Buy { (0, "BUY") } else { (1, "SELL") };
    vec![
        ("symbol", Value::String(trade.symbol.to_string())),
        ("price", Value::Double(trade.price.to_f64())),
        ("size", Value::Double(trade.size.to_f64())),
        ("side", Value::Enum(side.0, side.1.to_string())),
        ("ts", Value::Long(trade.timestamp.0)),
        ("trade_id", Value::Long(trade.id)),
        ("exchange", Value::String(trade.exchange.to_string())),
    ]
}

proptest! {
    #[test]
    fn trades_are_written_and_read_as_apache_avro_does(trade in trades()) {
        let (registry, ids) = registered(&[Trade::schema()]);
        let serde = AvroSerde::<Trade>::new(registry).expect("a schema");
        let mut ours = Vec::new();
        serde.serialize("trades", &trade, &mut ours).expect("written");
        let theirs = foreign(ids[0], Trade::schema(), value_of(&trade));
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(serde.deserialize("trades", &theirs).expect("read"), trade.clone());
        let schema = Schema::parse_str(Trade::schema()).expect("a schema");
        let reader = GenericDatumReader::builder(&schema).build().expect("built");
        let read = reader.read_value(&mut &ours[5..]).expect("read");
        let fields = value_of(&trade).into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        prop_assert_eq!(read, Value::Record(fields));
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(
        body in proptest::collection::vec(any::<u8>(), 0..120), head in any::<bool>(), schema in 0..4_u8
    ) {
        let (registry, ids) = registered(&[Trade::schema(), CandleRecord::schema(), WIDE, NESTED]);
        let mut bytes = body;
        if head {
            let mut whole = vec![0];
            whole.extend_from_slice(&ids[usize::from(schema)].to_be_bytes());
            whole.append(&mut bytes);
            bytes = whole;
        }
        let _ = AvroSerde::<Trade>::new(registry.clone()).expect("a schema").deserialize("t", &bytes);
        let _ = AvroSerde::<CandleRecord>::new(registry).expect("a schema").deserialize("t", &bytes);
    }

    #[test]
    fn a_trade_cut_short_or_made_longer_is_refused(trade in trades(), cut in any::<prop::sample::Index>()) {
        let (registry, _) = registered(&[Trade::schema()]);
        let serde = AvroSerde::<Trade>::new(registry).expect("a schema");
        let mut bytes = Vec::new();
        serde.serialize("trades", &trade, &mut bytes).expect("written");
        prop_assert!(serde.deserialize("trades", &bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(serde.deserialize("trades", &bytes).is_err());
    }
}

/// A writer with everything a reader may have to pass over, in another order, with other widths.
const WIDE: &str = r#"{"type":"record","name":"Trade","fields":[
    {"name":"note","type":["null","string"]},
    {"name":"trade_id","type":"int"},
    {"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"tags","type":{"type":"array","items":"string"}},
    {"name":"extra","type":{"type":"map","values":["null","double","boolean"]}},
    {"name":"side","type":{"type":"enum","name":"Side","symbols":["SELL","BUY"]}},
    {"name":"size","type":"long"},
    {"name":"raw","type":{"type":"fixed","name":"Four","size":4}},
    {"name":"price","type":["null","float"]},
    {"name":"inner","type":{"type":"record","name":"Inner","fields":[{"name":"x","type":"bytes"}]}},
    {"name":"symbol","type":"bytes"}]}"#;

/// A writer whose field needs apache-avro's own resolution.
const NESTED: &str = r#"{"type":"record","name":"Trade","fields":[
    {"name":"symbol","type":"string"},{"name":"price","type":["int","double","string"]},{"name":"size","type":"double"},
    {"name":"side","type":{"type":"enum","name":"Side","symbols":["BUY","SELL"]}},
    {"name":"ts","type":"long"},{"name":"trade_id","type":"long"}]}"#;

fn expected(exchange: &str) -> Trade {
    Trade {
        exchange: exchange.into(),
        symbol: "BTC-USD".into(),
        price: "0.5".parse().expect("a price"),
        size: "7".parse().expect("a size"),
        side: Side::Sell,
        timestamp: Timestamp(1_640_908_800_123),
        id: 12,
    }
}

#[test]
fn a_writer_without_the_exchange_is_read_with_the_default() {
    let older = Trade::schema().replace(r#",{"name":"exchange","type":"string","default":""}"#, "");
    assert_ne!(older, Trade::schema());
    let (registry, ids) = registered(&[&older]);
    let serde = AvroSerde::<Trade>::new(registry).expect("a schema");
    let mut fields = value_of(&expected("any"));
    fields.pop();
    let trade = serde.deserialize("trades", &foreign(ids[0], &older, fields)).expect("resolved");
    assert_eq!(trade, expected(""));
}

#[test]
fn a_writer_with_more_fields_in_another_order_and_other_widths_is_read() {
    let (registry, ids) = registered(&[WIDE]);
    let fields = vec![
        ("note", Value::Union(1, Box::new(Value::String("hello".to_string())))),
        ("trade_id", Value::Int(12)),
        ("ts", Value::TimestampMillis(1_640_908_800_123)),
        ("tags", Value::Array(vec![Value::String("a".to_string()), Value::String("b".to_string())])),
        ("extra", Value::Map([("k".to_string(), Value::Union(1, Box::new(Value::Double(1.0))))].into())),
        ("side", Value::Enum(0, "SELL".to_string())),
        ("size", Value::Long(7)),
        ("raw", Value::Fixed(4, vec![1, 2, 3, 4])),
        ("price", Value::Union(1, Box::new(Value::Float(0.5)))),
        ("inner", Value::Record(vec![("x".to_string(), Value::Bytes(vec![9; 200]))])),
        ("symbol", Value::Bytes(b"BTC-USD".to_vec())),
    ];
    let bytes = foreign(ids[0], WIDE, fields);
    let serde = AvroSerde::<Trade>::new(registry).expect("a schema");
    assert_eq!(serde.deserialize("trades", &bytes).expect("resolved"), expected(""));
}

#[test]
fn shapes_beyond_the_plan_are_resolved_by_apache_avro() {
    let (registry, ids) = registered(&[NESTED]);
    let mut fields = value_of(&expected(""));
    fields.pop();
    fields[1].1 = Value::Union(1, Box::new(Value::Double(0.5)));
    let bytes = foreign(ids[0], NESTED, fields);
    let serde = AvroSerde::<Trade>::new(registry).expect("a schema");
    assert_eq!(serde.deserialize("trades", &bytes).expect("resolved"), expected(""));
}

#[test]
fn what_cannot_be_resolved_is_told_with_both_schemas() {
    let other = r#"{"type":"record","name":"Trade","fields":[{"name":"symbol","type":"long"}]}"#;
    let (registry, ids) = registered(&[other]);
    let serde = AvroSerde::<Trade>::new(registry).expect("a schema");
    let bytes = foreign(ids[0], other, vec![("symbol", Value::Long(1))]);
    let sentence = serde.deserialize("trades", &bytes).expect_err("never").to_string();
    for part in ["the field symbol", "written with:", "read with:", r#""type":"long""#, r#""name":"side""#] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
}

#[test]
fn an_unknown_schema_id_is_named_with_the_registry() {
    let serde = AvroSerde::<Trade>::new(Arc::new(MemoryRegistry::new())).expect("a schema");
    let sentence = serde.deserialize("trades", &[0, 0, 0, 1, 2, 0]).expect_err("unknown").to_string();
    assert!(sentence.contains("258") && sentence.contains("in memory"), "{sentence}");
    let sentence = serde.deserialize("trades", b"{}").expect_err("no Avro").to_string();
    assert!(sentence.contains("registry's serializer"), "{sentence}");
}

#[test]
fn candles_survive_and_stand_in_the_registry_under_their_topic() {
    let registry = Arc::new(MemoryRegistry::new());
    let serde = AvroSerde::<CandleRecord>::new(registry.clone()).expect("a schema");
    let mut candle = Candle::default();
    for (ms, price, side) in [(60_000, "100.5", Side::Buy), (61_000, "99.25", Side::Sell)] {
        let trade = Trade {
            price: price.parse().expect("a price"),
            timestamp: Timestamp(ms),
            side,
            ..expected("simulated")
        };
        candle.add_trade(&trade).expect("in range");
    }
    let minute = Interval::MINUTE;
    let record = CandleRecord::new("simulated".into(), "BTC-USD".into(), minute, Timestamp(60_000), &candle)
        .expect("in range");
    let mut bytes = Vec::new();
    serde.serialize("candles", &record, &mut bytes).expect("written");
    assert_eq!(serde.deserialize("candles", &bytes).expect("read"), record);
    assert_eq!((record.quote_volume, record.trades), ("1398.25".parse().expect("a number"), 2));
    let id = registry.register("candles-value", CandleRecord::schema()).expect("known");
    assert_eq!(bytes[1..5], id.to_be_bytes());
}

#[derive(Debug, PartialEq)]
struct Note {
    text: Option<String>,
    good: bool,
}

impl AvroRecord for Note {
    fn schema() -> &'static str {
        r#"{"type":"record","name":"Note","fields":[
            {"name":"text","type":["null","string"],"default":null},{"name":"good","type":"boolean","default":true}]}"#
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match &self.text {
            None => candlewick_connectors::avro::put_long(0, out),
            Some(text) => {
                candlewick_connectors::avro::put_long(1, out);
                candlewick_connectors::avro::put_text(text, out);
            }
        }
        out.push(u8::from(self.good));
    }

    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        let text = if fields.null() { None } else { Some(fields.text()?.to_string()) };
        Ok(Self { text, good: fields.boolean()? })
    }
}

#[test]
fn nullable_fields_and_defaults_are_read_for_users_own_records() {
    let empty = r#"{"type":"record","name":"Note","fields":[]}"#;
    let (registry, ids) = registered(&[empty]);
    let serde = AvroSerde::<Note>::new(registry).expect("a schema").for_keys();
    for note in [Note { text: None, good: false }, Note { text: Some("hi".to_string()), good: true }] {
        let mut bytes = Vec::new();
        serde.serialize("notes", &note, &mut bytes).expect("written");
        assert_eq!(serde.deserialize("notes", &bytes).expect("read"), note);
    }
    let bytes = foreign(ids[0], empty, vec![]);
    assert_eq!(serde.deserialize("notes", &bytes).expect("read"), Note { text: None, good: true });
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Point {
    x: i64,
    names: Vec<String>,
    deep: Option<Inner>,
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Inner {
    y: f64,
}

#[test]
fn any_serde_type_is_written_and_read_also_from_an_older_schema() {
    let older = r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"long"}]}"#;
    let newer = r#"{"type":"record","name":"Point","fields":[{"name":"x","type":"long"},
        {"name":"names","type":{"type":"array","items":"string"},"default":[]},
        {"name":"deep","type":["null",{"type":"record","name":"Inner","fields":[{"name":"y","type":"double"}]}],"default":null}]}"#;
    let (registry, ids) = registered(&[older]);
    let serde = AvroDatum::<Point>::new(registry, newer).expect("a schema");
    let point = Point { x: -3, names: vec!["a".to_string(), "b".to_string()], deep: Some(Inner { y: 0.5 }) };
    let mut bytes = Vec::new();
    serde.serialize("points", &point, &mut bytes).expect("written");
    assert_eq!(serde.deserialize("points", &bytes).expect("read"), point);
    let bytes = foreign(ids[0], older, vec![("x", Value::Long(9))]);
    let read = serde.deserialize("points", &bytes).expect("resolved");
    assert_eq!(read, Point { x: 9, names: vec![], deep: None });
}
