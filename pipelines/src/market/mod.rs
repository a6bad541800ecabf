//! The market application: trades → candles → indicators → predictions. Owns its topology, its records and their
//! processors; must not know where trades come from or where results are shown.

mod indicators;
mod model_slot;
mod predict;
mod records;
mod topology;

pub use indicators::{IndicatorState, IndicatorsProcessor};
pub use model_slot::ModelSlot;
pub use predict::{Inference, WindowsProcessor};
pub use records::{IndicatorRecord, PredictionRecord};
pub use topology::{MarketOptions, MarketTopics, topology};
