//! A trained model in memory and in its folder. Owns saving, loading and the version; must not know training's loop.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::features::Dataset;
use super::kernel::Dims;
use super::manifest::{Architecture, Training, WeightsFile, check_inputs};
use super::train::Fitted;
use super::weights::Weights;
use super::{InputSpec, Manifest, ModelVersion, Predictor, Score, Series, TrainConfig};
use crate::ModelError;

/// Weights with the manifest that says what they are for.
///
/// In its folder: `manifest.json`, and the weights in the safetensors format under PyTorch's names, in a file named after
/// the model's version. The manifest is written last and replaces the old one at once, so that a reader finds the old
/// model or the new one, whatever happens in between.
///
/// ```
/// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
/// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
/// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
/// # let features = FeatureSet::new([Feature::LogReturn])?;
/// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
/// let model: Model = train(&series, &config, &Progress::hidden())?.model;
/// # let folder = tempfile::tempdir()?;
/// model.save(folder.path())?;
/// assert_eq!(Model::load(folder.path())?.version(), model.version());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model {
    manifest: Manifest,
    weights: Weights,
}

impl Model {
    pub(super) fn new(
        series: &[Series],
        dataset: &Dataset,
        fitted: &Fitted<'_>,
        config: &TrainConfig,
        validation: Score,
    ) -> Self {
        let time =
            |sample: Option<&super::features::Sample>| sample.map_or(0, |sample| sample.time.as_millis());
        let input = config.input();
        let bytes = fitted.weights.to_bytes();
        let sha256 = hex(&Sha256::digest(&bytes));
        let mut manifest = Manifest {
            format: Manifest::FORMAT,
            version: ModelVersion::default(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            architecture: Architecture::lstm(config.hidden),
            feature_names: input.features.names(),
            feature_fingerprint: Manifest::fingerprint(&input.features),
            input,
            scaling: fitted.scaling.clone(),
            target: fitted.target.clone(),
            training: Training {
                symbols: series.iter().map(|series| series.symbol.to_string()).collect(),
                from_ms: time(fitted.learned.first()),
                to_ms: time(dataset.samples.last()).saturating_add(config.horizon_ms()),
                windows: fitted.learned.len(),
                validation_windows: fitted.validation.len(),
                epochs: fitted.epochs,
                config: config.clone(),
            },
            validation,
            weights: WeightsFile { file: String::new(), sha256 },
        };
        manifest.version = version(&manifest);
        manifest.weights.file = format!("weights-{}.safetensors", manifest.version);
        Self { manifest, weights: fitted.weights.clone() }
    }

    /// What the model says about itself.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// assert_eq!(&model.manifest().version, model.version());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The hash of everything that the predictions depend on.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// let again = train(&series, &config, &Progress::hidden())?.model;
    /// assert_eq!(again.version(), model.version());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn version(&self) -> &ModelVersion {
        &self.manifest.version
    }

