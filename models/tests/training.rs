//! Training and evaluation through the public API: reproducible, purged, and printed whatever comes out.

mod synthetic;

use candlewick::Timestamp;
use candlewick_models::{
    CandleWindow, FoldPlan, Model, ModelError, Progress, Series, TrainConfig, evaluate, train, walk_forward,
};
use synthetic::{MINUTE, candles, series, small};

fn trained(series: &[Series], config: &TrainConfig) -> Model {
    train(series, config, &Progress::hidden()).expect("enough candles").model
}

fn predictions(model: &Model, series: &Series) -> Vec<(Timestamp, Vec<u64>)> {
    let predictor = model.predictor();
    let mut window = CandleWindow::new(model.input());
    let mut out = vec![0.0; predictor.quantiles()];
    let mut all = Vec::new();
    for closed in &series.candles {
        if window.push(closed.start, &closed.candle) {
            predictor.predict_batch(window.window(), &mut out);
            all.push((closed.start, out.iter().map(|quantile| quantile.to_bits()).collect()));
        }
    }
    all
}

#[test]
fn same_seed_gives_the_same_model_bit_for_bit_and_another_seed_another() {
    let history = [series(1, 400)];
    let progress = Progress::hidden();
    let one = train(&history, &small(), &progress).expect("enough candles").model;
    assert_eq!(progress.fraction(), 1.0);
    let same = trained(&history, &small());
    assert_eq!(one.manifest(), same.manifest());
    assert_eq!(predictions(&one, &history[0]), predictions(&same, &history[0]));
    let other = trained(&history, &TrainConfig { seed: 2, ..small() });
    assert_ne!(one.version(), other.version());
    assert_ne!(predictions(&one, &history[0]), predictions(&other, &history[0]));
}

#[test]
fn training_does_not_depend_on_candles_after_the_last_outcome() {
    // The windows of the last three minutes have no outcome yet: only their candles' closes count, as outcomes.
    let mut history = series(3, 400);
    let one = trained(std::slice::from_ref(&history), &small());
    for closed in history.candles.iter_mut().rev().take(3) {
        closed.candle.taker_buy_volume = closed.candle.volume;
    }
    assert_eq!(one.version(), trained(&[history], &small()).version());
}

#[test]
fn predictions_rise_over_their_levels_and_know_no_future() {
    let history = series(4, 500);
    let model = trained(std::slice::from_ref(&history), &small());
    let before = predictions(&model, &history);
    assert!(
        before.iter().all(|(_, row)| row.windows(2).all(|w| f64::from_bits(w[0]) <= f64::from_bits(w[1])))
    );
    for cut in [120, 250, 499] {
        let mut altered = history.clone();
        let others = candles(99, 500);
        for (closed, other) in altered.candles.iter_mut().zip(others).skip(cut) {
            closed.candle = other.candle;
        }
        let time = history.candles[cut].start;
        let until = |all: Vec<(Timestamp, Vec<u64>)>| -> Vec<_> {
            all.into_iter().take_while(|(start, _)| *start < time).collect()
        };
        assert_eq!(until(predictions(&model, &altered)), until(before.clone()));
        assert_ne!(predictions(&model, &altered), before);
    }
}

#[test]
fn walk_forward_scores_every_fold_after_its_past_and_prints_them_all() {
    let history = [series(5, 700), Series { symbol: "ETH-USD".into(), candles: candles(6, 700) }];
    let plan = FoldPlan { folds: 3 };
    let report = walk_forward(&history, &small(), plan, &Progress::hidden()).expect("enough candles");
    assert_eq!(report.folds.len(), 3);
    let warm_up = small().features.warm_up() + small().window - 1;
    let windows = 700 - warm_up - small().horizon as usize;
    // Both instruments' windows of a minute lie in the same fold; the first quarter is only learned from.
    let learned_only = 2 * windows / 4 / 2 * 2;
    assert_eq!(report.folds.iter().map(|fold| fold.windows).sum::<usize>(), 2 * windows - learned_only);
    for pair in report.folds.windows(2) {
        assert_eq!(pair[1].from_ms, pair[0].to_ms + MINUTE);
    }
    let text = report.to_string();
    println!("{text}");
    for words in ["fold 1", "fold 2", "fold 3", "MASE", "coverage", "beats the last price in"] {
        assert!(text.contains(words), "{text}");
    }
    for fold in &report.folds {
        assert!((0.0..=1.0).contains(&fold.coverage) && fold.pinball > 0.0 && fold.naive_pinball > 0.0);
        assert!(fold.mase.is_some_and(|mase| mase > 0.0) && (fold.coverage_wanted - 0.8).abs() < 1e-12);
        let directional = fold.directional.expect("prices moved");
        assert!(directional.low <= directional.share && directional.share <= directional.high);
        // Two instruments, every third window.
        assert!(directional.trials <= fold.windows / 3 + 2);
    }
}

#[test]
fn a_fold_does_not_change_when_what_follows_it_does() {
    let mut history = series(7, 600);
    let config = small();
    let run = |history: &Series| {
        let history = std::slice::from_ref(history);
        walk_forward(history, &config, FoldPlan { folds: 2 }, &Progress::hidden()).expect("enough candles")
    };
    let before = run(&history);
    let end = before.folds[0].to_ms + config.horizon_ms();
    for (closed, other) in history.candles.iter_mut().zip(candles(8, 600)) {
        if closed.start.as_millis() > end {
            closed.candle = other.candle;
        }
    }
    let after = run(&history);
    assert_eq!(before.folds[0], after.folds[0]);
    assert_ne!(before.folds[1], after.folds[1]);
}

#[test]
fn evaluation_counts_the_windows_that_the_model_has_seen() {
    let (past, later) = {
        let mut all = candles(9, 800);
        let later = all.split_off(400);
        (all, later)
    };
    let of = |candles| [Series { symbol: "BTC-USD".into(), candles }];
    let model = trained(&of(past.clone()), &small());
    let seen = evaluate(&model, &of(past)).expect("windows");
    assert_eq!(seen.seen_in_training, seen.folds[0].windows);
    assert!(seen.to_string().contains("flatter"));
    let unseen = evaluate(&model, &of(later)).expect("windows");
    assert_eq!(unseen.seen_in_training, 0);
    println!("{unseen}");
}

#[test]
fn bad_settings_and_bad_histories_are_refused_with_a_sentence() {
    let refused = |series: Series, config: TrainConfig, words: &str| {
        let error = train(&[series], &config, &Progress::hidden()).expect_err("refused");
        assert!(error.to_string().contains(words), "{error}");
        error
    };
    let falling = TrainConfig { quantiles: vec![0.9, 0.1], ..small() };
    refused(series(1, 400), falling, "`quantiles` is [0.9, 0.1]: it must be 1 to 64 rising levels");
    let horizon = TrainConfig { horizon: 0, ..small() };
    refused(series(1, 400), horizon, "`horizon` is 0: it must be at least 1");
    let short = refused(series(1, 30), small(), "bring a longer history");
    assert!(matches!(short, ModelError::TooFewCandles { .. }));
    let mut twice = series(1, 400);
    twice.candles[200] = twice.candles[199];
    let time = twice.candles[200].start.to_string();
    refused(twice, small(), &format!("not in order of time at {time}"));
}
