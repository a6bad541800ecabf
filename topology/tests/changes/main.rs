//! An application that is changed between two runs on the embedded log: what becomes of its state, what is refused, and
//! what the next version counts.

mod kept;
mod log;
mod refused;
mod side_by_side;
