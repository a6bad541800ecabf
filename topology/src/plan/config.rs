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
    /// Writes a stream whose key changed to one repartition topic where several operations below would each write it to
    /// one of their own (Kafka's `merge.repartition.topics`). It changes the names and number of internal topics: choose
    /// before the application has state.
    pub merge_repartition_topics: bool,
    /// Restores a table of a topic from that topic instead of writing a changelog beside it (Kafka's
    /// `reuse.ktable.source.topics`). The topic must be compacted: what it has forgotten is not in the table after its
    /// store was lost. A table [without a changelog](crate::Materialized::without_changelog) stays so.
    pub reuse_source_topics: bool,
}
