//! The stores of an application as tables: their names, their columns and their rows. Must not know PostgreSQL's protocol
//! or catalog.

mod batch;
mod column;
mod filter;
mod form;
mod registry;
mod scan;
mod store_table;

pub(crate) use registry::{Known, Tables};
