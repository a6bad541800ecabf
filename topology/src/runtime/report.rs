//! What a stream thread tells about itself, once a second: for status pages and metrics.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::shared::ThreadReport;
use super::status::{PartitionStatus, TaskPhase, TaskStatus};
use super::thread::{Awaited, StreamThread};

const INTERVAL: Duration = Duration::from_secs(1);

impl StreamThread {
    pub(super) fn report_when_due(&mut self) {
        let now = self.application.clock.monotonic();
        if now.saturating_sub(self.last_report) >= INTERVAL {
            self.last_report = now;
            self.report();
        }
    }

    pub(super) fn report(&self) {
        let mut report = ThreadReport::default();
        for running in &self.tasks {
            let task = &running.task;
            let partitions = task.group.queues.iter().map(|queue| PartitionStatus {
                topic: queue.partition.topic.to_string(),
                partition: queue.partition.partition.0,
                // What a transaction leaves behind its records is passed without being processed.
                position: match queue.len() {
                    0 => self.consumer.position(&queue.partition).or(queue.position),
                    _ => queue.position,
                },
                end: self.consumer.known_end(&queue.partition),
                buffered: queue.len(),
            });
            report.tasks.push(TaskStatus {
                id: task.id.to_string(),
                thread: self.index,
                phase: TaskPhase::Running,
                processed: task.processed,
                stream_time_ms: task.env.stream_time.0,
                partitions: partitions.collect(),
                restored: None,
            });
            for (name, count) in task.processed_by_node() {
                *report.nodes.entry(name.to_string()).or_default() += count;
            }
            for (reason, count) in task.env.dropped() {
                *report.dropped.entry(reason.name()).or_default() += count;
            }
        }
        for (id, Awaited { progress, .. }) in &self.restoring {
            let (restored, total) =
                (progress.restored.load(Ordering::Relaxed), progress.total.load(Ordering::Relaxed));
            report.tasks.push(TaskStatus {
                id: id.to_string(),
                thread: self.index,
                phase: TaskPhase::Restoring,
                processed: 0,
                stream_time_ms: -1,
                partitions: Vec::new(),
                restored: Some((restored, total)),
            });
        }
        self.measure(&report);
        self.measure_stores();
        self.shared.report(self.index, report);
    }

    /// The same through the metrics facade. Counters are set to what the tasks have counted: nothing is looked up by
    /// name while a record is processed.
    fn measure(&self, report: &ThreadReport) {
        let thread = self.index.to_string();
        for task in &report.tasks {
            let labels = [("thread", thread.clone()), ("task", task.id.clone())];
            metrics::counter!("candlewick_task_processed_total", &labels).absolute(task.processed);
            if task.stream_time_ms >= 0 {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gauge of milliseconds needs no more than 53 bits"
                )]
                metrics::gauge!("candlewick_task_stream_time_ms", &labels).set(task.stream_time_ms as f64);
            }
            for partition in &task.partitions {
                let labels = [
                    ("task", task.id.clone()),
                    ("topic", partition.topic.clone()),
                    ("partition", partition.partition.to_string()),
                ];
                if let Some(lag) = partition.lag() {
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "a lag of 2^53 records is as good as exact"
                    )]
                    metrics::gauge!("candlewick_consumer_lag_records", &labels).set(lag as f64);
                }
            }
        }
        for (node, count) in &report.nodes {
            let labels = [("thread", thread.clone()), ("node", node.clone())];
            metrics::counter!("candlewick_node_processed_total", &labels).absolute(*count);
        }
        for (reason, count) in &report.dropped {
            let labels = [("thread", thread.clone()), ("reason", (*reason).to_owned())];
            metrics::counter!("candlewick_records_dropped_total", &labels).absolute(*count);
        }
        let states: BTreeMap<&str, usize> =
            BTreeMap::from([("running", self.tasks.len()), ("restoring", self.restoring.len())]);
        for (state, count) in states {
            let labels = [("thread", thread.clone()), ("state", state.to_owned())];
            #[expect(clippy::cast_precision_loss, reason = "few tasks")]
            metrics::gauge!("candlewick_tasks", &labels).set(count as f64);
        }
    }

    /// What the stores' caches were good for, and how much of each task is still to be restored: nothing, once it runs.
    fn measure_stores(&self) {
        for running in &self.tasks {
            let task = running.task.id.to_string();
            metrics::gauge!("candlewick_restore_remaining_records", "task" => task.clone()).set(0.0);
            for (store, counts) in running.task.env.state.cache_counts() {
                let labels = [("task", task.clone()), ("store", store.to_owned())];
                metrics::counter!("candlewick_store_cache_hits_total", &labels).absolute(counts.hits);
                metrics::counter!("candlewick_store_cache_misses_total", &labels).absolute(counts.misses);
            }
        }
        for (id, Awaited { progress, .. }) in &self.restoring {
            let (restored, total) =
                (progress.restored.load(Ordering::Relaxed), progress.total.load(Ordering::Relaxed));
            #[expect(clippy::cast_precision_loss, reason = "2^53 records are as good as exact")]
            let left = (total - restored).max(0) as f64;
            metrics::gauge!("candlewick_restore_remaining_records", "task" => id.to_string()).set(left);
        }
    }
}

/// The histograms of a thread, looked up once.
pub(super) struct Meters {
    /// How long one round of processing took, of all that the polls before it brought.
    pub(super) process: metrics::Histogram,
    /// How long one commit took, from the first flush to the engines.
    pub(super) commit: metrics::Histogram,
}

impl Meters {
    pub(super) fn new(thread: usize) -> Self {
        let label = [("thread", thread.to_string())];
        Self {
            process: metrics::histogram!("candlewick_process_seconds", &label),
            commit: metrics::histogram!("candlewick_commit_seconds", &label),
        }
    }
}
