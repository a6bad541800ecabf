//! The handles that a spec's ids stand for, one variant for each pair of types, and what they have in common.

use candlewick::{
    CogroupedKStream, Data, GlobalKTable, KGroupedStream, KGroupedTable, KStream, KTable,
    SessionWindowedKStream, SessionWindows, SlidingWindowedKStream, SlidingWindows, StoreKey,
    TimeWindowedKStream, TimeWindows, Windowed, WindowedCogroupedKStream,
};

use super::text::{AsText, Key, Value};

type WindowKey = Windowed<Key>;

/// What an id stands for. Tables of topics hold text; aggregates hold text that may be null, or counts.
#[derive(Clone)]
pub(super) enum Handle<'b> {
    Stream(KStream<'b, Key, Value>),
    ValueStream(KStream<'b, Key, Option<Value>>),
    CountStream(KStream<'b, Key, Option<i64>>),
    WindowStream(KStream<'b, WindowKey, Value>),
    WindowValueStream(KStream<'b, WindowKey, Option<Value>>),
    WindowCountStream(KStream<'b, WindowKey, Option<i64>>),
    Table(KTable<'b, Key, String>),
    Global(GlobalKTable<'b, Key, String>),
    ValueTable(KTable<'b, Key, Value>),
    CountTable(KTable<'b, Key, i64>),
    WindowValueTable(KTable<'b, WindowKey, Value>),
    WindowCountTable(KTable<'b, WindowKey, i64>),
    Grouped(KGroupedStream<'b, Key, Value>),
    GroupedTable(KGroupedTable<'b, Key, Value>),
    Windowed(TimeWindowedKStream<'b, Key, Value>),
    Sliding(SlidingWindowedKStream<'b, Key, Value>),
    Sessions(SessionWindowedKStream<'b, Key, Value>),
    Cogrouped(CogroupedKStream<'b, Key, Value>),
    WindowedCogroup(WindowedCogroupedKStream<'b, Key, Value, TimeWindows>),
    SlidingCogroup(WindowedCogroupedKStream<'b, Key, Value, SlidingWindows>),
    SessionCogroup(WindowedCogroupedKStream<'b, Key, Value, SessionWindows>),
}

macro_rules! handles {
    ($($variant:ident: $handle:ty),*) => {$(
        impl<'b> From<$handle> for Handle<'b> {
            fn from(handle: $handle) -> Self {
                Self::$variant(handle)
            }
        }
    )*};
}

handles!(
    Stream: KStream<'b, Key, Value>,
    ValueStream: KStream<'b, Key, Option<Value>>,
    CountStream: KStream<'b, Key, Option<i64>>,
    WindowStream: KStream<'b, WindowKey, Value>,
    WindowValueStream: KStream<'b, WindowKey, Option<Value>>,
    WindowCountStream: KStream<'b, WindowKey, Option<i64>>,
    Table: KTable<'b, Key, String>,
    ValueTable: KTable<'b, Key, Value>,
    CountTable: KTable<'b, Key, i64>,
    WindowValueTable: KTable<'b, WindowKey, Value>,
    WindowCountTable: KTable<'b, WindowKey, i64>,
    Grouped: KGroupedStream<'b, Key, Value>,
    GroupedTable: KGroupedTable<'b, Key, Value>,
    Windowed: TimeWindowedKStream<'b, Key, Value>,
    Sliding: SlidingWindowedKStream<'b, Key, Value>,
    Sessions: SessionWindowedKStream<'b, Key, Value>
);

/// Runs an expression on the stream in a handle, whatever its types; `None` where it is no stream.
macro_rules! on_stream {
    ($handle:expr, $stream:ident => $run:expr) => {
        match $handle {
            Handle::Stream($stream) => Some($run),
            Handle::ValueStream($stream) => Some($run),
            Handle::CountStream($stream) => Some($run),
            Handle::WindowStream($stream) => Some($run),
            Handle::WindowValueStream($stream) => Some($run),
            Handle::WindowCountStream($stream) => Some($run),
            _ => None,
        }
    };
}

/// Runs an expression on the table in a handle, whatever its types; `None` where it is no table. `plain`: with keys that
/// are not windowed.
macro_rules! on_table {
    (plain $handle:expr, $table:ident => $run:expr) => {
        match $handle {
            Handle::Table($table) => Some($run),
            Handle::ValueTable($table) => Some($run),
            Handle::CountTable($table) => Some($run),
            _ => None,
        }
    };
    ($handle:expr, $table:ident => $run:expr) => {
        match $handle {
            Handle::Table($table) => Some($run),
            Handle::ValueTable($table) => Some($run),
            Handle::CountTable($table) => Some($run),
            Handle::WindowValueTable($table) => Some($run),
            Handle::WindowCountTable($table) => Some($run),
            _ => None,
        }
    };
}

pub(super) use {on_stream, on_table};

/// Keys that specs can have.
pub(super) trait AnyKey: StoreKey + AsText {}
impl<T: StoreKey + AsText> AnyKey for T {}

/// Values that specs can have.
pub(super) trait AnyValue: Data + AsText {}
impl<T: Data + AsText> AnyValue for T {}
