//! # candlewick-models
//!
//! Models over candles: an LSTM that predicts the distribution of the next return, with its training, its honest
//! evaluation and its inference. Owns what a model *is* and what it needs per instrument; must not know topics, tasks or
//! networks of machines: a topology brings it candles and takes its predictions away.
//!
//! ```
//! use candlewick::Timestamp;
//! use candlewick_models::{CandleWindow, Model, Prediction, Progress, Series, TrainConfig, train};
//! use candlewick_operators::{Candle, ClosedCandle, Decimal, Feature, FeatureSet, Interval};
//!
//! // A price that swings; real candles come from a topic or a file.
//! let candles: Vec<ClosedCandle> = (0..240)
//!     .map(|minute: i64| ClosedCandle {
//!         start: Interval::MINUTE.start_of(Timestamp(minute * 60_000)),
//!         candle: Candle::carried(Decimal::from_int(1_000 + minute * 37 % 11)),
//!     })
//!     .collect();
//! let config = TrainConfig {
//!     features: FeatureSet::new([Feature::LogReturn, Feature::Roc { period: 3 }])?,
//!     window: 4,
//!     hidden: 4,
//!     epochs_max: 1,
//!     ..TrainConfig::default()
//! };
//! let series = [Series { symbol: "BTC-USD".into(), candles: candles.clone() }];
//! let trained = train(&series, &config, &Progress::hidden())?;
//!
//! let folder = std::env::temp_dir().join(format!("candlewick-models-doc-{}", std::process::id()));
//! trained.model.save(&folder)?;
//! let model = Model::load(&folder)?;
//! std::fs::remove_dir_all(&folder)?;
//!
//! let predictor = model.predictor();
//! let mut window = CandleWindow::new(model.input());
//! for closed in &candles {
//!     if window.push(closed.start, &closed.candle) {
//!         let mut quantiles = vec![0.0; predictor.quantiles()];
//!         predictor.predict_batch(window.window(), &mut quantiles);
//!         let prediction = Prediction::new("BTC-USD".into(), &window, &model, &quantiles);
//!         assert_eq!(&prediction.model, model.version());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod candle_lstm;
mod error;
mod progress;

pub use candle_lstm::{
    Architecture, CandleWindow, FoldPlan, InputSpec, Manifest, Model, ModelVersion, Prediction, Predictor,
    Proportion, Report, Scaling, Score, Series, Target, TrainConfig, Trained, Training, WeightsFile,
    evaluate, train, walk_forward,
};
pub use error::ModelError;
pub use progress::Progress;
