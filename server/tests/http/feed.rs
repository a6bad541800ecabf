//! The market feed over HTTP: catching up, following, resuming, and what is forgotten.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use candlewick_server::{CandleEvent, Feed, FeedEvent, FeedLimits, PredictionEvent};
use reqwest::blocking::Response;
use serde_json::{Value, json};

use crate::application::Served;

fn candle(symbol: &str, ts: i64, close: f64) -> CandleEvent {
    CandleEvent {
        symbol: symbol.to_owned(),
        interval: "1m".to_owned(),
        ts,
        open: 1.0,
        high: close.max(1.0),
        low: close.min(1.0),
        close,
        volume: 2.5,
        trades: 7,
        simulated: true,
    }
}

fn prediction(ts: i64) -> PredictionEvent {
    PredictionEvent {
        symbol: "BTC-USD".to_owned(),
        interval: "1m".to_owned(),
        ts,
        horizon_ms: 300_000,
        close: 2.0,
        low: 1.5,
        mid: 2.1,
        high: 2.5,
        model: "lstm-1".to_owned(),
    }
}

/// Reads server-sent events off a response.
struct Follower {
    lines: std::io::Lines<BufReader<Response>>,
}

impl Follower {
    fn new(response: Response) -> Self {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { lines: BufReader::new(response).lines() }
    }

    /// The next event: its name, its id and its data.
    fn next(&mut self) -> (String, Option<String>, Value) {
        let (mut name, mut id, mut data) = (String::new(), None, String::new());
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            match line.split_once(": ") {
                Some(("event", text)) => text.clone_into(&mut name),
                Some(("id", text)) => id = Some(text.to_owned()),
                Some(("data", text)) => data.push_str(text),
                _ if line.is_empty() && !data.is_empty() => break,
                _ => {}
            }
        }
        (name, id, serde_json::from_str(&data).unwrap())
    }
}

#[test]
fn events_have_the_fields_the_page_reads() {
    let expected = json!({
        "type": "candle", "symbol": "BTC-USD", "interval": "1m", "ts": 60_000, "open": 1.0, "high": 3.0, "low": 1.0,
        "close": 3.0, "volume": 2.5, "trades": 7, "simulated": true,
    });
    assert_eq!(serde_json::to_value(FeedEvent::from(candle("BTC-USD", 60_000, 3.0))).unwrap(), expected);
    let expected = json!({
        "type": "prediction", "symbol": "BTC-USD", "interval": "1m", "ts": 60_000, "horizon_ms": 300_000, "close": 2.0,
        "low": 1.5, "mid": 2.1, "high": 2.5, "model": "lstm-1",
    });
    assert_eq!(serde_json::to_value(FeedEvent::from(prediction(60_000))).unwrap(), expected);
}

#[test]
fn follower_catches_up_then_sees_what_comes() {
    let served = Served::running();
    served.feed.push(candle("BTC-USD", 0, 2.0));
    served.feed.push(prediction(0));
    let mut follower = Follower::new(served.get("/feed"));
    assert_eq!(follower.next().0, "hello");
    let (name, _, caught_up) = follower.next();
    assert_eq!(name, "events");
    assert_eq!(caught_up, serde_json::to_value(served.feed.events()).unwrap());
    let news = FeedEvent::from(candle("BTC-USD", 60_000, 3.0));
    served.feed.push(news.clone());
    assert_eq!(follower.next().2, serde_json::to_value([news]).unwrap());
}

#[test]
fn follower_resumes_behind_the_id_it_has_seen() {
    let served = Served::running();
    served.feed.push(candle("BTC-USD", 0, 2.0));
    let mut follower = Follower::new(served.get("/feed"));
    follower.next();
    let id = follower.next().1.unwrap();
    let missed = FeedEvent::from(candle("BTC-USD", 60_000, 3.0));
    served.feed.push(missed.clone());
    let mut resumed = Follower::new(served.get(&format!("/feed?since={id}")));
    resumed.next();
    assert_eq!(resumed.next().2, serde_json::to_value([missed]).unwrap());
}

#[test]
fn follower_of_another_process_starts_over() {
    let served = Served::running();
    served.feed.push(candle("BTC-USD", 0, 2.0));
    let mut follower = Follower::new(served.get(&format!("/feed?since={}", u64::MAX)));
    follower.next();
    assert_eq!(follower.next().2, serde_json::to_value(served.feed.events()).unwrap());
}

#[test]
fn follower_waits_quietly_when_the_newest_event_was_forgotten() {
    let served = Served::running();
    let kept = i64::try_from(FeedLimits::default().events_per_series_max).unwrap();
    (1..=kept).for_each(|ts| served.feed.push(candle("BTC-USD", ts, 2.0)));
    let mut follower = Follower::new(served.get("/feed"));
    follower.next();
    follower.next();
    // Older than all that are kept: it gets the newest number and is forgotten at once.
    served.feed.push(candle("BTC-USD", 0, 2.0));
    let news = FeedEvent::from(candle("BTC-USD", kept + 1, 3.0));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(served.get("/health/live").status(), 200, "the server is busy with nothing");
    served.feed.push(news.clone());
    assert_eq!(follower.next().2, serde_json::to_value([news]).unwrap());
}

#[test]
fn snapshot_has_the_latest_version_of_each_event() {
    let served = Served::running();
    for close in [2.0, 3.0, 4.0] {
        served.feed.push(candle("BTC-USD", 0, close));
    }
    let body = served.json("/feed/snapshot", 200);
    let latest = FeedEvent::from(candle("BTC-USD", 0, 4.0));
    assert_eq!(body["events"], serde_json::to_value([latest]).unwrap());
}

#[test]
fn history_keeps_the_newest_by_time_of_each_series() {
    let feed = Feed::new(FeedLimits { events_per_series_max: 3, series_max: 8 });
    for ts in [4, 1, 5, 2, 3] {
        feed.push(candle("BTC-USD", ts, 2.0));
        feed.push(candle("ETH-USD", ts, 2.0));
    }
    for symbol in ["BTC-USD", "ETH-USD"] {
        let mut kept: Vec<i64> = candles(&feed).iter().filter(|c| c.symbol == symbol).map(|c| c.ts).collect();
        kept.sort_unstable();
        assert_eq!(kept, [3, 4, 5]);
    }
}

#[test]
fn history_forgets_the_quietest_series() {
    let feed = Feed::new(FeedLimits { events_per_series_max: 3, series_max: 2 });
    for symbol in ["A", "B", "A", "C"] {
        feed.push(candle(symbol, 0, 2.0));
    }
    let kept: Vec<String> = candles(&feed).into_iter().map(|candle| candle.symbol).collect();
    assert_eq!(kept, ["A", "C"]);
}

#[test]
fn writers_on_many_threads_lose_nothing() {
    let feed = Arc::new(Feed::default());
    let symbols = ["A", "B", "C", "D"];
    std::thread::scope(|scope| {
        for symbol in symbols {
            let feed = Arc::clone(&feed);
            scope.spawn(move || (0..200).for_each(|ts| feed.push(candle(symbol, ts, 2.0))));
        }
    });
    assert_eq!(candles(&feed).len(), symbols.len() * 200);
}

fn candles(feed: &Feed) -> Vec<CandleEvent> {
    let only = |event| match event {
        FeedEvent::Candle(candle) => Some(candle),
        _ => None,
    };
    feed.events().into_iter().filter_map(only).collect()
}
