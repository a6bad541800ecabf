//! The running market application as the status server sees it. Owns which of its stores are shown, and as what.

use candlewick::{QueryError, StreamsHandle};
use candlewick_operators::{Candle, Decimal, Interval, Symbol};
use candlewick_server::StreamsApplication;

use crate::market::IndicatorState;

/// Shows the stores of the market application that this topology has.
///
/// # Errors
/// When a store keeps something else than is known here.
pub fn application(streams: StreamsHandle, intervals: &[Interval]) -> Result<StreamsApplication, QueryError> {
    let has = |name: &str| streams.stores().iter().any(|store| store.name == name);
    let candles: Vec<String> = intervals.iter().map(|interval| format!("candles-{interval}")).collect();
    let (candles, has_indicators) =
        (candles.into_iter().filter(|name| has(name)).collect::<Vec<_>>(), has("indicators"));
    let mut application = StreamsApplication::new(streams);
    for store in &candles {
        application = application.show_like(store, &Symbol::default(), &candle())?;
    }
    if has_indicators {
        application = application.show::<Symbol, IndicatorState>("indicators")?;
    }
    Ok(application)
}

/// A candle with all places of its decimals and everything present: the form of a row.
fn candle() -> Candle {
    let unit = Decimal::from_units(1);
    let turnover = unit.product(Decimal::ONE).unwrap_or_default();
    Candle {
        volume: unit,
        taker_buy_volume: unit,
        quote_volume: turnover,
        taker_buy_quote: Some(turnover),
        ..Candle::carried(unit)
    }
}
