//! Chaos on real servers: several processes of the shipped binary share the work of one application while they, the
//! broker, the network, their disks, the registry and Elasticsearch fail, as a seed says; at the end every result must be there once. What is
//! expected is computed from the trades alone. Must not know how the product keeps its promises.

mod disk;
mod fault;
mod feed;
mod instance;
mod judge;
mod round;
mod world;

pub use fault::Fault;
pub use judge::Verdict;
pub use round::{Outcome, play};
pub use world::World;
