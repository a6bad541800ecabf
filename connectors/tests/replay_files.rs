//! Recordings as they come from exchanges, read from real files: every format gives the trades that were written into
//! it. Knows the public surface only.

use std::io::Write;
use std::path::{Path, PathBuf};

use candlewick::Timestamp;
use candlewick_connectors::{Replay, ReplayError, ReplayReport, ReplaySettings};
use candlewick_operators::{Side, Trade};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    }
}

fn read(path: &Path, settings: ReplaySettings) -> (Vec<Trade>, ReplayReport) {
    let mut replay = Replay::open(path, settings).expect("opens");
    let trades = replay.by_ref().collect::<Result<_, _>>().expect("readable");
    (trades, replay.report())
}

fn trade(symbol: &str, exchange: &str, ms: i64, price: &str, size: &str, side: Side, id: i64) -> Trade {
    Trade {
        exchange: exchange.into(),
        symbol: symbol.into(),
        price: price.parse().expect("a price"),
        size: size.parse().expect("a size"),
        side,
        timestamp: Timestamp(ms),
        id,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn csv_with_a_header_plain_and_gzip_give_the_same_trades() {
    let folder = Folder::new();
    let text = "ts_ms,symbol,exchange,price,size,side,trade_id,kind\n\
                1640908800123,XRPETH,binance,0.00022840,17,buy,9,MARKET\n\
                1640908800124,XRPETH,binance,0.0002284,1.5,SELL,10,\n\
                1640908800125,BTCUSDT,binance,47000.1,0.001,sell,11,INSURANCE_FUND\n";
    let expected = vec![
        trade("XRPETH", "binance", 1_640_908_800_123, "0.0002284", "17", Side::Buy, 9),
        trade("XRPETH", "binance", 1_640_908_800_124, "0.0002284", "1.5", Side::Sell, 10),
    ];
    let (trades, report) = read(&folder.file("a.csv", text), ReplaySettings::default());
    assert_eq!(trades, expected);
    assert_eq!((report.other_kinds, report.skipped(), report.lines), (1, 0, 4));
    assert_eq!((report.bytes_read, report.bytes_total), (text.len() as u64, text.len() as u64));
    let (trades, report) = read(&folder.file("a.csv.gz", gzip(text.as_bytes())), ReplaySettings::default());
    assert_eq!(trades, expected);
    assert_eq!(report.bytes_read, report.bytes_total);
}

#[test]
fn binance_dumps_without_a_header_take_the_symbol_from_the_file_name() {
    let folder = Folder::new();
    let agg = folder.file(
        "XRPETH-aggTrades-2021-12-31.csv",
        "1,0.00022840,17.00000000,5,6,1640908800123,True,True\n2,0.00022841,3.00000000,7,7,1640908800999,False,True\n",
    );
    let (trades, _) = read(&agg, ReplaySettings::default());
    assert_eq!(
        trades,
        [
            trade("XRPETH", "", 1_640_908_800_123, "0.0002284", "17", Side::Sell, 1),
            trade("XRPETH", "", 1_640_908_800_999, "0.00022841", "3", Side::Buy, 2),
        ]
    );
    let spot = folder.file(
        "BTCUSDT-trades-2025-01-01.csv",
        "4359215130,93576.00000000,0.00097000,90.76872000,1735689600006774,true,true\n",
    );
    let (trades, _) = read(&spot, ReplaySettings { exchange: Some("binance".into()), ..Default::default() });
    let expected =
        trade("BTCUSDT", "binance", 1_735_689_600_006, "93576", "0.00097", Side::Sell, 4_359_215_130);
    assert_eq!(trades, [expected]);
}

#[test]
fn kraken_rows_without_sides_get_them_from_the_price() {
    let folder = Folder::new();
    let file = folder
        .file("XBTUSD.csv", "10,1,1688671969.199\n11,1,1688671970.5\n11,2,1688671971\n9,1,1688671972\n");
    let (trades, report) = read(&file, ReplaySettings::default());
    let sides: Vec<_> = trades.iter().map(|trade| trade.side).collect();
    assert_eq!(sides, [Side::Buy, Side::Buy, Side::Buy, Side::Sell]);
    assert_eq!(report.sides_inferred, 4);
    assert_eq!(trades[0].timestamp, Timestamp(1_688_671_969_199));
}

#[test]
fn every_fault_is_one_sentence_with_its_line_skipped_by_default_and_fatal_when_strict() {
    let folder = Folder::new();
    for (line, words) in [
        ("1000,x,1,buy", "line 3: the price 'x'"),
        ("1000,0,1,buy", "line 3: the price '0'"),
        ("1000,-5,1,buy", "line 3: the price '-5'"),
        ("1000,NaN,1,buy", "line 3: the price 'NaN'"),
        ("1000,5,1", "line 3 is malformed: it has 3 fields instead of 4"),
        ("soon,5,1,buy", "line 3 is malformed: the time 'soon'"),
        ("1000,5,-1,buy", "line 3 is malformed: the size '-1'"),
        ("1000,5,1,hold", "line 3 is malformed: the side 'hold'"),
        ("\u{0}\u{1}", "line 3 is malformed"),
    ] {
        let text = format!("ts_ms,price,size,side\n999,5,1,buy\n{line}\n1001,6,1,sell\n");
        let file = folder.file("BTC-USD.csv", text);
        let (trades, report) = read(&file, ReplaySettings::default());
        assert_eq!((trades.len(), report.skipped()), (2, 1), "{line}");
        assert!(report.sentences[0].contains(words), "{line}: {}", report.sentences[0]);
        let strict = ReplaySettings { strict: true, ..Default::default() };
        let mut replay = Replay::open(&file, strict).expect("opens");
        assert!(replay.next().expect("first").is_ok());
        let error = replay.next().expect("an error").expect_err("strict");
        assert_eq!(error.to_string(), report.sentences[0]);
        assert!(replay.next().is_none(), "after the error it ends");
    }
}

#[test]
fn truncated_gzip_gives_what_stands_before_and_one_sentence() {
    let folder = Folder::new();
    let rows: String = (0..50_000).map(|n| format!("{},{},1.5,buy\n", 1_000 + n, 100 + n % 977)).collect();
    let whole = gzip(format!("ts_ms,price,size,side\n{rows}").as_bytes());
    let file = folder.file("BTC-USD.csv.gz", &whole[..whole.len() * 2 / 3]);
    let (trades, report) = read(&file, ReplaySettings::default());
    assert!(report.truncated && trades.len() > 1_000 && trades.len() < 50_000);
    for (n, trade) in trades.iter().enumerate() {
        assert_eq!(trade.timestamp, Timestamp(1_000 + i64::try_from(n).expect("small")));
    }
    let lost = trades.len() + 2;
    assert_eq!(
        report.sentences,
        [format!("the gzip file is truncated at line {lost}: fetch it again to get the rest")]
    );
    let strict = ReplaySettings { strict: true, ..Default::default() };
    let last = Replay::open(&file, strict).expect("opens").last().expect("something");
    assert!(matches!(last, Err(ReplayError::Truncated { line }) if line == lost as u64));
}

#[test]
fn raw_messages_of_every_exchange_become_trades_and_others_are_counted() {
    let folder = Folder::new();
    let lines = [
        r#"{"result":null,"id":1}"#,
        r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}"#,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1672515782137,"s":"BTCUSDT","t":7,"p":"16500.10","q":"0.002","X":"MARKET","m":false}}"#,
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1672515782138,"s":"BTCUSDT","t":8,"p":"0","q":"0","X":"NA","m":true}}"#,
        r#"{"e":"aggTrade","E":1,"s":"BNBBTC","a":1,"p":"0.001","q":"100","f":12345,"l":12345,"T":1672515782136,"m":true}"#,
        r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]}]}"#,
        r#"{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"ac","taker_order_id":"13","time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#,
        r#"{"channel":"market_trades","timestamp":"2023-02-09T20:19:35.39625135Z","sequence_num":0,"events":[{"type":"snapshot","trades":[{"trade_id":"12","product_id":"ETH-USD","price":"1260.02","size":"0.3","side":"SELL","time":"2019-08-14T20:42:28.000Z"},{"trade_id":"11","product_id":"ETH-USD","price":"1260.01","size":"0.2","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#,
        r#"[0,[["5541.20000","0.15850568","1534614057.321597","s","l",""],["6060.00000","0.02455000","1534614057.324998","b","l",""]],"trade","XBT\/USD"]"#,
        r#"[0,{"a":["5525.40000",1,"1.000"]},"ticker","XBT/USD"]"#,
        r#"{"channel":"trade","type":"update","data":[{"symbol":"MATIC/USD","side":"sell","price":0.5117,"qty":40.0,"ord_type":"market","trade_id":4665906,"timestamp":"2023-09-25T07:49:37.708706Z"}]}"#,
        r#"{"event":"subscribed","channel":"trades","chanId":19111,"symbol":"tBTCUSD","pair":"BTCUSD"}"#,
        r#"[19111,"te",[401597393,1574694475039,-0.005,7244.9]]"#,
        r#"[19111,"tu",[401597393,1574694475039,-0.005,7244.9]]"#,
        r#"[19111,"hb"]"#,
        r#"{"channel": "trades", "market": "BTC-PERP", "type": "update", "data": [{"id": 2, "price": 46200.0, "size": 0.0093, "side": "sell", "liquidation": false, "time": "2021-12-31T00:00:00.123456+00:00"}]}"#,
        r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false}]}"#,
        r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897"}]}"#,
    ];
    let (trades, report) = read(&folder.file("raw.jsonl", lines.join("\n")), ReplaySettings::default());
    let shown: Vec<_> = trades
        .iter()
        .map(|t| format!("{} {} {} {} {} {}", t.exchange, t.symbol, t.timestamp, t.price, t.size, t.side))
        .collect();
    assert_eq!(
        shown,
        [
            "binance BNBBTC 1672515782136 0.001 100 sell",
            "binance BTCUSDT 1672515782137 16500.1 0.002 buy",
            "coinbase BTC-USD 1415348367028 400.23 5.23512 buy",
            "coinbase ETH-USD 1565815347265 1260.01 0.2 sell",
            "coinbase ETH-USD 1565815348000 1260.02 0.3 buy",
            "kraken XBT/USD 1534614057321 5541.2 0.15850568 sell",
            "kraken XBT/USD 1534614057324 6060 0.02455 buy",
            "kraken MATIC/USD 1695628177708 0.5117 40 sell",
            "bitfinex BTCUSD 1574694475039 7244.9 0.005 sell",
            "ftx BTC-PERP 1640908800123 46200 0.0093 sell",
            "bybit BTCUSDT 1672304486865 16578.5 0.001 buy",
            "okx BTC-USDT 1630048897897 42219.9 0.12060306 buy",
        ]
    );
    assert_eq!(
        (report.other_kinds, report.other_messages, report.skipped()),
        (1, 7, 0),
        "{:?}",
        report.sentences
    );
}

