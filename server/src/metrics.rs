//! The Prometheus recorder behind the `metrics` facade. Owns the buckets of histograms; must not know which metrics exist.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::error::ServerError;

/// How often observations of histograms are folded into their buckets, so that they do not pile up between scrapes.
pub(crate) const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Bounds for metrics that end in `_seconds`: from ten microseconds, a quick process call, to a slow commit.
const SECONDS_BUCKETS: [f64; 16] = [
    0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 5.0,
];
/// The same bounds for metrics that end in `_ms`.
const MILLISECONDS_BUCKETS: [f64; 16] =
    [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 5_000.0];
/// Bounds for all other histograms, which count records or bytes.
const COUNT_BUCKETS: [f64; 12] =
    [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

/// Reads the metrics of this process. Cheap to clone.
///
/// ```
/// let metrics = candlewick_server::install_recorder()?;
/// metrics::counter!("trades_total").increment(7);
/// assert!(metrics.clone().render().contains("trades_total 7"));
/// # Ok::<(), candlewick_server::ServerError>(())
/// ```
#[derive(Clone)]
pub struct MetricsHandle {
    prometheus: PrometheusHandle,
}

impl MetricsHandle {
    /// All metrics in Prometheus' text format.
    ///
    /// ```
    /// let metrics = candlewick_server::install_recorder()?;
    /// metrics::gauge!("queue_length").set(3.0);
    /// assert!(metrics.render().contains("queue_length 3"));
    /// # Ok::<(), candlewick_server::ServerError>(())
    /// ```
    #[must_use]
    pub fn render(&self) -> String {
        self.prometheus.render()
    }

    pub(crate) fn upkeep(&self) {
        self.prometheus.run_upkeep();
    }
}

/// Collects every metric of this process from now on. Call it once, before the first stream thread starts; metrics
/// recorded earlier are lost. A [`StatusServer`](crate::StatusServer) looks after them from then on: without one, what
/// histograms were told is kept until somebody renders it, and grows.
///
/// Histograms whose names end in `_seconds` or `_ms` get buckets of time, all others buckets of counts.
///
/// ```
/// use candlewick_server::{ServerError, install_recorder};
/// assert!(install_recorder().is_ok());
/// assert!(matches!(install_recorder(), Err(ServerError::RecorderInstalled)));
/// ```
///
/// # Errors
/// [`ServerError::RecorderInstalled`] when metrics are already collected in this process.
pub fn install_recorder() -> Result<MetricsHandle, ServerError> {
    let suffix = |end: &str| Matcher::Suffix(end.to_owned());
    let prometheus = PrometheusBuilder::new()
        .set_buckets(&COUNT_BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(suffix("_seconds"), &SECONDS_BUCKETS))
        .and_then(|builder| builder.set_buckets_for_metric(suffix("_ms"), &MILLISECONDS_BUCKETS))
        .expect("the buckets above are not empty, which is the only thing that is refused")
        .install_recorder()
        .map_err(|_| ServerError::RecorderInstalled)?;
    Ok(MetricsHandle { prometheus })
}
