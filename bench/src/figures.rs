//! What was measured, as numbers. Owns the shape of the report's cases; must not know how they came about.

use serde::Serialize;

use crate::totals::Totals;

/// One side of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// User and system seconds of the process over its whole life.
    pub cpu_s: f64,
    /// The same for a million input records.
    pub cpu_s_per_million: f64,
    /// CPU seconds for a million of the last 40 % of the records. The JVM's is always there; ours where the input is
    /// paced, for otherwise there is no telling when it reaches them.
    pub cpu_s_per_million_last_40_percent: Option<f64>,
    /// Peak of the anonymous resident memory, sampled every 50 ms, in MiB.
    pub rss_anon_mib: f64,
    /// From the start of the process to the first record in the output topic, in seconds.
    pub first_output_s: f64,
    /// From the start of the process to its end, in seconds.
    pub wall_s: f64,
    /// The broker's CPU seconds meanwhile, for a million input records; it serves the readers of the bench too.
    pub broker_cpu_s_per_million: f64,
    /// What the output topic held at the end.
    pub totals: Totals,
}

/// A case: both sides on the same input.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// The workload's name.
    pub name: &'static str,
    /// Input records.
    pub records: u64,
    /// Load average of the machine before and after.
    pub load: (f64, f64),
    /// The `candlewick` binary.
    pub ours: Side,
    /// Kafka Streams.
    pub theirs: Side,
    /// What had to come out.
    pub expected: Totals,
}

impl Case {
    /// Our CPU over the whole run against the JVM's warm part, for a record.
    #[must_use]
    pub fn cpu_ratio(&self) -> f64 {
        let warm = self.theirs.cpu_s_per_million_last_40_percent;
        self.ours.cpu_s_per_million / warm.unwrap_or(self.theirs.cpu_s_per_million)
    }

    /// Our peak of memory against theirs.
    #[must_use]
    pub fn rss_ratio(&self) -> f64 {
        self.ours.rss_anon_mib / self.theirs.rss_anon_mib
    }

    /// Whether both outputs are what had to come out.
    #[must_use]
    pub fn outputs_equal(&self) -> bool {
        self.ours.totals == self.expected && self.theirs.totals == self.expected
    }
}

/// The figures that the bars are about.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Candles at least once.
    pub cpu_ratio_alo: Option<f64>,
    /// Candles exactly once, both fed at the same rate.
    pub cpu_ratio_eos: Option<f64>,
    /// The stateless pipeline.
    pub cpu_ratio_stateless: Option<f64>,
    /// Candles at least once without the record cache.
    pub cpu_ratio_alo_cache_off: Option<f64>,
    /// Peak memory, candles at least once.
    pub rss_ratio: Option<f64>,
    /// Our first output, candles at least once, in seconds from process start.
    pub first_output_s: Option<f64>,
    /// Whether all outputs were right.
    pub outputs_equal: bool,
}

impl Figures {
    /// The figures of these cases.
    #[must_use]
    pub fn of(cases: &[Case]) -> Self {
        let case = |name: &str| cases.iter().find(|case| case.name == name);
        let ratio = |name: &str| case(name).map(Case::cpu_ratio);
        Self {
            cpu_ratio_alo: ratio("alo"),
            cpu_ratio_eos: ratio("eos"),
            cpu_ratio_stateless: ratio("stateless"),
            cpu_ratio_alo_cache_off: ratio("alo-cache-off"),
            rss_ratio: case("alo").map(Case::rss_ratio),
            first_output_s: case("alo").map(|case| case.ours.first_output_s),
            outputs_equal: cases.iter().all(Case::outputs_equal),
        }
    }
}