#[test]
fn a_recorders_wrapping_of_messages_is_seen_through() {
    let folder = Folder::new();
    let message = r#"{"e":"trade","s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true}"#;
    let quoted = serde_json::to_string(message).expect("text");
    let doubled = message.replace('"', "\"\"");
    for (name, text) in [
        ("object.jsonl", format!("{{\"ts\":1,\"msg\":{message}}}")),
        ("string.jsonl", format!("{{\"ts\":1,\"exchange\":\"binance\",\"json\":{quoted}}}")),
        ("data.jsonl", format!("{{\"recv\":1,\"data\":{message}}}")),
        ("time.txt", format!("1672515782140 {message}")),
        ("tabs.txt", format!("binance\tspot\ttrade\t1672515782140\t{message}")),
        ("column.csv", format!("received_at,msg\n1672515782140,\"{doubled}\"")),
    ] {
        let (trades, report) = read(&folder.file(name, text), ReplaySettings::default());
        let expected = trade("BNBBTC", "binance", 1_672_515_782_136, "0.001", "100", Side::Sell, 12_345);
        assert_eq!(trades, [expected], "{name}: {:?}", report.sentences);
    }
}

#[test]
fn broken_json_is_a_malformed_line() {
    let folder = Folder::new();
    let file = folder
        .file("raw.jsonl", "{\"e\":\"depthUpdate\"}\n{\"e\":\"trade\",\"s\":\n[1,2\n{\"e\":\"trade\"}\n");
    let (trades, report) = read(&file, ReplaySettings::default());
    assert_eq!((trades.len(), report.malformed, report.other_messages), (0, 3, 1));
    assert!(report.sentences[0].starts_with("line 2 is malformed: it is not the JSON of a trade message"));
}

#[test]
fn what_cannot_be_opened_says_what_to_do() {
    let folder = Folder::new();
    let open = |path: &Path| Replay::open(path, ReplaySettings::default()).expect_err("refused").to_string();
    assert!(open(&folder.0.path().join("missing.csv")).contains("check the path"));
    assert!(open(&folder.file("20240101.csv", "ts,price,size\n1,2,3\n")).contains("--symbol"));
    assert!(
        open(&folder.file("BTC.csv", "open,close\n1,2\n")).contains("name the columns in the first line")
    );
    let (trades, _) = read(&folder.file("empty.csv", ""), ReplaySettings::default());
    assert!(trades.is_empty());
}
