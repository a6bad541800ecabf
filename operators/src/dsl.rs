//! Candles in a topology: a thin extension of streams of trades. The only file that names candlewick's DSL; the
//! mathematics stands in `candle` and knows no stream.

use std::time::Duration;

use candlewick::{Grouped, KStream, KTable, Materialized, Suppressed, TimeWindows, Utf8, Windowed};

use crate::{Candle, CandleSerde, Interval, StateSerde, Symbol, Trade};

/// How candles are made of trades.
///
/// ```
/// use candlewick_operators::{CandleOptions, Interval};
/// let options = CandleOptions { store: "minutes".to_owned(), ..CandleOptions::new(Interval::MINUTE) };
/// assert_eq!(options.grace.as_secs(), 5);
/// ```
#[derive(Clone, Debug)]
pub struct CandleOptions {
    /// The windows' length.
    pub interval: Interval,
    /// How late a trade may come, in stream time.
    pub grace: Duration,
    /// The name of the store: the state's identity.
    pub store: String,
}

impl CandleOptions {
    /// Candles of this interval with 5 s of grace, in the store `candles-<interval>`.
    ///
    /// ```
    /// use candlewick_operators::{CandleOptions, Interval};
    /// assert_eq!(CandleOptions::new(Interval::MINUTE).store, "candles-1m");
    /// ```
    #[must_use]
    pub fn new(interval: Interval) -> Self {
        Self { interval, grace: Duration::from_secs(5), store: format!("candles-{interval}") }
    }

    fn windows(&self) -> TimeWindows {
        TimeWindows::of_size_and_grace(self.interval.as_duration(), self.grace)
    }
}

/// Streams of trades by symbol.
///
/// ```
/// use candlewick::{Consumed, StreamsBuilder, Timestamp, TopologyTestDriver, Utf8, WindowStore};
/// use candlewick_operators::{Candle, CandleOptions, Interval, StateSerde, Symbol, Trade, TradeStream};
/// # use candlewick_operators::{Decimal, Side};
/// let builder = StreamsBuilder::new();
/// let trades = builder.stream("trades", Consumed::<Symbol, Trade>::with(Utf8, StateSerde));
/// trades.candles(&CandleOptions::new(Interval::MINUTE));
/// let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let trade = Trade { exchange: "simulated".into(), symbol: "BTC-USD".into(), price: Decimal::from_int(100), size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(61_000), id: 1 };
/// # driver.input_topic("trades", Utf8, StateSerde).pipe(trade.symbol.clone(), trade, Timestamp(61_000)).expect("processed");
/// driver.with_store("candles-1m", |candles: &mut WindowStore<Symbol, Candle>| {
///     // Of a trade at 61 seconds:
///     let candle = candles.get(&"BTC-USD".into(), Timestamp(60_000)).expect("in memory");
///     assert_eq!(candle.map(|entry| entry.value.trades), Some(1));
/// });
/// ```
pub trait TradeStream<'b> {
    /// The candle of each symbol and window, as it grows.
    fn candles(self, options: &CandleOptions) -> KTable<'b, Windowed<Symbol>, Candle>;

    /// The candle of each symbol and window, once, when the window has closed. A window without trades has none.
    ///
    /// ```
    /// use candlewick::{Consumed, StreamsBuilder, Utf8};
    /// use candlewick_operators::{CandleOptions, StateSerde, Symbol, Trade, TradeStream};
    /// let builder = StreamsBuilder::new();
    /// let trades = builder.stream("trades", Consumed::<Symbol, Trade>::with(Utf8, StateSerde));
    /// let minutes = trades.closed_candles(&CandleOptions::new("1m".parse().expect("an interval")));
    /// minutes.for_each(|key, candle| println!("{} {:?}", key.key.as_str(), candle));
    /// assert!(builder.build().expect("valid").describe().contains("closed-candles-1m"));
    /// ```
    fn closed_candles(self, options: &CandleOptions) -> KStream<'b, Windowed<Symbol>, Candle>;
}

impl<'b> TradeStream<'b> for KStream<'b, Symbol, Trade> {
    fn candles(self, options: &CandleOptions) -> KTable<'b, Windowed<Symbol>, Candle> {
        // A trade whose volume leaves the range of a decimal cannot be added; validated trades never come near it.
        let add = |_: &Symbol, trade: &Trade, candle: &mut Candle| {
            if let Err(error) = candle.add_trade(trade) {
                debug_assert!(false, "{error}");
            }
        };
        self.group_by_key(Grouped::with(Utf8, StateSerde)).windowed_by(options.windows()).aggregate(
            Candle::default,
            add,
            Materialized::with(&*options.store, Utf8, CandleSerde),
        )
    }

    fn closed_candles(self, options: &CandleOptions) -> KStream<'b, Windowed<Symbol>, Candle> {
        self.candles(options)
            .suppress(Suppressed::until_window_closes(format!("closed-{}", options.store)))
            .to_stream()
            .flat_map_values(|candle| candle)
    }
}
