//! Which exchange a message comes from and whether it holds trades, told by its shape. Owns the choice of the codec and
//! what must be remembered between messages; must not know the fields of a trade.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use candlewick_operators::Trade;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{Fault, unquote};
use super::{binance, bitfinex, bybit, coinbase, ftx, kraken, okx};

/// Where decoded trades go: a trade, or why one part of the message is none.
pub(super) type Sink<'a> = &'a mut VecDeque<Result<Trade, Fault>>;

/// A recording may wrap a message in a message, not much deeper.
const WRAPPERS_MAX: u8 = 4;

/// What a message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageOutcome {
    /// It held trades (or what failed the checks for one).
    Trades,
    /// It is well-formed JSON of another kind: a subscription, a heartbeat, a book.
    Other,
}

/// Decodes messages of the public trade channels of Binance, Coinbase, Kraken, Bitfinex, FTX, Bybit and OKX.
#[derive(Debug, Default)]
pub(crate) struct MessageDecoder {
    /// Bitfinex names a channel's symbol only once.
    channels: BTreeMap<i64, String>,
    stream: Option<binance::Stream>,
}

#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(borrow, default)]
    e: Option<&'a RawValue>,
    #[serde(borrow, default)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    channel: Option<&'a RawValue>,
    #[serde(borrow, default)]
    market: Option<&'a RawValue>,
    #[serde(borrow, default)]
    topic: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arg: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    msg: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    json: Option<&'a RawValue>,
    #[serde(borrow, default)]
    raw: Option<&'a RawValue>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OkxArg<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
}

impl MessageDecoder {
    /// Decodes the trades of one message.
    pub(crate) fn decode(&mut self, text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
        self.nested(text.trim(), out, 0)
    }

    fn nested(&mut self, text: &str, out: Sink<'_>, depth: u8) -> Result<MessageOutcome, Fault> {
        if text.starts_with('[') {
            return self.array(text, out);
        }
        let probe: Probe<'_> = serde_json::from_str(text).map_err(shape)?;
        let kind = word(probe.r#type);
        match (word(probe.e), word(probe.channel), kind) {
            ("trade", _, _) => return self.binance(binance::Stream::Trade, text, out),
            ("aggTrade", _, _) => return self.binance(binance::Stream::AggTrade, text, out),
            (_, _, "match" | "last_match") => return coinbase::decode_match(text, out),
            (_, "market_trades", _) => return coinbase::decode_market_trades(text, out),
            (_, "trade", "update" | "snapshot") => return kraken::decode_v2(text, out),
            (_, "trades", "update" | "partial") if probe.market.is_some() => return ftx::decode(text, out),
            (_, "trades", _) if word(probe.event) == "subscribed" => return self.subscribed(text),
            _ => {}
        }
        if word(probe.topic).starts_with("publicTrade.") && probe.data.is_some() {
            return bybit::decode(text, out);
        }
        if let (Some(arg), Some(_)) = (probe.arg, probe.data)
            && let Ok(arg) = serde_json::from_str::<OkxArg<'_>>(arg.get())
            && matches!(&*arg.channel, "trades" | "trades-all")
        {
            return okx::decode(text, out);
        }
        self.wrapped(&probe, out, depth)
    }

    /// A recorder's envelope, or Binance's combined stream.
    fn wrapped(&mut self, probe: &Probe<'_>, out: Sink<'_>, depth: u8) -> Result<MessageOutcome, Fault> {
        let inner = [probe.msg, probe.message, probe.json, probe.raw, probe.payload, probe.data];
        for value in inner.into_iter().flatten().filter(|_| depth < WRAPPERS_MAX) {
            let text: Cow<'_, str> = match value.get().as_bytes().first() {
                Some(b'{' | b'[') => Cow::Borrowed(value.get()),
                Some(b'"') => serde_json::from_str::<Text<'_>>(value.get()).map_err(shape)?.0,
                _ => continue,
            };
            if text.trim_start().starts_with(['{', '[']) {
                return self.nested(text.trim(), out, depth + 1);
            }
        }
        Ok(MessageOutcome::Other)
    }

    fn binance(
        &mut self,
        stream: binance::Stream,
        text: &str,
        out: Sink<'_>,
    ) -> Result<MessageOutcome, Fault> {
        if *self.stream.get_or_insert(stream) != stream {
            return Ok(MessageOutcome::Other);
        }
        binance::decode(stream, text, out)
    }

    fn subscribed(&mut self, text: &str) -> Result<MessageOutcome, Fault> {
        let found: bitfinex::Subscribed<'_> = serde_json::from_str(text).map_err(shape)?;
        let symbol = String::from_utf8_lossy(found.symbol.bytes()).into_owned();
        self.channels.insert(found.channel, symbol);
        Ok(MessageOutcome::Other)
    }

    fn array(&mut self, text: &str, out: Sink<'_>) -> Result<MessageOutcome, Fault> {
        let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(shape)?;
        if let [_, trades, name, pair] = parts[..]
            && unquote(name) == "trade"
        {
            return kraken::decode_v1(trades, pair, out);
        }
        let channel = parts.first().and_then(|id| id.get().parse().ok());
        let Some(symbol) = channel.and_then(|id: i64| self.channels.get(&id)) else {
            return Ok(MessageOutcome::Other);
        };
        match parts[1..] {
            [name, payload, ..] if unquote(name) == "te" => bitfinex::decode(symbol, payload, out),
            [payload] if payload.get().starts_with("[[") => bitfinex::decode(symbol, payload, out),
            _ => Ok(MessageOutcome::Other),
        }
    }
}

/// A string that may hold escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn word(value: Option<&RawValue>) -> &str {
    value.map_or("", unquote)
}

/// A JSON error as a fault.
pub(super) fn shape(error: serde_json::Error) -> Fault {
    Fault::Shape(format!("it is not the JSON of a trade message ({error})"))
}
