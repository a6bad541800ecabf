//! Indicators: one value in, at most one value out, in constant time. Owns their formulas and state; must not know
//! candles' windows, topics or models.
//!
//! Formulas, seeding and the position of the first value are TA-Lib's. An input that is not finite is refused: the
//! answer is `None` and the state stays as it was. Every state is `Clone`, is read and written by
//! [`StateSerde`](crate::StateSerde), and then goes on with bit-identical values.

mod atr;
mod bar;
mod bollinger;
mod ema;
mod macd;
mod obv;
mod roc;
mod rolling;
mod rsi;
mod sma;
mod volatility;
mod vwap;

pub use atr::Atr;
pub use bar::Bar;
pub use bollinger::{Bollinger, BollingerBands};
pub use ema::Ema;
pub use macd::{Macd, MacdValue};
pub use obv::Obv;
pub use roc::Roc;
pub(crate) use rolling::Moments;
pub use rsi::Rsi;
pub use sma::Sma;
pub use volatility::Volatility;
pub use vwap::{RollingVwap, Vwap};

/// A period that an indicator cannot have.
///
/// ```
/// use candlewick_operators::{PeriodError, Rsi};
/// let error: PeriodError = Rsi::new(0).expect_err("too short");
/// assert!(!error.to_string().is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{indicator} cannot have the period {period}: choose one from {least} to 10000{rule}")]
pub struct PeriodError {
    indicator: &'static str,
    period: usize,
    least: u32,
    rule: &'static str,
}

/// The longest period: beyond it a window's memory and the rounding of its sums are no longer small.
const PERIOD_MAX: u32 = 10_000;

/// Checks a period against TA-Lib's least and our greatest.
fn period(indicator: &'static str, period: usize, least: u32) -> Result<u32, PeriodError> {
    u32::try_from(period).ok().filter(|period| (least..=PERIOD_MAX).contains(period)).ok_or(PeriodError {
        indicator,
        period,
        least,
        rule: "",
    })
}
