//! A simulated exchange: trades that no market ever saw, from a seed. Owns the markets' behaviour and the faults of the
//! line (lateness, duplicates, bursts); must not know topics, clocks or files. Every trade says in its field `exchange`
//! that it is simulated.

mod arrivals;
mod config;
mod market;
mod regime;

pub use arrivals::SimulatedExchange;
pub use config::{SimulatedSettings, SimulatedSymbol};
pub use regime::Regime;

/// What the trades of a simulated exchange carry in their field `exchange`.
pub const SIMULATED: &str = "simulated";
