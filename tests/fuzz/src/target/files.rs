//! Files that others may have written: a model with its weights, and a file of schemas.

use std::path::Path;
use std::sync::OnceLock;

use candlewick::Timestamp;
use candlewick_connectors::avro::MemoryRegistry;
use candlewick_models::{Manifest, Model, Progress, Series, TrainConfig, train};
use candlewick_operators::{Candle, ClosedCandle, Decimal, Feature, FeatureSet};
use sha2::{Digest, Sha256};

/// A saved model: its manifest, the name of its weights' file, and the weights.
struct Saved {
    manifest: Vec<u8>,
    name: String,
    weights: Vec<u8>,
}

fn saved() -> &'static Saved {
    static SAVED: OnceLock<Saved> = OnceLock::new();
    SAVED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        small().save(folder.path()).expect("written");
        let mut files =
            std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.path());
        let weights = files.find(|path| !path.ends_with(Manifest::FILE)).expect("weights");
        Saved {
            manifest: std::fs::read(folder.path().join(Manifest::FILE)).expect("a manifest"),
            name: weights.file_name().expect("a file").to_string_lossy().into_owned(),
            weights: std::fs::read(&weights).expect("weights"),
        }
    })
}

/// A model of a few weights, of prices that go up and down.
fn small() -> Model {
    let price = |minute: i64| Decimal::from_units(i128::from(10_000 + minute * 37 % 101) * 1_000_000_000_000);
    let candle = |minute: i64| {
        let (open, close) = (price(minute), price(minute + 1));
        let (high, low, volume) = (open.max(close), open.min(close), price(minute * 7));
        let candle = Candle { open, close, high, low, volume, trades: 5, ..Candle::default() };
        ClosedCandle { start: Timestamp(1_700_000_040_000 + minute * 60_000), candle }
    };
    let features = FeatureSet::new([Feature::LogReturn, Feature::Range]).expect("two features");
    let config = TrainConfig {
        features,
        window: 4,
        hidden: 2,
        horizon: 1,
        epochs_max: 1,
        batch: 32,
        ..TrainConfig::default()
    };
    let series = Series { symbol: "BTC-USD".into(), candles: (0..200).map(candle).collect() };
    train(&[series], &config, &Progress::hidden()).expect("enough candles").model
}

/// Manifest and weights, with the length of the first before them.
pub(super) fn models() -> Vec<Vec<u8>> {
    let Saved { manifest, weights, .. } = saved();
    let len = u16::try_from(manifest.len()).expect("a short manifest").to_be_bytes();
    vec![[&len[..], manifest, weights].concat()]
}

/// Loads it; the weights' checksum in the manifest is made right, or nothing behind it would ever be read.
pub(super) fn load_model(bytes: &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (manifest, weights) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes(*len))));
    let hex =
        |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let manifest = String::from_utf8_lossy(manifest).replace(&hex(&saved().weights), &hex(weights));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(Manifest::FILE), manifest).expect("a file");
    std::fs::write(folder.path().join(&saved().name), weights).expect("a file");
    if let Ok(model) = Model::load(folder.path()) {
        drop(std::hint::black_box(model.predictor()));
    }
}

pub(super) fn schemas() -> Vec<Vec<u8>> {
    let line = r#"{"id":1,"subject":"trades-value","schema":"{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"long\"]}]}"}"#;
    vec![format!("{line}\n{line}\n").into_bytes(), format!("{line}\n{{\"id\":2").into_bytes()]
}

/// Reads a file of schemas, and the first of them.
pub(super) fn read_schemas(bytes: &[u8]) {
    use candlewick_connectors::avro::SchemaRegistry;
    let folder = tempfile::tempdir().expect("a folder");
    let path: &Path = &folder.path().join("schemas.jsonl");
    std::fs::write(path, bytes).expect("a file");
    if let Ok(registry) = MemoryRegistry::in_file(path) {
        let _ = registry.schema(1);
    }
}
