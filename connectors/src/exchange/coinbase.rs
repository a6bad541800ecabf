//! Coinbase: `match` and `last_match` of the Exchange feed, `market_trades` of Advanced Trade. Both name the maker's
//! side, so the taker's is the other one. Knows their fields only.

use std::borrow::Cow;

use candlewick_operators::{Exchange, Symbol, Trade};
use serde::Deserialize;

use super::fields::{Fault, RawTrade, Text, opposite, parse_side};
use super::message::{MessageOutcome, Sink, shape};
use super::time::TimeUnit;

#[derive(Deserialize)]
struct Match<'a> {
    #[serde(borrow)]
    trade_id: Text<'a>,
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    price: Text<'a>,
    #[serde(borrow)]
    size: Text<'a>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    time: Text<'a>,
}

#[derive(Deserialize)]
struct MarketTrades<'a> {
    #[serde(borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    trades: Vec<Match<'a>>,
}

/// Decodes a `match` or `last_match`.
pub(super) fn decode_match(text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    let found: Match<'_> = serde_json::from_str(text).map_err(shape)?;
    out.push_back(trade(&found));
    Ok(MessageOutcome::Trades)
}

/// Decodes a message of the channel `market_trades`. Each event lists the newest trade first; they are given oldest
/// first.
pub(super) fn decode_market_trades(text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    let found: MarketTrades<'_> = serde_json::from_str(text).map_err(shape)?;
    for event in &found.events {
        out.extend(event.trades.iter().rev().map(trade));
    }
    Ok(MessageOutcome::Trades)
}

fn trade(found: &Match<'_>) -> Result<Trade, Fault> {
    let side = found.side.bytes();
    RawTrade {
        symbol: Symbol::from(&*found.product_id),
        exchange: Exchange::from("coinbase"),
        price: found.price.bytes(),
        size: found.size.bytes(),
        time: found.time.bytes(),
        unit: TimeUnit::Detect,
        side: opposite(parse_side(side).ok_or_else(|| Fault::unreadable("side", side))?),
        id: found.trade_id.bytes(),
    }
    .build()
}
