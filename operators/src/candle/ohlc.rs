//! The candle itself: open, high, low, close, volumes and counts over the trades of one window. Knows trades and
//! decimals; must not know windows, keys or how candles are kept.

use candlewick::Timestamp;
use serde::{Deserialize, Serialize};

use crate::trade::unix_millis;
use crate::{Decimal, DecimalError, Product, Side, Trade};

/// What a window of trades comes to. [`Candle::default`] is the empty candle, from which an aggregation starts.
///
/// Open and close are the first and last trade *by event time*, whatever the order of arrival; of trades with the same
/// time, the first to arrive opens and the last to arrive closes. All amounts are exact.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_operators::{Candle, Decimal, Side, Trade};
/// let trade = |ms, price: &str| -> Result<Trade, candlewick_operators::DecimalError> {
///     Ok(Trade {
///         exchange: "simulated".into(),
///         symbol: "BTC-USD".into(),
///         price: price.parse()?,
///         size: "0.5".parse()?,
///         side: Side::Buy,
///         timestamp: Timestamp(ms),
///         id: ms,
///     })
/// };
/// let mut candle = Candle::default();
/// candle.add_trade(&trade(2_000, "101")?)?;
/// candle.add_trade(&trade(1_000, "100")?)?; // late, and yet the open
/// assert_eq!((candle.open, candle.close), (Decimal::from_int(100), Decimal::from_int(101)));
/// assert_eq!(candle.vwap(), Some("100.5".parse()?));
/// # Ok::<(), candlewick_operators::DecimalError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Candle {
    /// Price of the first trade by event time; zero in the empty candle.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Price of the last trade by event time.
    pub close: Decimal,
    /// Base units traded.
    pub volume: Decimal,
    /// Base units that takers bought.
    pub taker_buy_volume: Decimal,
    /// Quote units traded: the exact sum of price × size.
    pub quote_volume: Product,
    /// Quote units that takers paid for what they bought; `None` where the source of the candle does not say.
    pub taker_buy_quote: Option<Product>,
    /// Number of trades.
    pub trades: u64,
    /// Event time of the first trade; [`Timestamp::UNKNOWN`] without trades.
    #[serde(with = "unix_millis")]
    pub first_time: Timestamp,
    /// Event time of the last trade; [`Timestamp::UNKNOWN`] without trades.
    #[serde(with = "unix_millis")]
    pub last_time: Timestamp,
}

impl Default for Candle {
    fn default() -> Self {
        Self::carried(Decimal::ZERO)
    }
}

impl Candle {
    /// A candle without trades that stands at `price`: what an exchange shows for a minute in which nobody traded.
    ///
    /// ```
    /// use candlewick_operators::{Candle, Decimal};
    /// let quiet = Candle::carried(Decimal::from_int(100));
    /// assert_eq!((quiet.high, quiet.trades), (Decimal::from_int(100), 0));
    /// ```
    #[must_use]
    pub const fn carried(price: Decimal) -> Self {
        Self {
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Decimal::ZERO,
            taker_buy_volume: Decimal::ZERO,
            quote_volume: Product::ZERO,
            taker_buy_quote: Some(Product::ZERO),
            trades: 0,
            first_time: Timestamp::UNKNOWN,
            last_time: Timestamp::UNKNOWN,
        }
    }

