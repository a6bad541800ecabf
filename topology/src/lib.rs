//! # candlewick
//!
//! Stream processing with the semantics of Kafka Streams: a topology of stateful operators, declared in Rust, that runs
//! unmodified on Apache Kafka, on an embedded log, and in a test driver.

pub mod client;
mod dsl;
mod error;
mod plan;
mod processor;
mod record;
mod runtime;
mod serde;
mod state;
mod testing;
mod time;

pub use dsl::{
    AsyncCall, AsyncOptions, BatchOptions, Branches, Change, CogroupedKStream, Consumed, Data,
    FailOnInvalidTimestamp, GlobalKTable, Grouped, JoinWindows, Joined, KGroupedStream, KGroupedTable,
    KStream, KTable, Materialized, ProcessorStores, Produced, RecordTimestamp, Repartitioned,
    SessionWindowedKStream, SessionWindowedSerde, SessionWindows, SlidingWindowedKStream, SlidingWindows,
    SplitStream, StoreKey, StreamJoined, StreamsBuilder, Suppressed, TableContext, TableJoined,
    TimeWindowedKStream, TimeWindows, TimestampExtractor, UsePartitionTimeOnInvalidTimestamp,
    WallclockTimestamp, Window, WindowKind, Windowable, Windowed, WindowedCogroupedKStream, WindowedKStream,
    WindowedSerde,
};
pub use error::{Panicked, ProcessError, TopologyError, TopologyErrors};
pub use plan::{
    AutoOffsetReset, BuildOptions, InternalTopic, PartitionCounts, PlanAction, PlanChange, PlanReport,
    TopicKind, Topology,
};
pub use processor::{
    AsyncOrder, ChildHandle, Completion, Context, DropReason, ErrorPolicy, FailOnProcessError, FailedRecord,
    FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, PolicyError, ProcessHandler, ProcessResponse,
    Processor, ProcessorWrapper, Punctuation, PunctuationType, PunctuatorId, Retry, SkipOnProcessError,
};
pub use record::{
    Header, Headers, Partition, RawRecord, Record, RecordMetadata, RecordRun, TaskId, TopicPartition,
};
/// The private decoders, for the fuzz targets.
#[cfg(feature = "fuzz")]
pub mod fuzz {
    #[cfg(feature = "kafka")]
    pub use crate::client::kafka::fuzz as kafka;
    pub use crate::dsl::fuzz as dsl;
    pub use crate::runtime::fuzz as runtime;
    pub use crate::state::fuzz as state;
}
#[cfg(feature = "planted-bugs")]
pub use runtime::Bug;
pub use runtime::{
    Answer, ApplicationState, ConfigError, Cursor, DeadLetterOnDecodeError, DeserializationHandler,
    FailOnDecodeError, FailedBytes, FolderSnapshots, Guarantee, KafkaStreams, Keys, NodeStatus, NodeView,
    Page, PartitionStatus, Position, QueryError, RunningStreams, SkipOnDecodeError, SnapshotStore,
    StalledTask, StandbyStatus, Status, StoreInfo, StoreQuery, StoreType, StreamsConfig, StreamsError,
    StreamsHandle, TaskFault, TaskPhase, TaskStatus, Times, TopologyView,
};
#[cfg(feature = "sim")]
pub use runtime::{Spawned, Threads};
pub use serde::{
    BytesSerde, DefaultSerde, F64Serde, Format, I32Serde, I64Serde, Json, Nullable, Serde, SerdeError,
    StringSerde, Utf8, VoidSerde, partition_for_key,
};
#[cfg(feature = "sim")]
pub use state::seed_ids;
pub use state::{
    BufferStats, Buffered, ChangeSerde, CustomStore, Dirty, DirtySession, DirtyWindow, Entry, Evicted,
    GlobalHandle, GlobalStore, KeyValueStore, Put, QueryableStore, RowSink, Session, SessionStore,
    StateFolder, StoreBuilder, StoreError, StoreHandle, Stores, SuppressBuffer, UserStore, VersionedStore,
    WindowStore,
};
pub use testing::{
    Backtest, BacktestOutput, DriverOptions, TestInputTopic, TestOutputTopic, TopologyTestDriver,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp, millis};
