//! What the application is doing: its status, its tasks with their lag, its metrics. Must not know the page that shows it.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use candlewick::{ApplicationState, PartitionStatus, Status, TaskStatus};
use serde::Serialize;

use super::Shared;
use super::answer::Failure;

/// The content type of Prometheus' text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /status`: the whole snapshot.
pub(super) async fn status(State(shared): State<Shared>) -> Result<Json<Status>, Failure> {
    shared.ask(|application| application.status()).await.map(Json)
}

/// `GET /tasks`: the tasks of this instance.
pub(super) async fn tasks(State(shared): State<Shared>) -> Result<Json<Tasks>, Failure> {
    shared.ask(|application| Tasks::from(application.status())).await.map(Json)
}

/// `GET /metrics`: for Prometheus.
pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], shared.metrics.render()).into_response()
}

#[derive(Serialize)]
pub(super) struct Tasks {
    instance: String,
    state: ApplicationState,
    tasks: Vec<Task>,
}

/// A task's status with what follows from it.
#[derive(Serialize)]
struct Task {
    /// Records between its positions and the ends, where both are known; nothing when no partition knows.
    lag: Option<i64>,
    /// The part that is restored, from 0 to 1, while restoring.
    restore_progress: Option<f64>,
    lags: Vec<PartitionLag>,
    #[serde(flatten)]
    status: TaskStatus,
}

#[derive(Serialize)]
struct PartitionLag {
    topic: String,
    partition: i32,
    lag: Option<i64>,
}

impl From<Status> for Tasks {
    fn from(status: Status) -> Self {
        let tasks = status.tasks.into_iter().map(Task::from).collect();
        Self { instance: status.instance, state: status.state, tasks }
    }
}

impl From<TaskStatus> for Task {
    fn from(status: TaskStatus) -> Self {
        let known: Vec<i64> = status.partitions.iter().filter_map(PartitionStatus::lag).collect();
        let lags = status.partitions.iter().map(|partition| PartitionLag {
            topic: partition.topic.clone(),
            partition: partition.partition,
            lag: partition.lag(),
        });
        Self {
            lag: (!known.is_empty()).then(|| known.iter().sum()),
            restore_progress: status.restored.map(progress),
            lags: lags.collect(),
            status,
        }
    }
}

fn progress((restored, total): (i64, i64)) -> f64 {
    if total <= 0 { 1.0 } else { (restored as f64 / total as f64).clamp(0.0, 1.0) }
}
