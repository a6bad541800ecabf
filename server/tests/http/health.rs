//! The probes: every state with the answers an orchestrator should get.

use candlewick::ApplicationState;

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
