//! Feature vectors for models: which numbers a model sees of a candle, and how they are computed. Owns the one code path
//! that training and serving share; must not know networks, scaling, topics or stores.
//!
//! Every feature is of the candle just closed and those before it. Nothing here can look ahead.

mod extract;
mod set;

pub use extract::FeatureState;
pub use set::{Feature, FeatureError, FeatureSet};
