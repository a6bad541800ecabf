//! Fuzz targets for every decoder of outside bytes: what a broker, a peer, a disk, a registry, an exchange or a browser may
//! hand to us. An input is made from good ones by seeded mutations; a target must neither panic, nor allocate much more than
//! it was given, nor take long. Runs on stable Rust: a short round of each target in every test run, longer ones by
//! `cargo xtask fuzz`. Must not know what the bytes mean: that is the targets'.

mod ledger;
mod mutation;
mod round;
pub mod target;

pub use ledger::Ledger;
pub use round::{Failure, Round, play};
pub use target::{ALL, Target};
