//! A model's folder: what is written is read back, and what does not fit is refused with the difference.

mod synthetic;

use std::fs;
use std::path::Path;

use candlewick_models::{CandleWindow, Manifest, Model, ModelError, Progress, TrainConfig, train};
use serde_json::{Value, json};
use synthetic::{candles, series, small};
use tempfile::TempDir;

fn model(seed: u64) -> Model {
    let config = TrainConfig { seed, ..small() };
    train(&[series(1, 300)], &config, &Progress::hidden()).expect("enough candles").model
}

fn predicted(model: &Model) -> Vec<f64> {
    let predictor = model.predictor();
    let mut window = CandleWindow::new(model.input());
    for closed in candles(2, 60) {
        window.push(closed.start, &closed.candle);
    }
    let mut out = vec![0.0; predictor.quantiles()];
    predictor.predict_batch(window.window(), &mut out);
    out
}

fn saved() -> (TempDir, Model) {
    let folder = TempDir::new().expect("a folder");
    let model = model(1);
    model.save(folder.path()).expect("written");
    (folder, model)
}

fn alter(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join(Manifest::FILE);
    let mut manifest = serde_json::from_slice(&fs::read(&path).expect("a manifest")).expect("JSON");
    change(&mut manifest);
    fs::write(path, manifest.to_string()).expect("written");
}

#[test]
fn loaded_model_predicts_the_same_bits_under_the_same_version() {
    let (folder, model) = saved();
    let loaded = Model::load(folder.path()).expect("the same model");
    assert_eq!(loaded.version(), model.version());
    assert_eq!(predicted(&loaded), predicted(&model));
    loaded.require_input(&small().input()).expect("the same input");
}

#[test]
fn saving_over_a_model_replaces_it_and_leaves_nothing_behind() {
    let (folder, old) = saved();
    let new = model(2);
    new.save(folder.path()).expect("written");
    let loaded = Model::load(folder.path()).expect("the new model");
    assert_eq!(loaded.version(), new.version());
    assert_ne!(loaded.version(), old.version());
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
}

#[test]
fn model_that_does_not_fit_is_refused_with_the_difference() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 9] = [
        (|m| m["format"] = json!(2), "its format is 2, and 1 is wanted"),
        (|m| m["architecture"]["kind"] = json!("gru"), "its kind of network is gru, and lstm is wanted"),
        (|m| m["architecture"]["windowed"] = json!(false), "its windowed state is false, and true is wanted"),
        (|m| m["architecture"]["hidden"] = json!(9), "its number of hidden units is 9, and 8 is wanted"),
        (
            |m| m["feature_names"][3] = json!("rsi_6"),
            "rsi_6, and log_return, range, taker_buy_share, rsi_5 is",
        ),
        (|m| m["feature_fingerprint"] = json!("00"), "its feature computation (fingerprint) is 00, and"),
        (|m| m["input"]["window"] = json!(7), "its window length is 7, and 6 is wanted"),
        (|m| m["scaling"]["mean"] = json!([0.0]), "4 finite means and positive deviations is wanted"),
        (|m| m["target"]["scale"] = json!(0.5), "its version is"),
    ];
    for (change, words) in cases {
        let (folder, _) = saved();
        alter(folder.path(), change);
        let error = Model::load(folder.path()).expect_err("refused");
        assert!(matches!(error, ModelError::Mismatch { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(words) && text.ends_with("train the model again"), "{text}");
    }
}

#[test]
fn model_for_another_input_than_the_topologys_is_refused_with_the_difference() {
    let model = model(1);
    let wanted = TrainConfig { interval: "5m".parse().expect("an interval"), ..small() }.input();
    let error = model.require_input(&wanted).expect_err("refused").to_string();
    assert!(error.contains("its candle interval is 1m, and 5m is wanted"), "{error}");
    let wanted = TrainConfig { features: TrainConfig::default().features, ..small() }.input();
    let error = model.require_input(&wanted).expect_err("refused").to_string();
    assert!(error.contains("its feature list is log_return, range, taker_buy_share, rsi_5, and"), "{error}");
}

#[test]
fn folder_that_is_empty_garbled_or_damaged_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let error = Model::load(folder.path()).expect_err("refused");
    assert!(matches!(error, ModelError::Io { action: "read", .. }), "{error:?}");

    let (folder, _) = saved();
    alter(folder.path(), |manifest| manifest["input"]["features"][0] = json!({ "feature": "moon_phase" }));
    let error = Model::load(folder.path()).expect_err("refused").to_string();
    assert!(error.contains("moon_phase") && error.contains("train the model again"), "{error}");

    let (folder, model) = saved();
    let path = folder.path().join(&model.manifest().weights.file);
    let mut bytes = fs::read(&path).expect("weights");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let error = Model::load(folder.path()).expect_err("refused");
    assert!(matches!(error, ModelError::Damaged { .. }), "{error:?}");

    let (folder, _) = saved();
    alter(folder.path(), |manifest| manifest["weights"]["file"] = json!("../elsewhere"));
    let error = Model::load(folder.path()).expect_err("refused").to_string();
    assert!(error.contains("../elsewhere"), "{error}");
}
