//! Exchanges: what their trade messages mean, and one that is simulated. Owns the codecs of public trade channels; must
//! not know files, topics or who asks.

mod binance;
mod bitfinex;
mod bybit;
mod coinbase;
mod fields;
mod ftx;
mod kraken;
mod message;
mod okx;
pub mod simulated;
pub(crate) mod time;

pub(crate) use fields::{Fault, RawTrade, parse_side};
pub(crate) use message::{MessageDecoder, MessageOutcome};
pub use time::read_time;
