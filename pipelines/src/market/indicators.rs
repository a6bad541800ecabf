//! Indicators of closed candles, per symbol: state in a store, one record out for each candle in.

use candlewick::{Context, KeyValueStore, ProcessError, Processor, Record, StoreHandle, Windowed};
use candlewick_operators::{
    Atr, Bar, Bollinger, Candle, Ema, Exchange, Interval, Macd, Obv, PeriodError, Roc, Rsi, Sma, Symbol,
    Volatility,
};
use serde::{Deserialize, Serialize};

use super::records::IndicatorRecord;

/// The indicators of one symbol, with the periods traders know them by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IndicatorState {
    sma20: Sma,
    ema12: Ema,
    ema26: Ema,
    rsi14: Rsi,
    macd: Macd,
    bollinger: Bollinger,
    atr14: Atr,
    roc10: Roc,
    obv: Obv,
    volatility20: Volatility,
}

impl IndicatorState {
    /// Before the first candle.
    ///
    /// # Errors
    /// Never with these periods.
    pub fn new() -> Result<Self, PeriodError> {
        Ok(Self {
            sma20: Sma::new(20)?,
            ema12: Ema::new(12)?,
            ema26: Ema::new(26)?,
            rsi14: Rsi::new(14)?,
            macd: Macd::new(12, 26, 9)?,
            bollinger: Bollinger::new(20, 2.0)?,
            atr14: Atr::new(14)?,
            roc10: Roc::new(10)?,
            obv: Obv::new(),
            volatility20: Volatility::new(20)?,
        })
    }

    /// Takes a candle in; indicators that are not warm yet are `None` in the record.
    pub fn update(&mut self, record: IndicatorRecord, candle: &Candle) -> IndicatorRecord {
        let bar = Bar::from(candle);
        let price = bar.close;
        let macd = self.macd.update(price);
        let bands = self.bollinger.update(price);
        IndicatorRecord {
            sma20: self.sma20.update(price),
            ema12: self.ema12.update(price),
            ema26: self.ema26.update(price),
            rsi14: self.rsi14.update(price),
            macd: macd.map(|value| value.value),
            macd_signal: macd.map(|value| value.signal),
            macd_histogram: macd.map(|value| value.histogram),
            bollinger_upper: bands.map(|bands| bands.upper),
            bollinger_middle: bands.map(|bands| bands.middle),
            bollinger_lower: bands.map(|bands| bands.lower),
            atr14: self.atr14.update(&bar),
            roc10: self.roc10.update(price),
            obv: self.obv.update(&bar),
            volatility20: self.volatility20.update(price),
            ..record
        }
    }
}

/// Turns closed candles into indicator records, by the state of each symbol in a store.
pub struct IndicatorsProcessor {
    store: StoreHandle<KeyValueStore<Symbol, IndicatorState>>,
    exchange: Exchange,
    interval: Interval,
}

impl IndicatorsProcessor {
    /// A processor over this store.
    #[must_use]
    pub fn new(
        store: StoreHandle<KeyValueStore<Symbol, IndicatorState>>,
        exchange: Exchange,
        interval: Interval,
    ) -> Self {
        Self { store, exchange, interval }
    }
}

impl Processor<Windowed<Symbol>, Candle, Symbol, IndicatorRecord> for IndicatorsProcessor {
    fn process(
        &mut self,
        record: Record<Windowed<Symbol>, Candle>,
        cx: &mut Context<'_, Symbol, IndicatorRecord>,
    ) -> Result<(), ProcessError> {
        let Record { key: Windowed { key: symbol, window }, value: candle, timestamp, headers } = record;
        let blank = IndicatorRecord::of_candle(
            symbol.clone(),
            self.exchange.clone(),
            self.interval,
            window.start,
            &candle,
        )?;
        let fresh = IndicatorState::new()?;
        let made = cx.store(self.store).update(&symbol, timestamp, |slot| {
            let entry = slot.get_or_insert(candlewick::Entry { value: fresh, timestamp });
            entry.timestamp = entry.timestamp.max(timestamp);
            entry.value.update(blank, &candle)
        })?;
        cx.forward(Record { key: symbol, value: made, timestamp, headers })
    }
}
