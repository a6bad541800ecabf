//! The engine's own cost of a record, piece by piece: `cargo bench -p candlewick-bench`. Owns the list of pieces.

mod decode;
mod fan_out;
mod hop;
mod store;
mod window;

use criterion::{criterion_group, criterion_main};

criterion_group!(micro, hop::hops, store::stores, decode::decoding, window::windows);
criterion_main!(micro);
