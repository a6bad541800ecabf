//! The shipped binary as its users start it: built once in release, run as a child process, stopped by signals. And the
//! recordings it is fed with, made from a seed, with the results computed from the input alone.

mod predictions;
mod process;
mod reading;
mod recording;

pub use predictions::{documents, predicted, predicted_ids};
pub use process::{Candlewick, binary, secured_binary};
pub use reading::{Found, candles, read};
pub use recording::{ExpectedCandle, RecordedTrade, Recording};
