//! The first model: trained on simulated history when there is none yet, so that a first start has predictions to show.

use std::path::Path;

use candlewick::Timestamp;
use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings};
use candlewick_models::{Model, Progress, Series, TrainConfig, Trained, train};
use candlewick_operators::{CandleBuilder, Interval};

use crate::error::CommandError;

/// Simulated days the first model learns from.
const DAYS: i64 = 2;

/// Enough trades for every minute to have some, few enough to be made in a second.
const TRADES_PER_SECOND: f64 = 4.0;

/// The settings of the first model: the application's interval, small enough to be trained in seconds.
#[must_use]
pub fn first_config(interval: Interval, seed: u64) -> TrainConfig {
    TrainConfig { interval, seed, hidden: 16, epochs_max: 6, ..TrainConfig::default() }
}

/// The model in `folder`, if one was saved there.
///
/// # Errors
/// When there is one that cannot be used; the sentence names the difference.
pub fn saved(folder: &Path, interval: Interval) -> Result<Option<Model>, CommandError> {
    if !folder.join("manifest.json").exists() {
        return Ok(None);
    }
    let model = Model::load(folder)?;
    let made_for = model.input().interval;
    if made_for != interval {
        return Err(CommandError::Usage(format!(
            "the model in {} reads candles of {made_for}, and the topology makes it candles of {interval}; name another \
             folder with --model-dir, or other intervals",
            folder.display()
        )));
    }
    Ok(Some(model))
}

/// Trains on simulated candles and saves the model.
///
/// # Errors
/// When training or saving fails.
pub fn train_first(folder: &Path, config: &TrainConfig, progress: &Progress) -> Result<Model, CommandError> {
    let series = simulated_history(config.interval, config.seed)?;
    let Trained { model, validation } = train(&series, config, progress)?;
    model.save(folder)?;
    tracing::info!(
        folder = %folder.display(),
        model = model.version().as_str(),
        ?validation,
        "the first model was trained on simulated history; train one on real candles before you trust it"
    );
    Ok(model)
}

fn simulated_history(interval: Interval, seed: u64) -> Result<Vec<Series>, CommandError> {
    // A fixed day: the same seed gives the same model whenever it is trained.
    let start = Timestamp(1_700_000_000_000);
    let end = start.plus_millis(DAYS * 86_400_000);
    let settings = SimulatedSettings {
        seed: seed ^ 0x5eed,
        trades_per_second: TRADES_PER_SECOND,
        start,
        ..Default::default()
    };
    let mut builders: Vec<(candlewick_operators::Symbol, CandleBuilder)> = settings
        .symbols
        .iter()
        .map(|symbol| (symbol.symbol.as_str().into(), CandleBuilder::new(interval).grace_ms(5_000)))
        .collect();
    for trade in SimulatedExchange::new(settings) {
        if trade.timestamp > end {
            break;
        }
        if let Some((_, builder)) = builders.iter_mut().find(|(symbol, _)| *symbol == trade.symbol) {
            let _late = builder.add(&trade).map_err(|error| CommandError::Stopped(error.to_string()))?;
        }
    }
    let series = builders.into_iter().map(|(symbol, mut builder)| {
        builder.finish();
        Series { symbol, candles: std::iter::from_fn(|| builder.next_closed()).collect() }
    });
    Ok(series.collect())
}
