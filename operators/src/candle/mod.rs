//! Candles: what a window of trades comes to. Owns the aggregate, its bytes, intervals and the builder for use without
//! a stream. Must not know indicators, topics or stores.

mod builder;
mod codec;
mod interval;
mod ohlc;

pub use builder::{CandleBuilder, ClosedCandle, Gaps, Taken};
pub use codec::CandleSerde;
pub use interval::{Interval, IntervalError};
pub use ohlc::Candle;
