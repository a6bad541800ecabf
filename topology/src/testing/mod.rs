//! Tests without a log: a driver that runs a topology record by record under a virtual clock. Must not be known by
//! anything it tests.

mod backtest;
mod driver;
mod durable;
mod globals;
mod topics;
mod workplace;

pub use backtest::{Backtest, BacktestOutput};
pub use driver::{DriverOptions, TopologyTestDriver};
pub use topics::{TestInputTopic, TestOutputTopic};
