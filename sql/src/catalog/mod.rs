//! What clients read to find out about tables: PostgreSQL's catalog and the standard's information schema, made of the
//! tables that there are. Must not know how a statement is carried out.

mod databases;
mod functions;
mod information;
mod made;
mod provider;
mod relations;
mod types;

pub(crate) use functions::register;
pub(crate) use provider::Catalog;
pub(crate) use relations::oid_of;