    /// Whether this is the empty candle: no trade and no price carried into it.
    ///
    /// ```
    /// use candlewick_operators::{Candle, Decimal};
    /// assert!(Candle::default().is_empty());
    /// assert!(!Candle::carried(Decimal::from_int(100)).is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.trades == 0 && self.close.is_zero()
    }

    /// Takes one trade in.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |price, side| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::from_int(price), size: Decimal::ONE, side, timestamp: Timestamp(0), id: 1 };
    /// let mut candle = Candle::default();
    /// candle.add_trade(&trade(100, Side::Buy))?;
    /// assert_eq!((candle.trades, candle.high), (1, Decimal::from_int(100)));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    ///
    /// # Errors
    /// When a volume would leave the range of a decimal; the candle is then as it was.
    #[inline]
    pub fn add_trade(&mut self, trade: &Trade) -> Result<(), DecimalError> {
        let turnover = trade.price.product(trade.size)?;
        let volume = self.volume.try_add(trade.size)?;
        let quote_volume = self.quote_volume.try_add(turnover)?;
        if trade.side == Side::Buy {
            let taker_buy_quote = self.taker_buy_quote.map(|sum| sum.try_add(turnover)).transpose()?;
            // A part of a sum that has passed: it cannot leave the range.
            self.taker_buy_volume = self.taker_buy_volume.try_add(trade.size)?;
            self.taker_buy_quote = taker_buy_quote;
        }
        self.volume = volume;
        self.quote_volume = quote_volume;
        let (price, time) = (trade.price, trade.timestamp);
        if self.trades == 0 {
            (self.open, self.high, self.low, self.close) = (price, price, price, price);
            (self.first_time, self.last_time) = (time, time);
        } else {
            self.high = self.high.max(price);
            self.low = self.low.min(price);
            if time < self.first_time {
                (self.open, self.first_time) = (price, time);
            }
            if time >= self.last_time {
                (self.close, self.last_time) = (price, time);
            }
        }
        self.trades += 1;
        Ok(())
    }

    /// Takes in a candle of another part of the same window: a finer one, or another task's share.
    ///
    /// Merging is associative; of equal times, `self` counts as the earlier arrival. A candle without trades adds
    /// nothing to one with trades; of two without, the later carried price stands.
    ///
    /// # Errors
    /// When a volume would leave the range of a decimal; the candle is then as it was.
    ///
    /// ```
    /// use candlewick_operators::{Candle, Decimal};
    /// let mut hour = Candle::default();
    /// hour.merge(&Candle::carried(Decimal::from_int(7)))?;
    /// assert_eq!(hour, Candle::carried(Decimal::from_int(7)));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    pub fn merge(&mut self, later: &Self) -> Result<(), DecimalError> {
        if later.trades == 0 {
            if self.trades == 0 && !later.is_empty() {
                *self = *later;
            }
            return Ok(());
        }
        if self.trades == 0 {
            *self = *later;
            return Ok(());
        }
        let volume = self.volume.try_add(later.volume)?;
        let taker_buy_volume = self.taker_buy_volume.try_add(later.taker_buy_volume)?;
        let quote_volume = self.quote_volume.try_add(later.quote_volume)?;
        let taker_buy_quote = match (self.taker_buy_quote, later.taker_buy_quote) {
            (Some(ours), Some(theirs)) => Some(ours.try_add(theirs)?),
            _ => None,
        };
        (self.volume, self.taker_buy_volume) = (volume, taker_buy_volume);
        (self.quote_volume, self.taker_buy_quote) = (quote_volume, taker_buy_quote);
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        if later.first_time < self.first_time {
            (self.open, self.first_time) = (later.open, later.first_time);
        }
        if later.last_time >= self.last_time {
            (self.close, self.last_time) = (later.close, later.last_time);
        }
        self.trades = self.trades.saturating_add(later.trades);
        Ok(())
    }

    /// The volume-weighted average price, rounded half to even at twelve places; `None` when nothing was traded.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |price, side| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::from_int(price), size: Decimal::ONE, side, timestamp: Timestamp(0), id: 1 };
    /// let mut candle = Candle::default();
    /// assert_eq!(candle.vwap(), None);
    /// candle.add_trade(&trade(100, Side::Buy))?;
    /// candle.add_trade(&trade(101, Side::Sell))?;
    /// assert_eq!(candle.vwap(), Some("100.5".parse()?));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub fn vwap(&self) -> Option<Decimal> {
        self.quote_volume.round().and_then(|quote| quote.try_div(self.volume)).ok()
    }

    /// Base units that takers sold.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |price, side| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::from_int(price), size: Decimal::ONE, side, timestamp: Timestamp(0), id: 1 };
    /// let mut candle = Candle::default();
    /// candle.add_trade(&trade(100, Side::Buy))?;
    /// candle.add_trade(&trade(101, Side::Sell))?;
    /// assert_eq!((candle.volume, candle.taker_sell_volume()), (Decimal::from_int(2), Decimal::ONE));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub fn taker_sell_volume(&self) -> Decimal {
        self.volume.try_sub(self.taker_buy_volume).unwrap_or(Decimal::ZERO)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn trade(ms: i64, price: i64, size: i64) -> Trade {
        Trade {
            exchange: "simulated".into(),
            symbol: "BTC-USD".into(),
            price: Decimal::from_int(price),
            size: Decimal::from_units(i128::from(size) * 10_000_000),
            side: if (price + size) % 2 == 0 { Side::Buy } else { Side::Sell },
            timestamp: Timestamp(ms),
            id: ms,
        }
    }

    fn candle(trades: &[Trade]) -> Candle {
        let mut candle = Candle::default();
        trades.iter().for_each(|trade| candle.add_trade(trade).expect("in range"));
        candle
    }

    fn merged(candles: &[Candle]) -> Candle {
        let mut merged = Candle::default();
        candles.iter().for_each(|candle| merged.merge(candle).expect("in range"));
        merged
    }

    fn trades() -> impl Strategy<Value = Vec<Trade>> {
        prop::collection::vec((0_i64..6, 1_i64..50, 0_i64..1_000).prop_map(|(t, p, s)| trade(t, p, s)), 0..40)
    }

    proptest! {
        #[test]
        fn candle_equals_a_recount_over_sorted_trades(trades in trades()) {
            let mut sorted = trades.clone();
            sorted.sort_by_key(|trade| trade.timestamp); // stable: ties stay in order of arrival
            let candle = candle(&trades);
            let sum = |side: Option<Side>, amount: fn(&Trade) -> i128| -> i128 {
                trades.iter().filter(|t| side.is_none_or(|side| t.side == side)).map(amount).sum()
            };
            let turnover = |t: &Trade| t.price.units() / Decimal::ONE.units() * t.size.units();
            prop_assert_eq!(candle.trades, trades.len() as u64);
            prop_assert_eq!(candle.volume.units(), sum(None, |t| t.size.units()));
            prop_assert_eq!(candle.taker_buy_volume.units(), sum(Some(Side::Buy), |t| t.size.units()));
            prop_assert_eq!(candle.quote_volume.round().expect("in range").units(), sum(None, turnover));
            let taker = candle.taker_buy_quote.expect("known from trades");
            prop_assert_eq!(taker.round().expect("in range").units(), sum(Some(Side::Buy), turnover));
            if let (Some(first), Some(last)) = (sorted.first(), sorted.last()) {
                prop_assert_eq!((candle.open, candle.close), (first.price, last.price));
                prop_assert_eq!((candle.first_time, candle.last_time), (first.timestamp, last.timestamp));
                prop_assert_eq!(Some(candle.high), trades.iter().map(|t| t.price).max());
                prop_assert_eq!(Some(candle.low), trades.iter().map(|t| t.price).min());
            } else {
                prop_assert!(candle.is_empty());
            }
        }

        #[test]
        fn merging_parts_equals_the_whole(trades in trades(), cut in 0_usize..40) {
            let cut = cut.min(trades.len());
            let parts = [candle(&trades[..cut]), candle(&trades[cut..])];
            prop_assert_eq!(merged(&parts), candle(&trades));
        }

        #[test]
        fn merging_is_associative(parts in prop::collection::vec(
            prop_oneof![
                trades().prop_map(|trades| candle(&trades)),
                (1_i64..50).prop_map(|price| Candle::carried(Decimal::from_int(price))),
                trades().prop_map(|trades| Candle { taker_buy_quote: None, ..candle(&trades) }),
            ], 3..4
        )) {
            let left = merged(&[merged(&parts[..2]), parts[2]]);
            let right = merged(&[parts[0], merged(&parts[1..])]);
            prop_assert_eq!(left, right);
        }
    }

    #[test]
    fn overflow_leaves_the_candle_as_it_was() {
        let mut candle = candle(&[trade(1, 2, 3)]);
        let before = candle;
        let huge = Trade { size: Decimal::MAX, price: Decimal::ONE, ..trade(2, 1, 1) };
        assert!(candle.add_trade(&huge).is_err());
        let other = Candle { volume: Decimal::MAX, ..before };
        assert!(candle.merge(&other).is_err());
        assert_eq!(candle, before);
    }

    /// Sizes and prices come as doubles, as from an Avro record; their doubles' sums would have drifted.
    #[test]
    fn a_million_trades_sum_without_drift() {
        let (mut candle, mut hundredths, mut turnover) = (Candle::default(), 0_i128, 0_i128);
        for at in 0..1_000_000_i32 {
            let (size, price) = (at % 9_973, 4_200_000 + at % 313);
            let decimal = |hundredths| Decimal::from_f64(f64::from(hundredths) / 100.0).expect("two places");
            let trade = Trade { size: decimal(size), price: decimal(price), ..trade(at.into(), 1, 1) };
            candle.add_trade(&trade).expect("in range");
            hundredths += i128::from(size);
            turnover += i128::from(size) * i128::from(price);
        }
        assert_eq!(candle.volume.units(), hundredths * 10_000_000_000);
        assert_eq!(candle.quote_volume, Product::from(Decimal::from_units(turnover * 100_000_000)));
    }

    #[test]
    fn vwap_is_turnover_over_volume_and_absent_without_volume() {
        assert_eq!(Candle::default().vwap(), None);
        assert_eq!(candle(&[trade(1, 10, 1), trade(2, 20, 3)]).vwap(), "17.5".parse().ok());
        assert_eq!(candle(&[trade(1, 10, 0)]).vwap(), None);
    }

    #[test]
    fn candle_survives_json() {
        let candle = candle(&[trade(1, 10, 1), trade(2, 20, 3)]);
        let text = serde_json::to_string(&candle).expect("text");
        assert_eq!(serde_json::from_str::<Candle>(&text).expect("a candle"), candle);
    }
}
