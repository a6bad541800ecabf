//! Kraken: the trade channel of WebSocket v1 (arrays) and v2 (objects). Knows their fields only.

use std::borrow::Cow;

use candlewick_operators::{Exchange, Symbol, Trade};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{Fault, RawTrade, Text, parse_side};
use super::message::{MessageOutcome, Sink, shape};
use super::time::TimeUnit;

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    data: Vec<TradeV2<'a>>,
}

#[derive(Deserialize)]
struct TradeV2<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    price: Text<'a>,
    #[serde(borrow)]
    qty: Text<'a>,
    #[serde(borrow)]
    trade_id: Text<'a>,
    #[serde(borrow)]
    timestamp: Text<'a>,
}

/// Decodes a message of the channel `trade` of v2.
pub(super) fn decode_v2(text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    let update: Update<'_> = serde_json::from_str(text).map_err(shape)?;
    for found in &update.data {
        out.push_back(trade(
            &found.symbol,
            [found.price, found.qty, found.timestamp, found.side],
            found.trade_id.bytes(),
        ));
    }
    Ok(MessageOutcome::Trades)
}

/// Decodes the trades of an array `[channel, [[price, volume, time, side, …], …], "trade", pair]` of v1, which carries
/// no trade ids: the id is made from the trade's own text, so that a repetition has the same one.
pub(super) fn decode_v1(trades: &RawValue, pair: &RawValue, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    let pair: Cow<'_, str> = serde_json::from_str(pair.get()).map_err(shape)?;
    let trades: Vec<&RawValue> = serde_json::from_str(trades.get()).map_err(shape)?;
    for raw in trades {
        let fields: Vec<Text<'_>> = serde_json::from_str(raw.get()).map_err(shape)?;
        let [price, size, time, side, ..] = fields[..] else {
            out.push_back(Err(Fault::Shape("a Kraken trade has fewer than four fields".to_string())));
            continue;
        };
        // The brackets keep a text of digits alone from being taken for a number.
        out.push_back(trade(&pair, [price, size, time, side], raw.get().as_bytes()));
    }
    Ok(MessageOutcome::Trades)
}

fn trade(symbol: &str, [price, size, time, side]: [Text<'_>; 4], id: &[u8]) -> Result<Trade, Fault> {
    let side = side.bytes();
    RawTrade {
        symbol: Symbol::from(symbol),
        exchange: Exchange::from("kraken"),
        price: price.bytes(),
        size: size.bytes(),
        time: time.bytes(),
        unit: TimeUnit::Detect,
        side: parse_side(side).ok_or_else(|| Fault::unreadable("side", side))?,
        id,
    }
    .build()
}
