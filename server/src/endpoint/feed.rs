//! The market feed over HTTP: all at once, or as server-sent events. Owns the pace of sending; must not know what events
//! mean.
//!
//! A follower is sent what it has missed, at most [`BATCH_MAX`] events in a message, then whatever comes, at most once in
//! [`PACE`]. It keeps no queue: it reads the shared history from where it stands, so one that is slow skips versions.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Shared;
use super::answer::Failure;
use crate::feed::{Feed, FeedEvent};
use crate::status_server::wait_for_stop;

/// Events in one message at most.
const BATCH_MAX: usize = 1_000;
/// The shortest time between two messages: a screen shows no more.
const PACE: Duration = Duration::from_millis(50);
/// What a browser sends when it connects again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The query of the feed.
#[derive(Deserialize)]
pub(super) struct Since {
    since: Option<u64>,
}

/// `GET /feed/snapshot`: everything that is kept.
pub(super) async fn snapshot(State(shared): State<Shared>) -> Json<serde_json::Value> {
    let seq = shared.feed.latest();
    let kept = shared.feed.after(0, usize::MAX);
    let events: Vec<&FeedEvent> = kept.iter().map(|(_, event)| &**event).collect();
    Json(json!({ "run": shared.feed.run(), "seq": seq, "events": events }))
}

/// `GET /feed?since=N`: server-sent events. The first, `hello`, names the run; each `events` after it is an array, and its
/// id is the number to give as `since` (or as the header `Last-Event-ID`) to go on behind it.
pub(super) async fn follow(
    State(shared): State<Shared>,
    Query(query): Query<Since>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let permit = Arc::clone(&shared.followers).try_acquire_owned().map_err(|_| {
        Failure::busy(
            "As many pages follow the feed as the server allows: close one, or read /feed/snapshot.",
        )
    })?;
    let resumed = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let latest = shared.feed.latest();
    // A number from the future belongs to another process; its reader has to start over.
    let since = resumed.or(query.since).filter(|since| *since <= latest).unwrap_or(0);
    let follower = Follower {
        news: shared.feed.follow(),
        feed: shared.feed,
        since,
        greeted: false,
        sent: false,
        _permit: permit,
    };
    let events = stream::unfold((follower, shared.stopped), |(mut follower, stopped)| async move {
        tokio::select! {
            event = follower.next() => event.map(|event| (Ok::<_, Infallible>(event), (follower, stopped))),
            () = wait_for_stop(stopped.clone()) => None,
        }
    });
    Ok(respond(events))
}

fn respond(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::default()).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

struct Follower {
    feed: Arc<Feed>,
    news: watch::Receiver<u64>,
    since: u64,
    greeted: bool,
    sent: bool,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        if !self.greeted {
            self.greeted = true;
            let hello = json!({ "run": self.feed.run(), "seq": self.feed.latest() });
            return Some(
                Event::default().event("hello").retry(Duration::from_secs(1)).data(hello.to_string()),
            );
        }
        loop {
            if self.sent {
                tokio::time::sleep(PACE).await;
            }
            let latest = self.feed.latest();
            let batch = self.feed.after(self.since, BATCH_MAX);
            if let Some((last, _)) = batch.last() {
                self.since = *last;
                self.sent = true;
                return Some(message(&batch));
            }
            // What is not there up to here has been replaced or forgotten, and will not come.
            self.since = self.since.max(latest);
            self.news.wait_for(|latest| *latest > self.since).await.ok()?;
        }
    }
}

fn message(batch: &[(u64, Arc<FeedEvent>)]) -> Event {
    let events: Vec<&FeedEvent> = batch.iter().map(|(_, event)| &**event).collect();
    let id = batch.last().map_or(0, |(number, _)| *number);
    let data =
        serde_json::to_string(&events).expect("an event has only text and numbers, which JSON can hold");
    Event::default().event("events").id(id.to_string()).data(data)
}
