//! An application in operation, on the embedded log: changed between two runs, with records that fail and code that
//! panics, paused, and with threads that come and go. What comes out is computed from what goes in.

mod crew;
mod errors;
mod kept;
mod log;
mod pause;
mod refused;
mod side_by_side;
mod stuck;
