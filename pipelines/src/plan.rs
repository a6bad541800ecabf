//! `candlewick plan`: this version of an application against the one that ran last. Changes nothing.

use candlewick::{KafkaStreams, StreamsConfig};

use crate::cli::PlanOptions;
use crate::error::CommandError;
use crate::log;
use crate::run::application_id;
use crate::show::idle;

/// Prints what would become of the application's state.
///
/// # Errors
/// When its start would be refused, its input is missing, or the log cannot be read.
pub fn plan(options: &PlanOptions) -> Result<(), CommandError> {
    let id = application_id(&options.pipeline);
    let base = match &options.config {
        Some(path) => StreamsConfig::from_toml(path)?,
        None => StreamsConfig::default(),
    };
    let config = StreamsConfig { application_id: id.clone(), ..base.with_environment(std::env::vars())? };
    let log = log::open(&options.log, &id)?;
    let report = KafkaStreams::new(idle(&options.pipeline)?, config, log).plan()?;
    print!("{report}");
    if report.is_refused() {
        return Err(CommandError::Usage(format!("{id} would not start by this plan: see what is refused")));
    }
    Ok(())
}
