//! One trade as an exchange reports it, and what makes it acceptable. Knows decimals and names; must not know candles,
//! feeds or formats.

use std::fmt;
use std::str::FromStr;

use candlewick::Timestamp;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{Decimal, DecimalError, Exchange, Symbol};

/// Which side the taker (the one who did not wait in the book) was on.
///
/// ```
/// use candlewick_operators::Side;
/// assert_eq!("SELL".parse::<Side>()?, Side::Sell);
/// assert_eq!(Side::Buy.to_string(), "buy");
/// # Ok::<(), candlewick_operators::TradeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

/// One trade.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_operators::{Side, Trade};
/// let trade = Trade {
///     exchange: "simulated".into(),
///     symbol: "BTC-USD".into(),
///     price: "0".parse()?,
///     size: "0.25".parse()?,
///     side: Side::Buy,
///     timestamp: Timestamp(1_700_000_000_000),
///     id: 1,
/// };
/// assert!(trade.checked().is_err());
/// # Ok::<(), candlewick_operators::DecimalError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trade {
    /// Where it was traded.
    pub exchange: Exchange,
    /// What was traded.
    pub symbol: Symbol,
    /// Quote units per base unit; above zero.
    pub price: Decimal,
    /// Base units; zero or more.
    pub size: Decimal,
    /// The taker's side.
    pub side: Side,
    /// When it was traded, by the exchange's clock.
    #[serde(with = "unix_millis")]
    pub timestamp: Timestamp,
    /// The exchange's own number of the trade; unique per exchange and symbol.
    pub id: i64,
}

/// Why a trade is refused.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_operators::*};
/// # let trade = Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ZERO, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(0), id: 7 };
/// // Of a trade without a price:
/// let error: TradeError = trade.checked().expect_err("a price is above zero");
/// assert_eq!(error.to_string(), "trade 7 of BTC-USD has the price 0: a price is above zero");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TradeError {
    /// The price is zero or negative.
    #[error("trade {id} of {symbol} has the price {price}: a price is above zero")]
    Price {
        /// What was traded.
        symbol: Symbol,
        /// The trade.
        id: i64,
        /// Its price.
        price: Decimal,
    },
    /// The size is negative.
    #[error(
        "trade {id} of {symbol} has the size {size}: a size is zero or more, and the side says who bought"
    )]
    Size {
        /// What was traded.
        symbol: Symbol,
        /// The trade.
        id: i64,
        /// Its size.
        size: Decimal,
    },
    /// The time is before 1970.
    #[error("trade {id} of {symbol} has the time {timestamp}: a time is in milliseconds since 1970")]
    Time {
        /// What was traded.
        symbol: Symbol,
        /// The trade.
        id: i64,
        /// Its time.
        timestamp: Timestamp,
    },
    /// The symbol is empty.
    #[error("trade {id} names no symbol")]
    NoSymbol {
        /// The trade.
        id: i64,
    },
    /// The side is neither.
    #[error("`{text}` is not a side: write buy or sell")]
    Side {
        /// What was read.
        text: CompactString,
    },
    /// A price or size is not a decimal.
    #[error(transparent)]
    Decimal(#[from] DecimalError),
}

impl Trade {
    /// This trade, if it is acceptable: price above zero, size not below, time not before 1970, a symbol.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ZERO, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(0), id: 7 };
    /// // Of a trade without a price:
    /// assert!(trade.clone().checked().is_err());
    /// assert!(Trade { price: Decimal::ONE, ..trade }.checked().is_ok());
    /// ```
    ///
    /// # Errors
    /// When it is not; the sentence names the trade.
    pub fn checked(self) -> Result<Self, TradeError> {
        if self.price.is_positive()
            && !self.size.is_negative()
            && self.timestamp.as_millis() >= 0
            && !self.symbol.as_str().is_empty()
        {
            return Ok(self);
        }
        Err(self.fault())
    }

    #[cold]
    fn fault(self) -> TradeError {
        let Self { symbol, id, price, size, timestamp, .. } = self;
        if symbol.as_str().is_empty() {
            TradeError::NoSymbol { id }
        } else if !price.is_positive() {
            TradeError::Price { symbol, id, price }
        } else if size.is_negative() {
            TradeError::Size { symbol, id, size }
        } else {
            TradeError::Time { symbol, id, timestamp }
        }
    }
}

impl FromStr for Side {
    type Err = TradeError;

    /// Reads `buy`, `sell`, `b` and `s` in either case.
    fn from_str(text: &str) -> Result<Self, TradeError> {
        for (side, names) in [(Self::Buy, ["buy", "b"]), (Self::Sell, ["sell", "s"])] {
            if names.iter().any(|name| text.eq_ignore_ascii_case(name)) {
                return Ok(side);
            }
        }
        Err(TradeError::Side { text: text.chars().take(24).collect() })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        })
    }
}

/// Timestamps in serde's formats: whole milliseconds.
pub(crate) mod unix_millis {
    use candlewick::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(timestamp.as_millis())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade() -> Trade {
        Trade {
            exchange: "simulated".into(),
            symbol: "BTC-USD".into(),
            price: Decimal::ONE,
            size: Decimal::ZERO,
            side: Side::Sell,
            timestamp: Timestamp(0),
            id: 7,
        }
    }

    #[test]
    fn trade_at_the_bounds_is_accepted() {
        assert_eq!(trade().checked(), Ok(trade()));
    }

    #[test]
    fn each_fault_is_named_with_its_trade() {
        let minus = Decimal::from_int(-1);
        for (fault, words) in [
            (Trade { price: Decimal::ZERO, ..trade() }, "price 0"),
            (Trade { price: minus, ..trade() }, "price -1"),
            (Trade { size: minus, ..trade() }, "size -1"),
            (Trade { timestamp: Timestamp(-5), ..trade() }, "time -5"),
            (Trade { symbol: "".into(), ..trade() }, "no symbol"),
        ] {
            let sentence = fault.checked().expect_err("refused").to_string();
            assert!(sentence.contains(words) && sentence.contains("trade 7"), "{sentence}");
        }
    }

    #[test]
    fn trade_survives_json() {
        let text = serde_json::to_string(&trade()).expect("text");
        assert_eq!(serde_json::from_str::<Trade>(&text).expect("a trade"), trade());
    }
}
