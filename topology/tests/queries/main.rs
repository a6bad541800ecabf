//! Queries of running applications on the embedded log: what they find is what the input says, whatever kind of store,
//! engine and number of instances. Expectations are computed from the input.

mod elsewhere;
mod fresh;
mod kinds;
mod market;
