//! Bitfinex v2: `[channel, "te", [id, time, amount, price]]` and the snapshot behind a subscription. The channel's
//! symbol is known from the message that confirmed the subscription. Knows their fields only.

use candlewick_operators::{Exchange, Side, Symbol, Trade};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{Fault, RawTrade, Text, unquote};
use super::message::{MessageOutcome, Sink, shape};
use super::time::TimeUnit;

/// The confirmation of a subscription to trades.
#[derive(Deserialize)]
pub(super) struct Subscribed<'a> {
    #[serde(rename = "chanId")]
    pub(super) channel: i64,
    #[serde(borrow)]
    pub(super) symbol: Text<'a>,
}

/// Decodes one trade (`te`) or a snapshot of trades for the channel of `symbol`.
pub(super) fn decode(symbol: &str, payload: &RawValue, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    if payload.get().starts_with("[[") {
        let trades: Vec<&RawValue> = serde_json::from_str(payload.get()).map_err(shape)?;
        // A snapshot lists the newest first.
        out.extend(trades.iter().rev().map(|raw| trade(symbol, raw)));
    } else {
        out.push_back(trade(symbol, payload));
    }
    Ok(MessageOutcome::Trades)
}

fn trade(symbol: &str, raw: &RawValue) -> Result<Trade, Fault> {
    let fields: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(shape)?;
    let [id, time, amount, price] = fields[..] else {
        return Err(Fault::Shape("a Bitfinex trade does not have four fields".to_string()));
    };
    let amount = unquote(amount);
    let (side, size) = match amount.strip_prefix('-') {
        Some(size) => (Side::Sell, size),
        None => (Side::Buy, amount),
    };
    RawTrade {
        // `tBTCUSD` is the trading pair BTCUSD.
        symbol: Symbol::from(symbol.strip_prefix('t').unwrap_or(symbol)),
        exchange: Exchange::from("bitfinex"),
        price: unquote(price).as_bytes(),
        size: size.as_bytes(),
        time: unquote(time).as_bytes(),
        unit: TimeUnit::Detect,
        side,
        id: unquote(id).as_bytes(),
    }
    .build()
}
