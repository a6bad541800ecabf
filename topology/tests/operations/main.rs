//! An application in operation, on the embedded log: changed between two runs, with records that fail and code that
//! panics, paused, and with threads that come and go. What comes out is computed from what goes in.

mod errors;
mod kept;
mod log;
mod refused;
