//! The probes of an orchestrator. Owns which states count as alive and as ready; must not know why a state was reached.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use candlewick::{ApplicationState, StalledTask, Status};
use serde_json::json;

use super::Shared;
use super::answer::Failure;

/// `GET /health/live`: 503 when only a restart can help.
pub(super) async fn live(State(shared): State<Shared>) -> Result<Response, Failure> {
    let status = shared.ask(|application| application.status()).await?;
    let dead = status.state == ApplicationState::Error;
    Ok(answer(!dead, &status))
}

/// `GET /health/ready`: 200 while every task of this instance runs, and none has records before it and does not move.
pub(super) async fn ready(State(shared): State<Shared>) -> Result<Response, Failure> {
    let status = shared.ask(|application| application.status()).await?;
    Ok(answer(status.state == ApplicationState::Running && status.stalled.is_empty(), &status))
}

fn answer(good: bool, status: &Status) -> Response {
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ok": good, "state": status.state, "reason": reason(status) });
    (code, Json(body)).into_response()
}

fn reason(status: &Status) -> String {
    let sentence = match status.state {
        ApplicationState::Created => "The application has not been started yet.",
        ApplicationState::Rebalancing => "Tasks are being assigned or restored.",
        ApplicationState::Running => "Every task of this instance runs.",
        ApplicationState::PendingShutdown => "The application is stopping in good order.",
        ApplicationState::NotRunning => "The application has stopped.",
        ApplicationState::PendingError => "A thread failed, and the application is stopping.",
        ApplicationState::Error => "The application was stopped by an error.",
        _ => "The application is in a state that the status server does not know.",
    };
    let mut told = sentence.to_owned();
    if status.is_paused {
        told += " Processing is paused.";
    }
    if let Some(StalledTask { task, lag, for_ms }) = status.stalled.first() {
        let others = status.stalled.len() - 1;
        told += &format!(
            " Task {task} is {lag} record(s) behind and has not moved for {} s, as {others} other(s).",
            for_ms / 1_000
        );
    }
    match &status.error {
        Some(error) => format!("{told} {error}"),
        None => told,
    }
}