    /// What the model's windows consist of.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// assert_eq!(*model.input(), config.input());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn input(&self) -> &InputSpec {
        &self.manifest.input
    }

    /// What computes its predictions; the weights are packed here, once.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// let mut quantiles = [0.0; 3];
    /// model.predictor().predict_batch(&[0.01, -0.01], &mut quantiles);
    /// assert!(quantiles.is_sorted());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn predictor(&self) -> Predictor {
        let Manifest { input, scaling, target, .. } = &self.manifest;
        Predictor::new(&self.weights, input.window, scaling.clone(), target.scale)
    }

    /// Whether the model was made for this input.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// assert!(model.require_input(&config.input()).is_ok());
    /// let hours = TrainConfig { interval: Interval::HOUR, ..config };
    /// assert!(matches!(model.require_input(&hours.input()), Err(ModelError::Mismatch { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError::Mismatch`] names the first difference.
    pub fn require_input(&self, wanted: &InputSpec) -> Result<(), ModelError> {
        check_inputs(self.input(), wanted)
    }

    /// Writes the model into `folder`, which is made if need be; a model that was there is replaced at once or not at all.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// # let folder = tempfile::tempdir()?;
    /// model.save(folder.path().join("model"))?;
    /// assert!(folder.path().join("model/manifest.json").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the folder cannot be written; a model that was there is then still there.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<(), ModelError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(ModelError::io(folder, "created"))?;
        let path = folder.join(Manifest::FILE);
        let json = serde_json::to_vec_pretty(&self.manifest)
            .map_err(|source| ModelError::Manifest { path: path.clone(), source })?;
        replace(folder, &self.manifest.weights.file, &self.weights.to_bytes())?;
        replace(folder, Manifest::FILE, &json)?;
        self.remove_others(folder)
    }

    /// Removes the weights of models that were here before.
    fn remove_others(&self, folder: &Path) -> Result<(), ModelError> {
        for entry in fs::read_dir(folder).map_err(ModelError::io(folder, "read"))? {
            let entry = entry.map_err(ModelError::io(folder, "read"))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_ours = name.starts_with("weights-") && name.ends_with(".safetensors");
            if is_ours && name != self.manifest.weights.file {
                let path = entry.path();
                fs::remove_file(&path).map_err(ModelError::io(&path, "removed"))?;
            }
        }
        Ok(())
    }

    /// Reads the model in `folder`.
    ///
    /// ```
    /// use candlewick_models::Model;
    /// let error = Model::load("no-such-folder").expect_err("it is not there");
    /// assert!(error.to_string().contains("no-such-folder/manifest.json"));
    /// ```
    ///
    /// # Errors
    /// When a file is missing or cannot be read, the weights are not those of the manifest, or the model needs something
    /// that this code does not compute: [`ModelError::Mismatch`] names the difference.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, ModelError> {
        let folder = folder.as_ref();
        let path = folder.join(Manifest::FILE);
        let json = fs::read(&path).map_err(ModelError::io(&path, "read"))?;
        let malformed = |source| ModelError::Manifest { path: path.clone(), source };
        let fields: serde_json::Value = serde_json::from_slice(&json).map_err(malformed)?;
        // Another format has other fields: say so before they are missed.
        let format = &fields["format"];
        if format.is_number() && *format != Manifest::FORMAT {
            return Err(ModelError::mismatch("format", format, Manifest::FORMAT));
        }
        let manifest: Manifest = serde_json::from_value(fields).map_err(malformed)?;
        manifest.check()?;
        let file = &manifest.weights.file;
        if Path::new(file).file_name().is_none_or(|name| name != file.as_str()) {
            return Err(ModelError::mismatch("weights file", file, "a name within the model's folder"));
        }
        let path = folder.join(file);
        let bytes = fs::read(&path).map_err(ModelError::io(&path, "read"))?;
        let (found, expected) = (hex(&Sha256::digest(&bytes)), manifest.weights.sha256.clone());
        if found != expected {
            return Err(ModelError::Damaged { path, expected, found });
        }
        let dims = Dims { inputs: manifest.input.features.len(), hidden: manifest.architecture.hidden };
        let weights = Weights::from_bytes(&bytes, dims, manifest.target.quantiles.len())?;
        let computed = version(&manifest);
        if computed != manifest.version {
            return Err(ModelError::mismatch("version", &manifest.version, computed));
        }
        Ok(Self { manifest, weights })
    }
}

/// The hash of everything that predictions depend on.
fn version(manifest: &Manifest) -> ModelVersion {
    let mut hash = Sha256::new();
    // In 32 bits every number is the same after it was read back from JSON.
    #[allow(clippy::cast_possible_truncation)]
    let levels = manifest.target.quantiles.iter().map(|level| *level as f32);
    let scaling = &manifest.scaling;
    let numbers = levels.chain(scaling.mean.iter().chain(&scaling.deviation).copied());
    let numbers = numbers.chain([scaling.clip, manifest.target.scale]);
    hash.update(format!(
        "{} {:?} {} {} {} {} {} ",
        manifest.weights.sha256,
        manifest.architecture,
        manifest.feature_fingerprint,
        manifest.input.interval,
        manifest.input.window,
        manifest.input.carry_max,
        manifest.target.horizon,
    ));
    numbers.for_each(|number| hash.update(number.to_le_bytes()));
    ModelVersion::from(&hex(&hash.finalize())[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a file into a folder at once: a reader sees the old bytes or the new ones.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
    let (path, unfinished) = (folder.join(name), folder.join(format!(".{name}.unfinished")));
    let write = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        // The new name itself must survive a power cut.
        File::open(folder)?.sync_all()
    };
    write().map_err(ModelError::io(&path, "written"))
}
