//! Binance, spot and futures: the events `trade` and `aggTrade`. Knows their fields only.

use std::borrow::Cow;

use candlewick_operators::{Exchange, Side, Symbol, Trade};
use serde::Deserialize;

use super::fields::{Fault, RawTrade, Text};
use super::message::{MessageOutcome, Sink, shape};
use super::time::TimeUnit;

/// Which of the two streams a recording is read from. One that holds both would count every trade twice: the first
/// seen wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Trade,
    AggTrade,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    s: Cow<'a, str>,
    #[serde(borrow)]
    p: Text<'a>,
    #[serde(borrow)]
    q: Text<'a>,
    #[serde(rename = "T", borrow)]
    time: Text<'a>,
    #[serde(borrow, default)]
    t: Option<Text<'a>>,
    #[serde(borrow, default)]
    a: Option<Text<'a>>,
    m: bool,
    /// Futures only: `MARKET`, or what is no trade of the market (`INSURANCE_FUND`, `ADL`, `NA`).
    #[serde(rename = "X", borrow, default)]
    kind: Option<Cow<'a, str>>,
}

/// Decodes an event of one of the two kinds.
pub(super) fn decode(stream: Stream, text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
    let event: Event<'_> = serde_json::from_str(text).map_err(shape)?;
    out.push_back(trade(stream, &event));
    Ok(MessageOutcome::Trades)
}

fn trade(stream: Stream, event: &Event<'_>) -> Result<Trade, Fault> {
    if event.kind.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("MARKET")) {
        return Err(Fault::Kind);
    }
    let id = match stream {
        Stream::Trade => event.t,
        Stream::AggTrade => event.a,
    };
    RawTrade {
        symbol: Symbol::from(&*event.s),
        exchange: Exchange::from("binance"),
        price: event.p.bytes(),
        size: event.q.bytes(),
        time: event.time.bytes(),
        unit: TimeUnit::Detect,
        // The buyer was the maker: the taker sold.
        side: if event.m { Side::Sell } else { Side::Buy },
        id: id.ok_or(Fault::Missing("trade id"))?.bytes(),
    }
    .build()
}
