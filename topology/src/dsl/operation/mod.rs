//! One operation per file: its method on the handle, and its node. Each knows the plan's declarations and the
//! processor's traits, and nothing of the others.

mod aggregate;
mod closing;
pub(super) mod cogroup;
mod filter;
mod flat_map;
mod for_each;
mod foreign_join;
mod foreign_nodes;
mod global_join;
mod group_by;
mod keep;
mod kept;
mod map;
mod materialize;
mod merge;
pub(super) mod process;
mod select_key;
mod self_join;
mod session_aggregate;
mod sliding_aggregate;
pub(super) mod split;
mod stream_join;
mod stream_join_side;
mod stream_table_join;
pub(super) mod suppress;
mod table_aggregate;
mod table_group_by;
mod table_join;
mod table_map;
pub(super) mod table_source;
pub(super) mod table_transform;
mod to_stream;
mod to_table;
mod versioned_source;
mod window_aggregate;
