//! Trades in, closed candles out, without a stream: for files, backtests and tests. Owns which window a trade belongs to
//! and when a window closes; must not know topics or stores. The rules are those of a windowed aggregation.

use std::collections::BTreeMap;

use candlewick::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Candle, Interval};
use crate::{Decimal, DecimalError, Trade};

/// What stands for a window in which nobody traded.
///
/// ```
/// use candlewick_operators::Gaps;
/// assert_eq!(Gaps::default(), Gaps::Omit);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// Nothing: the window has no candle.
    #[default]
    Omit,
    /// A candle without trades at the last close ([`Candle::carried`]).
    CarryClose,
}

/// What became of a trade.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_operators::*};
/// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
/// let mut builder = CandleBuilder::new(Interval::MINUTE);
/// assert_eq!(builder.add(&trade(60_000))?, Taken::InTime);
/// assert_eq!(builder.add(&trade(59_999))?, Taken::Late);
/// # Ok::<(), candlewick_operators::DecimalError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a late trade is in no candle"]
pub enum Taken {
    /// It is in the candle of its window.
    InTime,
    /// Its window had closed: it is counted and dropped.
    Late,
}

/// A candle that will not change any more.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_operators::*};
/// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
/// let mut builder = CandleBuilder::new(Interval::MINUTE);
/// let _ = builder.add(&trade(61_000))?;
/// builder.finish();
/// let closed: ClosedCandle = builder.next_closed().expect("the input has ended");
/// assert_eq!((closed.start, closed.candle.trades), (Timestamp(60_000), 1));
/// # Ok::<(), candlewick_operators::DecimalError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedCandle {
    /// When its window starts.
    pub start: Timestamp,
    /// What it came to.
    pub candle: Candle,
}

/// Builds the candles of one instrument.
///
/// A window closes when a trade's time reaches its end plus the grace; a trade for a closed window is late, is dropped
/// and counted. Time moves by the trades alone.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_operators::{CandleBuilder, Gaps, Interval, Side, Trade};
/// let mut builder = CandleBuilder::new(Interval::MINUTE).grace_ms(5_000).gaps(Gaps::CarryClose);
/// let mut starts = Vec::new();
/// for (id, ms) in [(1, 59_000), (2, 61_000), (3, 58_000), (4, 300_000)] {
///     let trade = Trade {
///         exchange: "simulated".into(),
///         symbol: "BTC-USD".into(),
///         price: "100".parse()?,
///         size: "1".parse()?,
///         side: Side::Buy,
///         timestamp: Timestamp(ms),
///         id,
///     };
///     let _ = builder.add(&trade)?;
///     while let Some(closed) = builder.next_closed() {
///         starts.push((closed.start.as_millis(), closed.candle.trades));
///     }
/// }
/// assert_eq!(starts, [(0, 2), (60_000, 1), (120_000, 0), (180_000, 0)]);
/// # Ok::<(), candlewick_operators::DecimalError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CandleBuilder {
    interval: Interval,
    grace_ms: i64,
    gaps: Gaps,
    open: BTreeMap<i64, Candle>,
    stream_time: Timestamp,
    /// Start of the window after the last closed one, and the close that an empty one would carry.
    following: Option<(Timestamp, Decimal)>,
    finished: bool,
    late: u64,
}

impl CandleBuilder {
    /// Candles of this length, without grace, none for empty windows.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// assert!(CandleBuilder::new(Interval::MINUTE).newest_open().is_none());
    /// ```
    #[must_use]
    pub fn new(interval: Interval) -> Self {
        Self {
            interval,
            grace_ms: 0,
            gaps: Gaps::Omit,
            open: BTreeMap::new(),
            stream_time: Timestamp::UNKNOWN,
            following: None,
            finished: false,
            late: 0,
        }
    }

