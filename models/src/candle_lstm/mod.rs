//! The LSTM over candle features. Owns everything from candles to predictions; must not know topics or tasks.

mod config;
mod evaluate;
mod features;
mod fused;
mod kernel;
mod manifest;
mod model;
mod network;
mod predict;
mod prediction;
mod quantile_head;
mod report;
mod scaling;
mod split;
mod train;
mod walk_forward;
mod weights;
mod window;

pub use config::{InputSpec, TrainConfig};
pub use evaluate::evaluate;
pub use features::Series;
pub use manifest::{Architecture, Manifest, Target, Training, WeightsFile};
pub use model::Model;
pub use predict::Predictor;
pub use prediction::{ModelVersion, Prediction};
pub use report::{Proportion, Report, Score};
pub use scaling::Scaling;
pub use train::{Trained, train};
pub use walk_forward::{FoldPlan, walk_forward};
pub use window::CandleWindow;
