//! Recorded trades from a file: CSV, gzip or raw exchange messages, streamed in constant memory. Owns formats of files
//! and what is skipped; must not know topics or clocks.

mod columns;
mod config;
mod csv;
mod error;
mod file_name;
mod lines;
mod pace;
mod raw;
mod reader;
mod report;
mod shape;
mod side;

pub use config::ReplaySettings;
pub use error::ReplayError;
pub use pace::{Pace, Pacer};
pub use reader::Replay;
pub use report::ReplayReport;
