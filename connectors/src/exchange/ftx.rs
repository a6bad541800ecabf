//! FTX, of which recordings remain: the channel `trades`. Knows its fields only.

use std::borrow::Cow;

use candlewick_operators::{Exchange, Symbol, Trade};
use serde::Deserialize;

use super::fields::{Fault, RawTrade, Text, parse_side};
use super::message::{MessageOutcome, Sink, shape};
use super::time::TimeUnit;

#[derive(Deserialize)]
struct Update<'a> {
    #[serde(borrow)]
    market: Cow<'a, str>,
    #[serde(borrow)]
    data: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    price: Text<'a>,
    #[serde(borrow)]
    size: Text<'a>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    time: Text<'a>,
}

/// Decodes an update of the channel `trades`.
pub(super) fn decode(text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    let update: Update<'_> = serde_json::from_str(text).map_err(shape)?;
    out.extend(update.data.iter().map(|item| trade(&update.market, item)));
    Ok(MessageOutcome::Trades)
}

fn trade(market: &str, item: &Item<'_>) -> Result<Trade, Fault> {
    let side = item.side.bytes();
    RawTrade {
        symbol: Symbol::from(market),
        exchange: Exchange::from("ftx"),
        price: item.price.bytes(),
        size: item.size.bytes(),
        time: item.time.bytes(),
        unit: TimeUnit::Detect,
        side: parse_side(side).ok_or_else(|| Fault::unreadable("side", side))?,
        id: item.id.bytes(),
    }
    .build()
}