    /// How long after its end a window still takes late trades, in milliseconds.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
    /// let mut builder = CandleBuilder::new(Interval::MINUTE).grace_ms(5_000);
    /// let _ = builder.add(&trade(64_999))?;
    /// assert_eq!(builder.add(&trade(59_999))?, Taken::InTime);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub fn grace_ms(mut self, grace_ms: i64) -> Self {
        self.grace_ms = grace_ms.max(0);
        self
    }

    /// What stands for empty windows.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
    /// let mut builder = CandleBuilder::new(Interval::MINUTE).gaps(Gaps::CarryClose);
    /// let _ = (builder.add(&trade(0))?, builder.add(&trade(120_000))?);
    /// let trades: Vec<u64> = std::iter::from_fn(|| builder.next_closed()).map(|closed| closed.candle.trades).collect();
    /// assert_eq!(trades, [1, 0]);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub fn gaps(mut self, gaps: Gaps) -> Self {
        self.gaps = gaps;
        self
    }

    /// Takes one trade in; then ask [`next_closed`](Self::next_closed) until it has no more.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
    /// let mut builder = CandleBuilder::new(Interval::MINUTE);
    /// assert_eq!(builder.add(&trade(0))?, Taken::InTime);
    /// assert!(builder.next_closed().is_none(), "its window is open");
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    ///
    /// # Errors
    /// When a volume would leave the range of a decimal; the trade is then in no candle.
    pub fn add(&mut self, trade: &Trade) -> Result<Taken, DecimalError> {
        match self.window_of(trade.timestamp) {
            Some(candle) => candle.add_trade(trade).map(|()| Taken::InTime),
            None => Ok(Taken::Late),
        }
    }

    /// Takes in a finer candle whose window starts at `start`.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// let mut hours = CandleBuilder::new(Interval::HOUR);
    /// let minute = Candle::carried(Decimal::from_int(100));
    /// assert_eq!(hours.add_candle(Timestamp(60_000), &minute)?, Taken::InTime);
    /// assert_eq!(hours.newest_open().map(|(start, _)| start), Some(Timestamp(0)));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    ///
    /// # Errors
    /// When a volume would leave the range of a decimal; the finer candle is then in none.
    pub fn add_candle(&mut self, start: Timestamp, finer: &Candle) -> Result<Taken, DecimalError> {
        match self.window_of(start) {
            Some(candle) => candle.merge(finer).map(|()| Taken::InTime),
            None => Ok(Taken::Late),
        }
    }

    /// Moves time to at least `time` without a trade: closes windows of an instrument that went quiet.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
    /// let mut builder = CandleBuilder::new(Interval::MINUTE);
    /// let _ = builder.add(&trade(0))?;
    /// builder.advance_to(Timestamp(60_000));
    /// assert!(builder.next_closed().is_some());
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    pub fn advance_to(&mut self, time: Timestamp) {
        self.stream_time = self.stream_time.max(time);
    }

    /// Closes every window, whatever its grace: the input has ended.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
    /// let mut builder = CandleBuilder::new(Interval::MINUTE);
    /// let _ = builder.add(&trade(0))?;
    /// builder.finish();
    /// assert!(builder.next_closed().is_some());
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next closed candle, in order of time.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
    /// let mut builder = CandleBuilder::new(Interval::MINUTE);
    /// let _ = (builder.add(&trade(0))?, builder.add(&trade(60_000))?);
    /// assert_eq!(builder.next_closed().map(|closed| closed.start), Some(Timestamp(0)));
    /// assert!(builder.next_closed().is_none());
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    pub fn next_closed(&mut self) -> Option<ClosedCandle> {
        let first = self.open.keys().next().map(|start| Timestamp(*start));
        if let (Gaps::CarryClose, Some((start, close))) = (self.gaps, self.following) {
            let before_first = first.is_none_or(|first| start < first);
            // At the end of input an empty window counts only when another follows it.
            if before_first && (self.is_closed(start) || (self.finished && first.is_some())) {
                self.following = Some((self.interval.end_of(start), close));
                return Some(ClosedCandle { start, candle: Candle::carried(close) });
            }
        }
        let start = first.filter(|start| self.finished || self.is_closed(*start))?;
        let candle = self.open.remove(&start.as_millis())?;
        self.following = Some((self.interval.end_of(start), candle.close));
        Some(ClosedCandle { start, candle })
    }

    /// How many trades came after their window had closed.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
    /// let mut builder = CandleBuilder::new(Interval::MINUTE);
    /// let _ = (builder.add(&trade(60_000))?, builder.add(&trade(0))?);
    /// assert_eq!(builder.late(), 1);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// The candle that is still open for the window of the newest trade.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_operators::*};
    /// # let trade = |ms: i64| Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::ONE, size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(ms), id: ms };
    /// let mut builder = CandleBuilder::new(Interval::MINUTE);
    /// let _ = builder.add(&trade(61_000))?;
    /// assert_eq!(builder.newest_open().map(|(start, candle)| (start, candle.trades)), Some((Timestamp(60_000), 1)));
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub fn newest_open(&self) -> Option<(Timestamp, &Candle)> {
        self.open.last_key_value().map(|(start, candle)| (Timestamp(*start), candle))
    }

    fn is_closed(&self, start: Timestamp) -> bool {
        self.interval.end_of(start).plus_millis(self.grace_ms) <= self.stream_time
    }

    fn window_of(&mut self, time: Timestamp) -> Option<&mut Candle> {
        self.advance_to(time);
        let start = self.interval.start_of(time);
        if self.is_closed(start) || self.following.is_some_and(|(following, _)| start < following) {
            self.late += 1;
            return None;
        }
        Some(self.open.entry(start.as_millis()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::candle::ohlc::tests::trade;

    fn closed(builder: &mut CandleBuilder) -> Vec<(i64, Candle)> {
        std::iter::from_fn(|| builder.next_closed()).map(|c| (c.start.as_millis(), c.candle)).collect()
    }

    #[test]
    fn trade_at_end_plus_grace_closes_the_window_and_not_a_millisecond_before() {
        let mut builder = CandleBuilder::new(Interval::SECOND).grace_ms(500);
        assert_eq!(builder.add(&trade(900, 1, 1)), Ok(Taken::InTime));
        assert_eq!(builder.add(&trade(1_499, 1, 1)), Ok(Taken::InTime));
        assert_eq!(builder.add(&trade(999, 2, 1)), Ok(Taken::InTime));
        assert!(closed(&mut builder).is_empty());
        assert_eq!(builder.add(&trade(1_500, 1, 1)), Ok(Taken::InTime));
        assert_eq!(builder.add(&trade(998, 3, 1)), Ok(Taken::Late));
        assert_eq!((builder.late(), closed(&mut builder).len()), (1, 1));
    }

    #[test]
    fn finish_closes_what_is_open_and_carries_nothing_past_the_end() {
        let mut builder = CandleBuilder::new(Interval::SECOND).grace_ms(60_000).gaps(Gaps::CarryClose);
        for ms in [100, 3_100] {
            let _ = builder.add(&trade(ms, 5, 1)).expect("in range");
        }
        builder.finish();
        let candles = closed(&mut builder);
        assert_eq!(candles.iter().map(|(start, _)| *start).collect::<Vec<_>>(), [0, 1_000, 2_000, 3_000]);
        assert_eq!(candles[1].1, Candle::carried(Decimal::from_int(5)));
    }

    #[test]
    fn quiet_instrument_carries_its_close_when_time_is_advanced() {
        let mut builder = CandleBuilder::new(Interval::SECOND).gaps(Gaps::CarryClose);
        let _ = builder.add(&trade(100, 5, 1)).expect("in range");
        builder.advance_to(Timestamp(3_000));
        assert_eq!(closed(&mut builder).len(), 3);
        assert_eq!(builder.add(&trade(2_999, 5, 1)), Ok(Taken::Late));
    }

    proptest! {
        #[test]
        fn candles_equal_a_recount_and_no_trade_is_lost(
            trades in prop::collection::vec((0_i64..20_000, 1_i64..50, 0_i64..5), 1..200), grace in 0_i64..5_000
        ) {
            let mut builder = CandleBuilder::new(Interval::SECOND).grace_ms(grace);
            let (mut built, mut stream_time) = (Vec::new(), -1);
            let mut expected: BTreeMap<i64, Candle> = BTreeMap::new();
            let mut late = 0;
            for (ms, price, size) in &trades {
                let trade = trade(*ms, *price, *size);
                stream_time = stream_time.max(*ms);
                let start = ms / 1_000 * 1_000;
                if start + 1_000 + grace <= stream_time {
                    late += 1;
                } else {
                    expected.entry(start).or_default().add_trade(&trade).expect("in range");
                }
                let _ = builder.add(&trade).expect("in range");
                built.extend(closed(&mut builder));
            }
            builder.finish();
            built.extend(closed(&mut builder));
            prop_assert_eq!(builder.late(), late);
            prop_assert_eq!(built, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
