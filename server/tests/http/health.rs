//! The probes: every state with the answers an orchestrator should get.

use candlewick::{ApplicationState, StalledTask};

use crate::application::{PlainApplication, Served};

#[test]
fn probes_answer_by_state() {
    let table = [
        (ApplicationState::Created, 200, 503),
        (ApplicationState::Rebalancing, 200, 503),
        (ApplicationState::Running, 200, 200),
        (ApplicationState::PendingShutdown, 200, 503),
        (ApplicationState::NotRunning, 200, 503),
        (ApplicationState::PendingError, 200, 503),
        (ApplicationState::Error, 503, 503),
    ];
    for (state, live, ready) in table {
        let served = Served::start(PlainApplication::new(state));
        for (path, code) in [("/health/live", live), ("/health/ready", ready)] {
            let body = served.json(path, code);
            assert_eq!(body["ok"], code == 200, "{path} in {state:?}");
            assert_eq!(body["state"], serde_json::to_value(state).unwrap());
            assert!(body["reason"].as_str().unwrap().ends_with('.'), "{body}");
        }
    }
}

#[test]
fn reason_of_an_error_is_told() {
    let application = PlainApplication::new(ApplicationState::Error);
    application.status.lock().unwrap().error = Some("The disk is full.".to_owned());
    let served = Served::start(application);
    let body = served.json("/health/ready", 503);
    assert!(body["reason"].as_str().unwrap().contains("The disk is full."), "{body}");
}

#[test]
fn a_task_that_is_behind_and_does_not_move_is_not_ready() {
    let application = PlainApplication::new(ApplicationState::Running);
    let stalled = |task: &str| StalledTask { task: task.to_owned(), lag: 1_200, for_ms: 61_000 };
    application.status.lock().unwrap().stalled = vec![stalled("0_3"), stalled("1_0")];
    let served = Served::start(application);
    let body = served.json("/health/ready", 503);
    let reason = body["reason"].as_str().unwrap();
    assert!(reason.contains("Task 0_3 is 1200 record(s) behind and has not moved for 61 s"), "{body}");
    assert!(reason.ends_with("as 1 other(s)."), "{body}");
    // A restart may not help: the log may be away, or another system that a record waits for.
    served.json("/health/live", 200);
}
