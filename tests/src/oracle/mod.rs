//! The conformance suite: topologies described in JSON, run through the test driver over the public DSL, and compared
//! with what Kafka Streams gave for the same input. Owns the reading of that format and the comparison; must not know
//! any inner part of the framework.

mod aggregates;
mod corpus;
mod filled;
mod functions;
mod handle;
mod internals;
mod interpreter;
mod joins;
mod known;
mod processors;
mod report;
mod run;
mod spread;
mod stores;
mod table;
mod text;

pub use corpus::{Case, Corpus, CorpusError, GoldenFile, Step};
pub use known::{KnownDifference, KnownDifferences};
pub use report::{Outcome, Report};
pub use run::{Variant, judge, ours};
