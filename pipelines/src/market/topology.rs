//! The topology of the market application.

use std::sync::Arc;
use std::time::Duration;

use candlewick::{BatchOptions, Consumed, Produced, Stores, StreamsBuilder, Topology, Utf8, Windowed};
use candlewick_connectors::avro::{AvroSerde, CandleRecord, SchemaRegistry};
use candlewick_models::CandleWindow;
use candlewick_operators::{
    Candle, CandleOptions, Exchange, Interval, StateSerde, Symbol, Trade, TradeStream,
};

use super::indicators::{IndicatorState, IndicatorsProcessor};
use super::model_slot::ModelSlot;
use super::predict::{Inference, WindowsProcessor};
use super::records::IndicatorRecord;
use crate::error::CommandError;

/// What the topology is made of.
#[derive(Clone)]
pub struct MarketOptions {
    /// Candle intervals; indicators and predictions are made of the longest one.
    pub intervals: Vec<Interval>,
    /// How late a trade may come, in stream time.
    pub grace: Duration,
    /// The exchange's name on candles.
    pub exchange: Exchange,
    /// The model; without one there are no predictions.
    pub model: Option<ModelSlot>,
}

/// The topics of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketTopics {
    /// Trades, by symbol.
    pub trades: String,
    /// Closed candles of all intervals, by symbol.
    pub candles: String,
    /// Closed candles with their indicators, by symbol.
    pub indicators: String,
    /// Predictions, by symbol.
    pub predictions: String,
}

impl MarketTopics {
    /// Trades from `trades`; outputs under their own names behind `prefix`.
    #[must_use]
    pub fn new(trades: &str, prefix: &str) -> Self {
        Self {
            trades: trades.to_owned(),
            candles: format!("{prefix}candles"),
            indicators: format!("{prefix}indicators"),
            predictions: format!("{prefix}predictions"),
        }
    }
}

/// Windows that the model sees at once.
const WINDOWS_MAX: usize = 64;

/// Trades → candles of each interval → indicators and predictions of the longest one.
///
/// # Errors
/// When the options do not make a topology.
pub fn topology(
    topics: &MarketTopics,
    options: &MarketOptions,
    registry: &Arc<dyn SchemaRegistry>,
) -> Result<Topology, CommandError> {
    let longest = options.intervals.iter().copied().max_by_key(|interval| interval.as_millis());
    let Some(longest) = longest else {
        return Err(CommandError::Usage("name at least one candle interval, such as --intervals 1m".into()));
    };
    let builder = StreamsBuilder::new();
    let trades = builder.stream(
        &topics.trades,
        Consumed::<Symbol, Trade>::with(Utf8, AvroSerde::new(Arc::clone(registry))?).named("trades"),
    );
    for &interval in &options.intervals {
        let candle_options = CandleOptions { grace: options.grace, ..CandleOptions::new(interval) };
        let closed = trades.closed_candles(&candle_options);
        let exchange = options.exchange.clone();
        let record = move |key: Windowed<Symbol>, candle: Candle| {
            let start = key.window.start;
            let made = CandleRecord::new(exchange.clone(), key.key.clone(), interval, start, &candle);
            made.ok().map(|record| (key.key, record))
        };
        closed.flat_map(record).named(format!("candle-record-{interval}")).to(
            &topics.candles,
            Produced::with(Utf8, AvroSerde::new(Arc::clone(registry))?)
                .named(format!("candles-{interval}-sink")),
        );
        if interval != longest {
            continue;
        }
        builder.add_store(Stores::key_value::<Symbol, IndicatorState>("indicators", Utf8, StateSerde));
        let exchange = options.exchange.clone();
        closed
            .process::<Symbol, IndicatorRecord, _>(&["indicators"], move |stores| {
                IndicatorsProcessor::new(stores.get("indicators"), exchange.clone(), interval)
            })
            .named("indicators-of-candles")
            .to(
                &topics.indicators,
                Produced::with(Utf8, AvroSerde::new(Arc::clone(registry))?).named("indicators-sink"),
            );
        if let Some(model) = &options.model {
            builder.add_store(Stores::key_value::<Symbol, CandleWindow>("model-windows", Utf8, StateSerde));
            let inference = Inference::new(model.clone(), options.exchange.clone(), interval);
            let model = model.clone();
            closed
                .process::<Symbol, CandleWindow, _>(&["model-windows"], move |stores| {
                    WindowsProcessor::new(stores.get("model-windows"), model.clone())
                })
                .named("windows-of-candles")
                .batch(BatchOptions { max: WINDOWS_MAX, ..BatchOptions::default() }, move |windows| {
                    inference.predict(windows)
                })
                .named("predict")
                .to(
                    &topics.predictions,
                    Produced::with(Utf8, AvroSerde::new(Arc::clone(registry))?).named("predictions-sink"),
                );
        }
    }
    Ok(builder.build()?)
}
