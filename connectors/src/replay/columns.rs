//! Which column of a CSV file is what: by the names in its first line, or by the shape of its first row. Owns the table
//! of names; must not read rows.

use crate::exchange::time::{TimeUnit, parse_time};

/// Fields of a row beyond this many are not looked at.
pub(super) const FIELDS_MAX: usize = 64;

/// How a row tells the taker's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SideColumn {
    /// In words, of the taker.
    Taker(usize),
    /// Whether the buyer was the maker.
    BuyerMaker(usize),
    /// Not at all.
    None,
}

/// Where the fields of a trade stand in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) delimiter: u8,
    pub(super) time: usize,
    pub(super) unit: TimeUnit,
    pub(super) price: usize,
    pub(super) size: usize,
    pub(super) side: SideColumn,
    pub(super) id: Option<usize>,
    pub(super) symbol: Option<usize>,
    pub(super) exchange: Option<usize>,
    pub(super) kind: Option<usize>,
}

/// Accepted names of times, best first. Names are compared without case, spaces, hyphens and underscores.
const TIMES: [(&str, TimeUnit); 22] = [
    ("tsms", TimeUnit::Millis),
    ("tsus", TimeUnit::Micros),
    ("tsns", TimeUnit::Nanos),
    ("ts", TimeUnit::Detect),
    ("timestampms", TimeUnit::Millis),
    ("timestampus", TimeUnit::Micros),
    ("timestampns", TimeUnit::Nanos),
    ("timestamp", TimeUnit::Detect),
    ("timems", TimeUnit::Millis),
    ("timeus", TimeUnit::Micros),
    ("timens", TimeUnit::Nanos),
    ("time", TimeUnit::Detect),
    ("tradetimems", TimeUnit::Millis),
    ("tradetime", TimeUnit::Detect),
    ("tradets", TimeUnit::Detect),
    ("transacttime", TimeUnit::Detect),
    ("tradetimestamp", TimeUnit::Detect),
    ("eventtime", TimeUnit::Detect),
    ("unixtime", TimeUnit::Detect),
    ("datetime", TimeUnit::Detect),
    ("date", TimeUnit::Detect),
    ("t", TimeUnit::Detect),
];

const PRICES: [&str; 5] = ["price", "px", "p", "tradeprice", "rate"];
const SIZES: [&str; 13] = [
    "size",
    "qty",
    "quantity",
    "amount",
    "volume",
    "baseqty",
    "quantitybase",
    "sz",
    "q",
    "vol",
    "lastqty",
    "basevolume",
    "baseamount",
];
const TAKERS: [&str; 7] =
    ["side", "takerside", "tradeside", "aggressorside", "aggressor", "direction", "takerorderside"];
const BUYER_MAKERS: [&str; 4] = ["isbuyermaker", "buyermaker", "wasthebuyerthemaker", "m"];
const IDS: [&str; 8] =
    ["tradeid", "id", "a", "aggtradeid", "tid", "trdmatchid", "execid", "aggregatetradeid"];
const SYMBOLS: [&str; 6] = ["symbol", "pair", "market", "productid", "instrument", "instid"];
const EXCHANGES: [&str; 3] = ["exchange", "venue", "source"];
const KINDS: [&str; 4] = ["kind", "tradekind", "tradetype", "typeoftrade"];

/// Names of columns that hold a whole message.
const MESSAGES: [&str; 6] = ["json", "msg", "message", "raw", "payload", "data"];

impl Columns {
    /// One past the last column that is needed.
    pub(super) fn width(&self) -> usize {
        let side = match self.side {
            SideColumn::Taker(at) | SideColumn::BuyerMaker(at) => Some(at),
            SideColumn::None => None,
        };
        let optional = [side, self.id, self.symbol, self.exchange, self.kind];
        let last = optional.into_iter().flatten().max().unwrap_or(0);
        last.max(self.time).max(self.price).max(self.size) + 1
    }

