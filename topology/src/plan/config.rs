//! Choices that shape a plan.

use std::time::Duration;

/// Where a source starts on a partition that has no committed offset (KIP-1106).
///
/// ```
/// use candlewick::{AutoOffsetReset, Consumed};
/// use std::time::Duration;
/// // What was written in the last hour, and from then on.
/// let consumed = Consumed::<String, i64>::default()
///     .offset_reset(AutoOffsetReset::ByDuration(Duration::from_secs(3_600)));
/// # let _ = consumed;
/// ```
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
///
/// ```
/// use candlewick::{BuildOptions, Consumed, Materialized, PartitionCounts, StreamsBuilder};
/// let options = BuildOptions { reuse_source_topics: true, ..BuildOptions::default() };
/// let builder = StreamsBuilder::with_options(options);
/// builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"));
/// let topology = builder.build().expect("valid");
/// // No changelog is written.
/// assert_eq!(topology.internal_topics("app", &PartitionCounts::from([("prices".into(), 6)])), Ok(Vec::new()));
/// ```
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
