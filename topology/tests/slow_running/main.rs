//! `batch` and `async_map` in running applications, on the embedded log: what is shared, what is bounded, what is ordered,
//! what is committed, and what a killed process leaves.

mod bench;
mod bounds;
mod killed;
mod offsets;
mod order;
