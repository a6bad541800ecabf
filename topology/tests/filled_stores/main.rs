//! Stores that a processor of the user's fills from a topic: global ones, which every task has whole, and read-only ones,
//! whose topic is their changelog. In the driver and on the embedded log; what is expected is computed from what goes in.

mod described;
mod errors;
mod global;
mod parts;
mod read_only;
mod running;
