//! # candlewick-bench
//!
//! Runs beside Kafka Streams: the same trades through the same broker, once by the `candlewick` binary and once by the
//! JVM's application in `java/`. Owns the workload, the recount that says what must come out, and the measuring; must
//! not know how either application works inside.

mod backtest;
mod cgroup;
mod child;
mod elasticity;
mod error;
mod feed;
mod figures;
mod jvm;
mod operators;
mod ours;
mod outputs;
mod queries;
mod report;
mod restore;
mod run;
mod soak;
mod totals;
mod trades;
mod workload;

pub use backtest::{BacktestFigures, backtest};
pub use elasticity::{ElasticityFigures, ElasticityOptions, Phase, Waits, elasticity};
pub use error::BenchError;
pub use figures::{Case, Figures, Side};
pub use operators::{OperatorCost, OperatorTable, beside_driver, operator_cost, operators};
pub use queries::{Asker, QueryCost, QueryFigures, queries};
pub use report::Report;
pub use restore::{RestoreFigures, Restored, restore, restore_ours};
pub use run::{Bench, Options};
pub use soak::{SoakFigures, SoakOptions, soak};
pub use totals::Totals;
pub use trades::{GeneratedTrade, TRADE_SCHEMA, TradeGenerator};
pub use workload::{Application, Workload};
