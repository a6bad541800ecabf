//! Interactive queries: reads of the last committed state by other threads than the tasks' own. No task waits for a query
//! while it processes; a commit of a store in memory waits for one page at most. Owns who is asked, how old an answer may
//! be, and how the answers of several tasks become one; what a row means is known where the store was declared.

mod ask;
mod directory;
mod error;
mod read;
mod route;
mod store;

pub use ask::{Answer, Cursor, Keys, Page, Position, Times};
pub(crate) use directory::Directory;
pub use error::QueryError;
pub use store::{StoreInfo, StoreQuery, StoreType};
