//! What somebody sees who runs the binary for the first time, with nothing said: how soon there are candles, readiness and
//! predictions, and what the page in a browser draws.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use candlewick_tests::browser::Browser;
use candlewick_tests::shipped::Candlewick;
use candlewick_tests::{require, servers};
use serde_json::Value;

/// For what the page shows a moment later.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bars of a first run, from the start of the process.
const CANDLE_MAX: Duration = Duration::from_secs(5);
const READY_MAX: Duration = Duration::from_secs(60);
const PREDICTION_MAX: Duration = Duration::from_secs(90);

/// One at a time: the first run is timed, and needs the machine for itself.
static ALONE: Mutex<()> = Mutex::new(());

/// What the timed run has trained, for the other test: the same seed makes the same model.
static MODEL: OnceLock<PathBuf> = OnceLock::new();

/// Which model a run begins with.
enum Model {
    None,
    /// That of an earlier run, if there was one.
    OfAnother,
}

/// A first run with nothing said but its port.
struct FirstRun {
    url: String,
    started: Instant,
    process: Candlewick,
    folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

fn get(url: &str) -> Option<Value> {
    let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build();
    client.ok()?.get(url).send().ok()?.error_for_status().ok()?.json().ok()
}

/// The events of a kind that the page is fed with.
fn events(url: &str, kind: &str) -> usize {
    let snapshot = get(&format!("{url}/feed/snapshot")).unwrap_or_default();
    let events = snapshot["events"].as_array().cloned().unwrap_or_default();
    events.iter().filter(|event| event["type"] == kind).count()
}

impl FirstRun {
    fn start(model: Model) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let model = match model {
            Model::OfAnother => MODEL.get().map_or("data/model", |folder| folder.to_str().expect("UTF-8")),
            Model::None => "data/model",
        };
        let folder = tempfile::tempdir().expect("a folder");
        let listen = format!("127.0.0.1:{}", servers::free_port());
        // Building it is not part of the run.
        candlewick_tests::shipped::binary();
        let started = Instant::now();
        let process = Candlewick::start(folder.path(), &["run", "--listen", &listen, "--model-dir", model]);
        Self { url: format!("http://{listen}"), started, process, folder, _alone: alone }
    }

    /// How long after the start of the process this was there.
    fn seen(&self, what: &str, is_there: impl Fn() -> bool) -> Duration {
        while !is_there() {
            let words = self.process.output();
            assert!(self.started.elapsed() < PREDICTION_MAX * 2, "there is no {what}:\n{words}");
            std::thread::sleep(Duration::from_millis(50));
        }
        self.started.elapsed()
    }
}

#[test]
fn a_first_run_shows_candles_at_once_and_predicts_soon() {
    let run = FirstRun::start(Model::None);
    let candle = run.seen("candle", || events(&run.url, "candle") > 0);
    let ready = run.seen("readiness", || get(&format!("{}/health/ready", run.url)).is_some());
    let prediction = run.seen("prediction", || events(&run.url, "prediction") > 0);
    eprintln!("first candle {candle:?}, ready {ready:?}, prediction {prediction:?}");
    assert!(candle <= CANDLE_MAX, "the first candle after {candle:?}");
    assert!(ready <= READY_MAX, "ready after {ready:?}");
    assert!(prediction <= PREDICTION_MAX, "the first prediction after {prediction:?}");
    let kept = servers::data_folder("model").expect("a folder");
    for file in std::fs::read_dir(run.folder.path().join("data/model")).expect("the model").flatten() {
        std::fs::copy(file.path(), kept.join(file.file_name())).expect("copied");
    }
    MODEL.get_or_init(|| kept);
}

#[test]
fn the_page_draws_candles_and_a_prediction_band_that_change_and_complains_of_nothing() {
    let mut browser = require!(Browser::start());
    let run = FirstRun::start(Model::OfAnother);
    run.seen("prediction", || events(&run.url, "prediction") > 0);
    browser.open(&run.url);
    // Until somebody chooses, it shows the interval that is predicted.
    let band = browser.wait_for(&mark("band"), PATIENCE);
    let [_, low, mid, high] = numbers(&band)[..] else { panic!("{band} is no band") };
    assert!(low <= mid && mid <= high && low > 0.0, "{band} is no band");
    let candles = browser.wait_for(&mark("candles"), PATIENCE);
    assert!(numbers(&candles)[0] > 10.0, "{candles} candles are drawn");
    let look = browser.look_at("#chart");
    assert!(look.colours > 8 && look.plain < 0.99, "the chart is drawn: {look:?}");
    choose(&mut browser, "1s");
    let last = browser.wait_for(&mark("last"), PATIENCE);
    let [_, open, highest, lowest, close] = numbers(&last)[..] else { panic!("{last} is no candle") };
    assert!(lowest > 0.0 && lowest <= open.min(close) && highest >= open.max(close), "{last} is no candle");
    browser.wait_for(&format!("({0}) !== {last} && ({0})", mark("last")), PATIENCE);
    choose(&mut browser, "1m");
    // The next minute has another prediction.
    browser.wait_for(&format!("({0}) !== {band} && ({0})", mark("band")), Duration::from_secs(100));
    assert_eq!(browser.complaints(), [""; 0]);
}

/// What the chart says of itself.
fn mark(name: &str) -> String {
    format!("document.getElementById('chart')?.dataset.{name}")
}

fn numbers(text: &Value) -> Vec<f64> {
    let words = text.as_str().expect("text").split(' ');
    words.map(|number| number.parse().expect("a number")).collect()
}

/// Presses the button of an interval.
fn choose(browser: &mut Browser, interval: &str) {
    browser.value(&format!(
        "[...document.querySelectorAll('#intervals button')].find(button => button.textContent.trim() === '{interval}').click()"
    ));
    browser.wait_for(&format!("({}) === '{interval}'", mark("interval")), PATIENCE);
}
