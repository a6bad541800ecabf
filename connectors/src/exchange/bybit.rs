//! Bybit v5: the topic `publicTrade.<symbol>`. Knows its fields only.

use std::borrow::Cow;

use candlewick_operators::{Exchange, Symbol, Trade};
use serde::Deserialize;

use super::fields::{Fault, RawTrade, Text, parse_side};
use super::message::{MessageOutcome, Sink, shape};
use super::time::TimeUnit;

#[derive(Deserialize)]
struct Push<'a> {
    #[serde(borrow)]
    data: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "T", borrow)]
    time: Text<'a>,
    #[serde(borrow)]
    s: Cow<'a, str>,
    #[serde(rename = "S", borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    v: Text<'a>,
    #[serde(borrow)]
    p: Text<'a>,
    #[serde(borrow)]
    i: Text<'a>,
}

/// Decodes a push of the topic `publicTrade`.
pub(super) fn decode(text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    let push: Push<'_> = serde_json::from_str(text).map_err(shape)?;
    out.extend(push.data.iter().map(trade));
    Ok(MessageOutcome::Trades)
}

fn trade(item: &Item<'_>) -> Result<Trade, Fault> {
    let side = item.side.bytes();
    RawTrade {
        symbol: Symbol::from(&*item.s),
        exchange: Exchange::from("bybit"),
        price: item.p.bytes(),
        size: item.v.bytes(),
        time: item.time.bytes(),
        unit: TimeUnit::Detect,
        side: parse_side(side).ok_or_else(|| Fault::unreadable("side", side))?,
        id: item.i.bytes(),
    }
    .build()
}
