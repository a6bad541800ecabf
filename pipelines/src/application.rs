//! The running market application as the status server sees it. Owns which of its stores are shown, and as what.

use candlewick::{QueryError, StreamsHandle};
use candlewick_operators::{Candle, Interval, Symbol};
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
        application = application.show::<Symbol, Candle>(store)?;
    }
    if has_indicators {
        application = application.show::<Symbol, IndicatorState>("indicators")?;
    }
    Ok(application)
}
