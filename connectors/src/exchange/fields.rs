//! The parts of a trade as exchanges write them, and how they become a [`Trade`]. Owns the checks that every trade
//! passes, whatever it came from; must not know the shape of any message or file.

use std::fmt;

use candlewick_operators::{Decimal, Exchange, Side, Symbol, Trade};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::time::{TimeUnit, parse_time};

/// Why something is not a trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A field is absent.
    Missing(&'static str),
    /// A field cannot be read.
    Unreadable(&'static str, String),
    /// The price is zero, negative or not a number.
    Price(String),
    /// The text is not what was expected.
    Shape(String),
    /// It is a trade of a kind that is left out, such as an insurance fund's.
    Kind,
}

impl Fault {
    pub(crate) fn unreadable(field: &'static str, text: &[u8]) -> Self {
        Self::Unreadable(field, shown(text))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the {field} is missing"),
            Self::Unreadable(field, text) => write!(f, "the {field} '{text}' cannot be read"),
            Self::Price(text) => write!(f, "the price '{text}' is not a positive number"),
            Self::Shape(reason) => f.write_str(reason),
            Self::Kind => f.write_str("the trade is not of the kind MARKET"),
        }
    }
}

/// At most forty characters of a field, for a sentence.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut cut: String = text.chars().take(40).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// The fields of one trade as text.
#[derive(Clone, Debug)]
pub(crate) struct RawTrade<'a> {
    pub(crate) symbol: Symbol,
    pub(crate) exchange: Exchange,
    pub(crate) price: &'a [u8],
    pub(crate) size: &'a [u8],
    pub(crate) time: &'a [u8],
    pub(crate) unit: TimeUnit,
    pub(crate) side: Side,
    pub(crate) id: &'a [u8],
}

impl RawTrade<'_> {
    /// Reads and checks the fields.
    pub(crate) fn build(self) -> Result<Trade, Fault> {
        let price = decimal(self.price).filter(|price| price.is_positive());
        let price = price.ok_or_else(|| Fault::Price(shown(self.price)))?;
        let size = decimal(self.size).filter(|size| !size.is_negative());
        let size = size.ok_or_else(|| Fault::unreadable("size", self.size))?;
        let timestamp = parse_time(self.time, self.unit)
            .filter(|time| time.0 >= 0)
            .ok_or_else(|| Fault::unreadable("time", self.time))?;
        if self.symbol.as_str().is_empty() {
            return Err(Fault::Missing("symbol"));
        }
        let (side, id) = (self.side, trade_id(self.id));
        Ok(Trade { symbol: self.symbol, exchange: self.exchange, price, size, side, timestamp, id })
    }
}

fn decimal(text: &[u8]) -> Option<Decimal> {
    short_decimal(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
}

/// Numbers of at most eighteen digits without sign and exponent, which is what exchanges write: 64 bits do, and a
/// quarter of the time. `None` leaves the text to the complete parser.
fn short_decimal(text: &[u8]) -> Option<Decimal> {
    const POWERS: [i64; 13] = [
        1,
        10,
        100,
        1_000,
        10_000,
        100_000,
        1_000_000,
        10_000_000,
        100_000_000,
        1_000_000_000,
        10_000_000_000,
        100_000_000_000,
        1_000_000_000_000,
    ];
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let (mut number, mut digits, mut point) = (0_i64, 0_usize, None);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 18 => {
                (number, digits) = (number * 10 + i64::from(byte - b'0'), digits + 1)
            }
            b'.' if point.is_none() => point = Some(digits),
            _ => return None,
        }
    }
    let places = digits - point.unwrap_or(digits);
    if digits == 0 || places > 12 {
        return None;
    }
    Some(Decimal::from_units(i128::from(number) * i128::from(POWERS[12 - places])))
}

/// An exchange's trade id: its number, or for ids that are not numbers a hash (FNV-1a) of their text.
pub(crate) fn trade_id(text: &[u8]) -> i64 {
    let digits = !text.is_empty() && text.len() <= 18 && text.iter().all(u8::is_ascii_digit);
    if digits {
        return text.iter().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    }
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    i64::try_from(hash >> 1).expect("63 bits fit an i64")
}

/// The taker's side from the words that exchanges use for it.
pub(crate) fn parse_side(text: &[u8]) -> Option<Side> {
    match text {
        b"b" | b"B" | b"1" => Some(Side::Buy),
        b"s" | b"S" | b"A" | b"a" | b"-1" => Some(Side::Sell),
        _ if text.eq_ignore_ascii_case(b"buy") || text.eq_ignore_ascii_case(b"bid") => Some(Side::Buy),
        _ if text.eq_ignore_ascii_case(b"sell") || text.eq_ignore_ascii_case(b"ask") => Some(Side::Sell),
        _ => None,
    }
}

/// The other side: some exchanges name the maker's.
pub(super) fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

/// A JSON number or string as the text it was written with, so that no digit is lost.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] &'a RawValue);

impl<'a> Text<'a> {
    /// The text without quotes. Escapes are left as they are: numbers, sides and times have none.
    pub(super) fn bytes(self) -> &'a [u8] {
        unquote(self.0).as_bytes()
    }
}

/// A raw value without its quotes.
pub(super) fn unquote(value: &RawValue) -> &str {
    let text = value.get();
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_parser_agrees_with_the_complete_one(text in "[0-9]{0,12}\\.?[0-9]{0,9}") {
            if let Some(number) = short_decimal(text.as_bytes()) {
                prop_assert_eq!(Ok(number), text.parse::<Decimal>());
            }
        }
    }

    #[test]
    fn numbers_beyond_64_bits_are_left_to_the_complete_parser() {
        assert_eq!(short_decimal(b"9300000000000000000"), None);
        assert_eq!(short_decimal(b"999999999999999999"), "999999999999999999".parse().ok());
    }

    #[test]
    fn ids_that_are_numbers_keep_them_and_others_are_hashed_apart() {
        assert_eq!(trade_id(b"0012"), 12);
        assert_eq!(trade_id(b"999999999999999999"), 999_999_999_999_999_999);
        let (one, two) = (trade_id(b"d9cd8295-40dc"), trade_id(b"d9cd8295-40dd"));
        assert!(one > 0 && two > 0 && one != two);
    }

    #[test]
    fn sides_are_read_in_the_words_of_every_exchange() {
        for word in ["buy", "BUY", "Buy", "b", "bid"] {
            assert_eq!(parse_side(word.as_bytes()), Some(Side::Buy), "{word}");
        }
        for word in ["sell", "SELL", "Sell", "s", "ask"] {
            assert_eq!(parse_side(word.as_bytes()), Some(Side::Sell), "{word}");
        }
        assert_eq!(parse_side(b"hold"), None);
    }
}
