//! # candlewick-operators
//!
//! Market mathematics as plain structs: exact decimals, trades, candles, indicators and feature vectors, each usable
//! without a stream. Owns what a price, a candle and an indicator *are*; must not know topics, tasks, stores, networks
//! or models.
//!
//! ```
//! use candlewick_operators::{Candle, Decimal, Side, Trade};
//! use candlewick::Timestamp;
//!
//! let trade = Trade {
//!     exchange: "simulated".into(),
//!     symbol: "BTC-USD".into(),
//!     price: "42000.5".parse()?,
//!     size: "0.25".parse()?,
//!     side: Side::Buy,
//!     timestamp: Timestamp(1_700_000_000_000),
//!     id: 1,
//! }
//! .checked()?;
//! let mut candle = Candle::default();
//! candle.add_trade(&trade)?;
//! assert_eq!(candle.quote_volume.round()?, "10500.125".parse::<Decimal>()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod candle;
mod decimal;
mod dsl;
mod feature;
mod indicator;
mod state;
mod symbol;
mod trade;

pub use candle::{Candle, CandleBuilder, CandleSerde, ClosedCandle, Gaps, Interval, IntervalError, Taken};
pub use decimal::{Decimal, DecimalError, Product};
pub use dsl::{CandleOptions, TradeStream};
pub use feature::{Feature, FeatureError, FeatureSet, FeatureState};
pub use indicator::{
    Atr, Bar, Bollinger, BollingerBands, Ema, Macd, MacdValue, Obv, PeriodError, Roc, RollingVwap, Rsi, Sma,
    Volatility, Vwap,
};
pub use state::StateSerde;
pub use symbol::{Exchange, Symbol};
pub use trade::{Side, Trade, TradeError};