    /// Reads the names of a first line; `Err` says what is missing.
    pub(super) fn from_header(header: &[&[u8]], delimiter: u8) -> Result<Self, String> {
        let names: Vec<String> = header.iter().map(|name| normal(name)).collect();
        let find = |known: &[&str]| known.iter().find_map(|name| names.iter().position(|own| own == name));
        let time = TIMES
            .iter()
            .find_map(|(name, unit)| names.iter().position(|own| own == name).map(|at| (at, *unit)));
        let (time, unit) = time.ok_or_else(|| missing("time", "ts_ms", header))?;
        let side = match (find(&TAKERS), find(&BUYER_MAKERS), find(&["type"])) {
            (Some(at), _, _) => SideColumn::Taker(at),
            (None, Some(at), _) => SideColumn::BuyerMaker(at),
            (None, None, Some(at)) => SideColumn::Taker(at),
            (None, None, None) => SideColumn::None,
        };
        Ok(Self {
            delimiter,
            time,
            unit,
            price: find(&PRICES).ok_or_else(|| missing("price", "price", header))?,
            size: find(&SIZES).ok_or_else(|| missing("size", "size", header))?,
            side,
            id: find(&IDS),
            symbol: find(&SYMBOLS),
            exchange: find(&EXCHANGES),
            kind: find(&KINDS),
        })
    }

    /// Known files without names: Binance's `aggTrades` and `trades`, Kraken's `price,volume,time…` and the
    /// `time,price,volume` of its archive.
    pub(super) fn from_row(row: &[&[u8]], delimiter: u8) -> Option<Self> {
        let is_time = |at: usize| {
            let text = row.get(at)?;
            // A billion seconds is 2001: no price or size is taken for a time.
            let late = parse_time(text, TimeUnit::Detect)?.0 >= 1_000_000_000_000;
            late.then_some(())
        };
        let is_bool = |at: usize| row.get(at).is_some_and(|text| parse_bool(text).is_some());
        let known = |time, price, size, side, id| Self {
            delimiter,
            time,
            unit: TimeUnit::Detect,
            price,
            size,
            side,
            id,
            symbol: None,
            exchange: None,
            kind: None,
        };
        match row.len() {
            7 | 8 if is_time(5).is_some() && is_bool(6) => {
                Some(known(5, 1, 2, SideColumn::BuyerMaker(6), Some(0)))
            }
            6 | 7 if is_time(4).is_some() && is_bool(5) => {
                Some(known(4, 1, 2, SideColumn::BuyerMaker(5), Some(0)))
            }
            5..=7 if is_time(2).is_some() && matches!(row[3], b"b" | b"s") => {
                Some(known(2, 0, 1, SideColumn::Taker(3), (row.len() == 7).then_some(6)))
            }
            3 if is_time(0).is_some() => Some(known(0, 1, 2, SideColumn::None, None)),
            3 if is_time(2).is_some() => Some(known(2, 0, 1, SideColumn::None, None)),
            _ => None,
        }
    }
}

/// The column that holds a whole message, in a file that names no price.
pub(super) fn message_column(header: &[&[u8]]) -> Option<usize> {
    let names: Vec<String> = header.iter().map(|name| normal(name)).collect();
    MESSAGES.iter().find_map(|name| names.iter().position(|own| own == name))
}

/// Whether a line names columns: its fields are words and one of them is known.
pub(super) fn is_header(row: &[&[u8]]) -> bool {
    let known = |name: &str| {
        TIMES.iter().any(|(time, _)| *time == name)
            || [&PRICES[..], &SIZES[..], &MESSAGES[..]].iter().any(|names| names.contains(&name))
    };
    row.iter().any(|field| known(&normal(field)))
}

pub(super) fn parse_bool(text: &[u8]) -> Option<bool> {
    match text {
        b"true" | b"True" | b"TRUE" | b"t" | b"1" => Some(true),
        b"false" | b"False" | b"FALSE" | b"f" | b"0" => Some(false),
        _ => None,
    }
}

fn normal(name: &[u8]) -> String {
    let name = name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name);
    let letters = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
    letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

fn missing(what: &str, example: &str, header: &[&[u8]]) -> String {
    let names: Vec<_> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    format!("no column for the {what} (such as '{example}') among '{}'", names.join(","))
}
