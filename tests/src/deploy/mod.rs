//! What the files of a deployment say, and the tools that judge them: Compose's reference loader, Strimzi's resource
//! definitions, the command line's own source, and the queries of Grafana's panels. Must not know any running server,
//! and nothing of what is deployed beyond its names.

mod command_line;
mod composecheck;
mod definitions;
mod panels;
mod schema;
mod yaml;

pub use command_line::CommandLine;
pub use composecheck::{ComposeCheck, composecheck};
pub use definitions::{Definitions, strimzi_definitions};
pub use panels::{Panel, PanelError, PanelQuery, Variables, panels};
pub use schema::faults;
pub use yaml::documents;
