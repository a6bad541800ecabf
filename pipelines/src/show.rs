//! `candlewick topology`: prints a pipeline without running it.

use std::sync::Arc;

use candlewick::Topology;
use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
use candlewick_operators::Exchange;

use crate::cli::{Pipeline, PipelineOptions, TopologyFormat, TopologyOptions};
use crate::error::CommandError;
use crate::market::{self, MarketOptions, MarketTopics, ModelSlot};
use crate::{notional, training};

/// Prints it.
///
/// # Errors
/// When the options do not make a topology.
pub fn show(options: &TopologyOptions) -> Result<(), CommandError> {
    let topology = idle(&options.pipeline)?;
    let text = match options.format {
        TopologyFormat::Text => topology.describe(),
        TopologyFormat::Graphviz => topology.to_graphviz(),
        TopologyFormat::Mermaid => topology.to_mermaid(),
    };
    print!("{text}");
    Ok(())
}

/// The topology that the options name, to be looked at: no registry, and a model that knows nothing.
///
/// # Errors
/// When the options do not make a topology.
pub fn idle(pipeline: &PipelineOptions) -> Result<Topology, CommandError> {
    let registry: Arc<dyn SchemaRegistry> = Arc::new(MemoryRegistry::new());
    let topics = MarketTopics::new(&pipeline.input, &pipeline.output_prefix);
    let interval = pipeline.intervals.iter().copied().max_by_key(|interval| interval.as_millis());
    let model = match (pipeline.pipeline, interval) {
        (Pipeline::Market, Some(interval)) => {
            Some(ModelSlot::empty(training::first_config(interval, 1).input()))
        }
        _ => None,
    };
    match pipeline.pipeline {
        Pipeline::Market | Pipeline::Candles => {
            let market = MarketOptions {
                intervals: pipeline.intervals.clone(),
                grace: pipeline.grace,
                exchange: Exchange::from(""),
                model,
            };
            market::topology(&topics, &market, &registry)
        }
        Pipeline::Notional => {
            notional::topology(&topics.trades, &format!("{}notional", pipeline.output_prefix), &registry)
        }
    }
}
