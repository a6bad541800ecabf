//! Options of the commands that look after an application: `plan`, `reset`, `dlq`. Owns flags and their defaults; does
//! nothing.

use std::path::PathBuf;

use candlewick::Timestamp;
use candlewick_connectors::read_time;
use clap::{Args, Subcommand};

use super::{LogOptions, PipelineOptions};

/// Options of `plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanOptions {
    /// Where the log is.
    #[command(flatten)]
    pub log: LogOptions,
    /// Which topology.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// A TOML file with the framework's settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Options of `dlq`.
#[derive(Clone, Debug, Args)]
pub struct DlqOptions {
    /// What to do.
    #[command(subcommand)]
    pub action: DlqAction,
}

/// Which dead letters.
#[derive(Clone, Debug, Args)]
pub struct DlqSource {
    /// Where the log is.
    #[command(flatten)]
    pub log: LogOptions,
    /// The application's id.
    #[arg(long, env = "CANDLEWICK_APPLICATION_ID", default_value = "market", value_name = "ID")]
    pub application_id: String,
    /// The topic of dead letters; by default <application id>-dead-letters.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Only those that came from this topic.
    #[arg(long, value_name = "TOPIC")]
    pub from: Option<String>,
}

/// What `dlq` does.
#[derive(Clone, Debug, Subcommand)]
pub enum DlqAction {
    /// One line for each dead letter: its place, where it came from, and why.
    List(DlqSource),
    /// All of one dead letter: headers, key and value.
    Show {
        /// Which ones.
        #[command(flatten)]
        source: DlqSource,
        /// Its place, as `list` tells it: PARTITION@OFFSET.
        #[arg(value_name = "PLACE", value_parser = parse_place)]
        place: (i32, i64),
    },
    /// Write dead letters back to the topics and partitions they came from, byte for byte: those that were not sent back
    /// before, each once.
    Replay {
        /// Which ones.
        #[command(flatten)]
        source: DlqSource,
        /// Say what would be sent, and send nothing.
        #[arg(long)]
        dry_run: bool,
        /// Those that were sent back before, too.
        #[arg(long)]
        again: bool,
    },
}

/// Options of `reset`.
#[derive(Clone, Debug, Args)]
pub struct ResetOptions {
    /// Where the log is.
    #[command(flatten)]
    pub log: LogOptions,
    /// The application's id.
    #[arg(long, value_name = "ID")]
    pub application_id: String,
    /// Where stores live; by default in the data folder.
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Where `run` keeps snapshots of stores: those of this application are deleted too.
    #[arg(long, env = "CANDLEWICK_SNAPSHOTS", value_name = "URL")]
    pub snapshots: Option<String>,
    /// Where the application reads its input from next: earliest, latest, a time (2024-05-01T12:00:00Z, or Unix
    /// milliseconds), or offset=NUMBER. Without it, each source begins where its own reset policy says.
    #[arg(long, value_parser = parse_reset_to, value_name = "PLACE")]
    pub to: Option<ResetTo>,
    /// The input topics for --to; may be repeated. By default all that the application has read.
    #[arg(long = "input", value_name = "TOPIC", requires = "to")]
    pub inputs: Vec<String>,
    /// Say what would be deleted and where it would read from, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Where an application reads its input from next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTo {
    /// The first record that there is.
    Earliest,
    /// The end: only what is written from now on.
    Latest,
    /// The first record of this time or a later one; the end where there is none.
    Time(Timestamp),
    /// This offset, or the nearest one that there is.
    Offset(i64),
}

fn parse_reset_to(text: &str) -> Result<ResetTo, String> {
    match text {
        "earliest" => return Ok(ResetTo::Earliest),
        "latest" => return Ok(ResetTo::Latest),
        _ => {}
    }
    let place = match text.strip_prefix("offset=") {
        Some(number) => number.parse().ok().map(ResetTo::Offset),
        None => read_time(text).map(ResetTo::Time),
    };
    place.ok_or_else(|| {
        format!("{text} is no place: write earliest, latest, 2024-05-01T12:00:00Z or offset=17")
    })
}

fn parse_place(text: &str) -> Result<(i32, i64), String> {
    let parts = text
        .split_once('@')
        .and_then(|(partition, offset)| Some((partition.parse().ok()?, offset.parse().ok()?)));
    parts.ok_or_else(|| {
        format!("{text} is no place: write PARTITION@OFFSET, as `candlewick dlq list` shows it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_read_from_is_a_word_a_time_or_an_offset() {
        let may = ResetTo::Time(Timestamp(1_714_564_800_000));
        let known = [
            ("earliest", ResetTo::Earliest),
            ("latest", ResetTo::Latest),
            ("2024-05-01T12:00:00Z", may),
            ("2024-05-01T14:00:00+02:00", may),
            ("1714564800000", may),
            ("offset=17", ResetTo::Offset(17)),
        ];
        for (text, place) in known {
            assert_eq!(parse_reset_to(text), Ok(place), "{text}");
        }
        for text in ["", "first", "offset=", "offset=x", "17th of May"] {
            assert!(parse_reset_to(text).is_err(), "{text}");
        }
    }
}
