//! Status, tasks, metrics and topology are what the application says.

use candlewick::{ApplicationState, PartitionStatus};

use crate::application::{DESCRIPTION, STORE, Served, status, topology};

#[test]
fn status_is_the_applications_own() {
    let expected = serde_json::to_value(status(ApplicationState::Running)).unwrap();
    assert_eq!(Served::running().json("/status", 200), expected);
}

#[test]
fn tasks_carry_their_lag_and_restore_progress() {
    let body = Served::running().json("/tasks", 200);
    let known = status(ApplicationState::Running);
    assert_eq!(body["tasks"].as_array().unwrap().len(), known.tasks.len());
    for (shown, task) in body["tasks"].as_array().unwrap().iter().zip(&known.tasks) {
        assert_eq!(shown["id"], task.id);
        let lags: Vec<i64> = task.partitions.iter().filter_map(PartitionStatus::lag).collect();
        let lag = if lags.is_empty() { None } else { Some(lags.iter().sum::<i64>()) };
        assert_eq!(shown["lag"], serde_json::to_value(lag).unwrap());
        let progress = task.restored.map(|(done, total)| done as f64 / total as f64);
        assert_eq!(shown["restore_progress"], serde_json::to_value(progress).unwrap());
        for (shown, partition) in shown["lags"].as_array().unwrap().iter().zip(&task.partitions) {
            assert_eq!(shown["partition"], partition.partition);
            assert_eq!(shown["lag"], serde_json::to_value(partition.lag()).unwrap());
        }
    }
}

#[test]
fn metrics_are_rendered_for_prometheus() {
    let served = Served::running();
    metrics::counter!("candlewick_test_records_total", "reason" => "late").increment(3);
    metrics::histogram!("candlewick_test_commit_seconds").record(0.002);
    let response = served.get("/metrics");
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = response.text().unwrap();
    assert!(text.contains("candlewick_test_records_total{reason=\"late\"} 3"), "{text}");
    // 2 ms are above the bucket of 1 ms and within the one of 2.5 ms.
    assert!(text.contains("candlewick_test_commit_seconds_bucket{le=\"0.001\"} 0"), "{text}");
    assert!(text.contains("candlewick_test_commit_seconds_bucket{le=\"0.0025\"} 1"), "{text}");
}

#[test]
fn recorder_is_installed_once() {
    crate::application::recorder();
    let again = candlewick_server::install_recorder();
    assert!(matches!(again, Err(candlewick_server::ServerError::RecorderInstalled)));
}

#[test]
fn topology_is_json_unless_a_browser_asks() {
    let served = Served::running();
    let expected = serde_json::to_value(topology()).unwrap();
    assert_eq!(served.json("/topology", 200), expected);
    let page = served.get_accepting("/topology", "text/html,application/xhtml+xml,*/*;q=0.8");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers()["vary"], "accept");
}

#[test]
fn topology_text_is_the_description() {
    assert_eq!(Served::running().get("/topology.txt").text().unwrap(), DESCRIPTION);
}

#[test]
fn stores_are_listed_with_what_they_keep() {
    assert_eq!(
        Served::running().json("/stores", 200),
        serde_json::json!({ "stores": [{ "name": STORE, "kind": "key-value", "partitions": 2 }] })
    );
}
