//! The trades of the bench, the same for every run with the same seed. Owns their schema and their distribution; must
//! not know where they are written.

mod generator;
mod random;

pub(crate) use generator::minute_before;
pub use generator::{GeneratedTrade, TRADE_SCHEMA, TradeGenerator};
