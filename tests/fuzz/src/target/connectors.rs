//! Records in Avro behind a schema id, and recordings of exchanges.

use std::sync::{Arc, OnceLock};

use candlewick::{Serde, Timestamp};
use candlewick_connectors::avro::{AvroRecord, AvroSerde, CandleRecord, MemoryRegistry, SchemaRegistry};
use candlewick_connectors::{Replay, ReplaySettings};
use candlewick_operators::{Decimal, Side, Trade};

/// A registry with the schema of the record, and one that is wider, for the way of resolution.
fn registry() -> &'static Arc<dyn SchemaRegistry> {
    static REGISTRY: OnceLock<Arc<dyn SchemaRegistry>> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let registry: Arc<dyn SchemaRegistry> = Arc::new(MemoryRegistry::new());
        registry.register("trades-value", Trade::schema()).expect("a schema");
        registry.register("candles-value", CandleRecord::schema()).expect("a schema");
        // Nested, repeated and optional, as another application may write: what a reader does not know is passed over.
        let wide = Trade::schema().replacen(
            "\"fields\":[",
            "\"fields\":[{\"name\":\"more\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":[\"null\",\"string\",\"bytes\"]}}},",
            1,
        );
        let _ = registry.register("wide-value", &wide);
        registry
    })
}

/// A record of each schema: its id, and its fields as zeros, which read as empty texts, noughts and the first branch.
pub(super) fn avro() -> Vec<Vec<u8>> {
    let head = |id: u8| vec![0, 0, 0, 0, id];
    let trade = Trade {
        symbol: "BTC-USD".into(),
        price: Decimal::from_units(100_000_000),
        size: Decimal::from_units(200_000_000),
        side: Side::Buy,
        timestamp: Timestamp(1_600_000_020_000),
        id: 7,
        exchange: "kraken".into(),
    };
    let mut body = Vec::new();
    trade.encode(&mut body);
    (1..=3).flat_map(|id| [[head(id), body.clone()].concat(), [head(id), vec![0; 64]].concat()]).collect()
}

pub(super) fn read_avro(bytes: &[u8]) {
    static SERDES: OnceLock<(AvroSerde<Trade>, AvroSerde<CandleRecord>)> = OnceLock::new();
    let (trades, candles) = SERDES.get_or_init(|| {
        let trades = AvroSerde::new(Arc::clone(registry())).expect("a serde");
        (trades, AvroSerde::new(Arc::clone(registry())).expect("a serde"))
    });
    // A schema that nobody has registered is asked for again for a while.
    if bytes.get(..5).is_some_and(|head| head[0] != 0 || (head[1..4] == [0; 3] && (1..=3).contains(&head[4])))
    {
        let _ = trades.deserialize("trades", bytes);
        let _ = candles.deserialize("candles", bytes);
    }
}

/// Lines of exchanges as they are recorded, and of tables.
pub(super) fn exchange() -> Vec<Vec<u8>> {
    [
        // Binance's documentation of trade streams.
        r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}"#,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1","q":"1","T":1,"m":false,"M":true}}"#,
        // Coinbase's, of matches.
        r#"{"type":"match","trade_id":10,"sequence":50,"time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#,
        // Kraken's, of both versions.
        r#"{"channel":"trade","type":"update","data":[{"symbol":"MATIC/USD","side":"sell","price":0.5117,"qty":40.0,"ord_type":"market","trade_id":4665906,"timestamp":"2023-09-25T07:49:37.708706Z"}]}"#,
        r#"[0,[["5541.20000","0.15850568","1534614057.321597","s","l",""]],"trade","XBT/USD"]"#,
        // Bybit's, OKX's and Bitfinex's.
        r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","i":"20f43950"}]}"#,
        r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12","side":"buy","ts":"1630048897897"}]}"#,
        "[17470,\"tu\",[401597395,1574694478808,0.005,7245.3]]",
        "timestamp,symbol,price,size,side,id\n1600000020000,BTC-USD,100.5,0.25,buy,1\n1600000020500,BTC-USD,100.6,0.5,sell,2",
    ]
    .map(|line| format!("{line}\n{line}\n").into_bytes())
    .to_vec()
}

pub(super) fn read_exchange(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["trades.csv", "BTC-USD.jsonl"] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        let settings = ReplaySettings { symbol: Some("BTC-USD".into()), ..ReplaySettings::default() };
        if let Ok(replay) = Replay::open(&path, settings) {
            replay.for_each(|trade| drop(std::hint::black_box(trade)));
        }
    }
}
