//! OKX v5: the channels `trades` and `trades-all`. Knows their fields only.

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
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    inst_id: Cow<'a, str>,
    #[serde(borrow)]
    trade_id: Text<'a>,
    #[serde(borrow)]
    px: Text<'a>,
    #[serde(borrow)]
    sz: Text<'a>,
    #[serde(borrow)]
    side: Text<'a>,
    #[serde(borrow)]
    ts: Text<'a>,
}

/// Decodes a push of a trades channel.
pub(super) fn decode(text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    let push: Push<'_> = serde_json::from_str(text).map_err(shape)?;
    out.extend(push.data.iter().map(trade));
    Ok(MessageOutcome::Trades)
}

fn trade(item: &Item<'_>) -> Result<Trade, Fault> {
    let side = item.side.bytes();
    RawTrade {
        symbol: Symbol::from(&*item.inst_id),
        exchange: Exchange::from("okx"),
        price: item.px.bytes(),
        size: item.sz.bytes(),
        time: item.ts.bytes(),
        unit: TimeUnit::Detect,
        side: parse_side(side).ok_or_else(|| Fault::unreadable("side", side))?,
        id: item.trade_id.bytes(),
    }
    .build()
}
