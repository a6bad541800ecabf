//! What users type: streams, tables, groups and windows as `Copy` handles that borrow the builder, and one option
//! struct per operation. Makes declarations; runs nothing, opens nothing, and never meets `runtime`.

mod builder;
mod change;
mod cogrouped_stream;
mod destination;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod global_store;
mod global_table;
mod grouped_stream;
mod grouped_table;
mod join_options;
mod join_windows;
mod kstream;
mod ktable;
mod operation;
mod options;
mod read_only_store;
mod repartition;
mod session_windows;
mod sink;
mod sliding_windows;
mod source;
mod subscription;
mod value_getter;
mod windowed_stream;
mod windows;

pub use builder::StreamsBuilder;
pub use change::Change;
pub use cogrouped_stream::{CogroupedKStream, WindowedCogroupedKStream};
pub use global_table::GlobalKTable;
pub use grouped_stream::KGroupedStream;
pub use grouped_table::KGroupedTable;
pub use join_options::{Joined, StreamJoined, TableJoined};
pub use join_windows::JoinWindows;
pub use kstream::KStream;
pub use ktable::KTable;
pub use operation::async_map::{AsyncCall, AsyncOptions};
pub use operation::batch::BatchOptions;
pub use operation::process::ProcessorStores;
pub use operation::split::{Branches, SplitStream};
pub use operation::suppress::{Suppressed, Windowable};
pub use operation::table_transform::TableContext;
pub use options::{Consumed, Grouped, Materialized, Produced, Repartitioned};
pub use session_windows::{SessionWindowedSerde, SessionWindows};
pub use sliding_windows::SlidingWindows;
pub use source::{
    FailOnInvalidTimestamp, RecordTimestamp, TimestampExtractor, UsePartitionTimeOnInvalidTimestamp,
    WallclockTimestamp,
};
pub use windowed_stream::{
    SessionWindowedKStream, SlidingWindowedKStream, TimeWindowedKStream, WindowKind, WindowedKStream,
};
pub use windows::{TimeWindows, Window, Windowed, WindowedSerde};

/// What may travel as a key or value: anything that can be copied for a second child and moved with its task.
///
/// ```
/// use candlewick::Data;
/// fn travels<T: Data>(_: &T) {}
/// travels(&"text".to_owned());
/// travels(&Some((1, 2.5)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as a key or value",
    note = "what travels is copied for a second child and moved with its task: it is `Clone`, `Send` and `'static`"
)]
pub trait Data: Clone + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + 'static> Data for T {}

/// A key of a store: data that can be looked up.
///
/// ```
/// use candlewick::StoreKey;
/// fn is_looked_up<K: StoreKey>(_: &K) {}
/// is_looked_up(&"BTC".to_owned());
/// is_looked_up(&(7, "BTC".to_owned()));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a store",
    label = "a key that can be looked up is needed here",
    note = "a key is looked up: it is `Eq` and `Hash`, besides `Clone`, `Send` and `'static`"
)]
pub trait StoreKey: Data + Eq + std::hash::Hash {}

#[diagnostic::do_not_recommend]
impl<T: Data + Eq + std::hash::Hash> StoreKey for T {}
