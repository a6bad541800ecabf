//! Statements as clients write them: what they ask for, and their rewriting into what the query engine understands. Must
//! not know tables' contents, nor how an answer is sent.

mod command;
mod emptiness;
mod lookup;
mod rewrite;
mod session;
mod text;

pub(crate) use command::{Command, commands};
pub(crate) use rewrite::rewrite;
pub(crate) use session::{DATABASE, SERVER_VERSION, Session};
