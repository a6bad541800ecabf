//! What a task needs of a model: state that survives, batches that equal their rows, gaps that mean the same as in
//! training.

mod synthetic;

use candlewick::{DefaultSerde, Serde, Timestamp};
use candlewick_models::{CandleWindow, Model, Prediction, Progress, TrainConfig, train};
use candlewick_operators::{Candle, ClosedCandle};
use synthetic::{MINUTE, candles, series, small};

fn model() -> Model {
    train(&[series(1, 400)], &small(), &Progress::hidden()).expect("enough candles").model
}

fn bits(window: &CandleWindow) -> Vec<u32> {
    window.window().iter().map(|number| number.to_bits()).collect()
}

#[test]
fn window_is_ready_after_warm_up_and_window_length() {
    let input = small().input();
    let mut window = CandleWindow::new(&input);
    let first = candles(2, 60).iter().position(|closed| window.push(closed.start, &closed.candle));
    assert_eq!(first, Some(input.features.warm_up() + input.window - 1));
    assert_eq!(window.window().len(), input.len());
}

#[test]
fn restored_window_goes_on_bit_identically() {
    let input = TrainConfig::default().input();
    let mut window = CandleWindow::new(&input);
    let serde = CandleWindow::default_serde();
    for (at, closed) in candles(3, 150).iter().enumerate() {
        let mut bytes = Vec::new();
        serde.serialize("windows", &window, &mut bytes).expect("every window has bytes");
        assert!(bytes.len() < 5_000, "{} bytes at candle {at}", bytes.len());
        let mut restored: CandleWindow = serde.deserialize("windows", &bytes).expect("the same window");
        assert!(restored.fits(&input));
        assert_eq!(restored.push(closed.start, &closed.candle), window.push(closed.start, &closed.candle));
        assert_eq!(bits(&restored), bits(&window));
        assert_eq!(restored, window);
    }
}

#[test]
fn batch_equals_its_rows_bit_for_bit() {
    let model = model();
    let predictor = model.predictor();
    let mut window = CandleWindow::new(model.input());
    let mut windows = Vec::new();
    for closed in candles(4, 100) {
        if window.push(closed.start, &closed.candle) {
            windows.extend_from_slice(window.window());
        }
    }
    let rows = windows.len() / predictor.window_len();
    let mut together = vec![0.0; rows * predictor.quantiles()];
    predictor.predict_batch(&windows, &mut together);
    for (window, row) in windows.chunks(predictor.window_len()).zip(together.chunks(predictor.quantiles())) {
        let mut alone = vec![0.0; predictor.quantiles()];
        predictor.predict_batch(window, &mut alone);
        assert_eq!(alone, row);
    }
    predictor.predict_batch(&[], &mut []);
}

#[test]
fn stale_or_priceless_candle_changes_nothing() {
    let mut window = CandleWindow::new(&small().input());
    let history = candles(5, 40);
    for closed in &history {
        window.push(closed.start, &closed.candle);
    }
    let before = window.clone();
    assert!(!window.push(history[39].start, &history[3].candle));
    assert!(!window.push(history[10].start, &history[10].candle));
    assert!(!window.push(Timestamp(i64::MAX), &Candle::default()));
    assert_eq!(window, before);
}

#[test]
fn short_gap_reads_as_candles_at_the_last_close_and_a_long_one_starts_the_window_again() {
    let input = small().input();
    let history = candles(6, 80);
    let run = |candles: &[ClosedCandle]| {
        let mut window = CandleWindow::new(&input);
        let ready: Vec<bool> =
            candles.iter().map(|closed| window.push(closed.start, &closed.candle)).collect();
        (ready, bits(&window))
    };
    let without = |gap: std::ops::Range<usize>| -> Vec<ClosedCandle> {
        history.iter().enumerate().filter(|(at, _)| !gap.contains(at)).map(|(_, closed)| *closed).collect()
    };
    let carry = input.carry_max as usize;
    let mut carried = history.clone();
    for at in 60..60 + carry {
        carried[at].candle = Candle::carried(carried[59].candle.close);
    }
    let (ready, end) = run(&without(60..60 + carry));
    assert_eq!(end, run(&carried).1);
    assert!(ready[60]);

    let (ready, _) = run(&without(30..31 + carry));
    let again = ready.iter().skip(30).position(|ready| *ready);
    // The features settle first, as after a start.
    assert_eq!(again, Some(input.features.warm_up() + input.window - 1));
}

#[test]
fn state_of_another_input_does_not_fit() {
    let input = small().input();
    let window = CandleWindow::new(&input);
    assert!(window.fits(&input));
    for other in [
        TrainConfig { window: 7, ..small() },
        TrainConfig { carry_max: 6, ..small() },
        TrainConfig { interval: "5m".parse().expect("an interval"), ..small() },
        TrainConfig { features: TrainConfig::default().features, ..small() },
    ] {
        assert!(!window.fits(&other.input()));
    }
}

#[test]
fn prediction_says_of_what_from_when_for_when_and_by_which_model() {
    let model = model();
    let mut window = CandleWindow::new(model.input());
    let history = candles(7, 60);
    for closed in &history {
        window.push(closed.start, &closed.candle);
    }
    let prediction = Prediction::new("BTC-USD".into(), &window, &model, &[-0.1, 0.0, 0.1]);
    let last = history.last().expect("sixty candles");
    assert_eq!((prediction.start, prediction.close), (last.start, last.candle.close));
    assert_eq!(prediction.time, last.start.plus_millis(MINUTE));
    assert_eq!(prediction.due(), last.start.plus_millis(4 * MINUTE));
    assert_eq!(&prediction.model, model.version());
    let json = serde_json::to_value(&prediction).expect("JSON");
    assert_eq!(json["start"], last.start.as_millis());
    assert_eq!(json["model"], model.version().as_str());
}
