//! Choices that shape a plan.

use std::time::Duration;

/// Where a source starts on a partition that has no committed offset (KIP-1106).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoOffsetReset {
    /// At the first record held.
    #[default]
    Earliest,
    /// At the end.
    Latest,
    /// At the first record not older than this.
    ByDuration(Duration),
    /// Nowhere: a missing offset is an error.
    None,
}

/// How `build` treats a topology.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// Accept stores and internal topics with names that Kafka Streams would generate. They change when an operator
    /// is inserted before them, and the state under the old name is lost: for experiments and tests only.
    pub generated_names: bool,
}
