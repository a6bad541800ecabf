//! The command line. Owns flags and their defaults; does nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use candlewick::Guarantee;
use candlewick_connectors::elasticsearch::RefusedRecords;
use candlewick_operators::Interval;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::upkeep::{DlqAction, DlqOptions, DlqSource, PlanOptions, ResetOptions, ResetTo};
pub use crate::endpoints::{AccessFlags, SqlFlags};
use crate::secret::Secret;

mod upkeep;

/// Streams of trades to candles, indicators and predictions.
#[derive(Debug, Parser)]
#[command(name = "candlewick", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do; `run` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `run`, when no command is given.
    #[command(flatten)]
    pub run: RunOptions,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline: a simulated exchange on an embedded log, unless told otherwise.
    Run(Box<RunOptions>),
    /// Print a pipeline's topology.
    Topology(TopologyOptions),
    /// Train a model on candles and say what it is worth.
    Train(Box<TrainOptions>),
    /// Score a model against the last price.
    Evaluate(Box<EvaluateOptions>),
    /// Run the market topology over a recording, as fast as it goes, and write its candles to a file.
    Backtest(Box<BacktestOptions>),
    /// Exit with 0 when the status server of a running candlewick answers: a health check without curl.
    Health(HealthOptions),
    /// Say what would become of an application's state if this version of it started now: what goes on as it is, what is
    /// rebuilt, migrated or left, and what is refused. Changes nothing; exits with 2 when the start would be refused.
    Plan(PlanOptions),
    /// Delete an application's internal topics, offsets and local state, and choose where it reads from next.
    Reset(ResetOptions),
    /// Look at an application's dead letters, and send them back to where they came from.
    Dlq(DlqOptions),
}

/// Where the log is.
#[derive(Clone, Debug, Args)]
pub struct LogOptions {
    /// Kafka's address, as host:port[,host:port]; without it an embedded log in the data folder is used.
    #[arg(long, env = "CANDLEWICK_BROKERS", value_name = "HOST:PORT")]
    pub brokers: Option<String>,
    /// A property of librdkafka, such as consumer.fetch.wait.max.ms=50; may be repeated. What must not be seen goes into a
    /// variable: CANDLEWICK_KAFKA_PROPERTY_SASL_PASSWORD is sasl.password.
    #[arg(long = "kafka-property", value_name = "KEY=VALUE")]
    pub kafka_properties: Vec<String>,
    /// The schema registry's address; without it schemas are kept in a file in the data folder.
    #[arg(long, env = "CANDLEWICK_REGISTRY", value_name = "URL")]
    pub registry: Option<String>,
    /// Who logs in to the schema registry: a user, or a cloud's API key.
    #[arg(long, env = "CANDLEWICK_REGISTRY_USER", value_name = "NAME", requires = "registry_password")]
    pub registry_user: Option<String>,
    /// The password of that user, or the API secret; rather by its variable, for a command line can be seen.
    #[arg(long, env = "CANDLEWICK_REGISTRY_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub registry_password: Option<Secret>,
    /// Where the embedded log, local schemas and the model live.
    #[arg(long, env = "CANDLEWICK_DATA_DIR", default_value = "data", value_name = "FOLDER")]
    pub data_dir: PathBuf,
    /// Keep the embedded log in memory: nothing is left when the process ends.
    #[arg(long)]
    pub in_memory: bool,
}

/// The reference applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pipeline {
    /// Trades to candles, indicators and predictions.
    Market,
    /// Trades to candles and indicators of one interval.
    Candles,
    /// Trades of buyers to their notional value: stateless.
    Notional,
}

/// How much a commit promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GuaranteeOption {
    /// After a crash some records are processed again.
    AtLeastOnce,
    /// Every record counts once.
    ExactlyOnce,
}

impl From<GuaranteeOption> for Guarantee {
    fn from(option: GuaranteeOption) -> Self {
        match option {
            GuaranteeOption::AtLeastOnce => Self::AtLeastOnce,
            GuaranteeOption::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

/// Which topology.
#[derive(Clone, Debug, Args)]
pub struct PipelineOptions {
    /// The pipeline.
    #[arg(long, value_enum, default_value = "market")]
    pub pipeline: Pipeline,
    /// The application's id: its group, its internal topics and its state. By default the pipeline's name.
    #[arg(long, env = "CANDLEWICK_APPLICATION_ID", value_name = "ID")]
    pub application_id: Option<String>,
    /// The topic of trades.
    #[arg(long, default_value = "trades", value_name = "TOPIC")]
    pub input: String,
    /// Put before the names of the output topics.
    #[arg(long, default_value = "", value_name = "PREFIX")]
    pub output_prefix: String,
    /// Candle intervals; indicators and predictions are made of the longest one.
    #[arg(long, value_delimiter = ',', default_value = "1s,1m", value_name = "INTERVALS")]
    pub intervals: Vec<Interval>,
    /// How late a trade may come, in stream time.
    #[arg(long, default_value = "5s", value_parser = parse_duration, value_name = "DURATION")]
    pub grace: Duration,
}

/// Options of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Where the log is.
    #[command(flatten)]
    pub log: LogOptions,
    /// Which topology.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Read trades from this file (CSV, CSV.gz or raw exchange messages) instead of the simulated exchange.
    #[arg(long, value_name = "FILE", conflicts_with = "no_source")]
    pub replay: Option<PathBuf>,
    /// How fast to replay: recorded, x10, x100 …, or max.
    #[arg(long, default_value = "max", value_parser = parse_pace, value_name = "SPEED")]
    pub speed: candlewick_connectors::Pace,
    /// The replayed file's symbol, where neither a column nor its name tells it.
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
    /// The exchange's name on candles; by default what the source says.
    #[arg(long, value_name = "NAME")]
    pub exchange: Option<String>,
    /// End at the first line of a replay that is no trade, instead of skipping and counting it.
    #[arg(long)]
    pub strict: bool,
    /// Write no trades: somebody else fills the input topic.
    #[arg(long)]
    pub no_source: bool,
    /// The simulated exchange's seed.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
    /// Trades per second of the simulated exchange.
    #[arg(long, default_value_t = 50.0, value_name = "NUMBER")]
    pub trades_per_second: f64,
    /// Elasticsearch's address: predictions are written there too.
    #[arg(long, env = "CANDLEWICK_ELASTICSEARCH", value_name = "URL")]
    pub elasticsearch: Option<String>,
    /// Who logs in to Elasticsearch.
    #[arg(
        long,
        env = "CANDLEWICK_ELASTICSEARCH_USER",
        value_name = "NAME",
        requires = "elasticsearch_password"
    )]
    pub elasticsearch_user: Option<String>,
    /// The password of that user; rather by its variable, for a command line can be seen.
    #[arg(long, env = "CANDLEWICK_ELASTICSEARCH_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub elasticsearch_password: Option<Secret>,
    /// An API key as Elasticsearch shows it, encoded, instead of user and password; rather by its variable.
    #[arg(
        long,
        env = "CANDLEWICK_ELASTICSEARCH_API_KEY",
        hide_env_values = true,
        value_name = "KEY",
        conflicts_with = "elasticsearch_user"
    )]
    pub elasticsearch_api_key: Option<Secret>,
    /// What is done about a prediction that Elasticsearch refuses for good: dead-letter, skip or fail.
    #[arg(
        long,
        env = "CANDLEWICK_ELASTICSEARCH_ERRORS",
        default_value_t = RefusedRecords::DeadLetter,
        value_name = "POLICY"
    )]
    pub elasticsearch_errors: RefusedRecords,
    /// Where stores live; by default in the data folder.
    #[arg(long, env = "CANDLEWICK_STATE_DIR", value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Keep snapshots of stores there, so that an instance with an empty disk need not read whole changelogs:
    /// file:///FOLDER, or s3://, gs:// or az://BUCKET/PREFIX (the build needs the cargo feature `object-store`).
    #[arg(long, env = "CANDLEWICK_SNAPSHOTS", value_name = "URL")]
    pub snapshots: Option<String>,
    /// Where the model lives; by default in the data folder.
    #[arg(long, env = "CANDLEWICK_MODEL_DIR", value_name = "FOLDER")]
    pub model_dir: Option<PathBuf>,
    /// Stream threads.
    #[arg(long, env = "CANDLEWICK_THREADS", default_value_t = 1, value_name = "NUMBER")]
    pub threads: usize,
    /// What a commit promises.
    #[arg(long, env = "CANDLEWICK_GUARANTEE", value_enum, default_value = "at-least-once")]
    pub guarantee: GuaranteeOption,
    /// Milliseconds between commits.
    #[arg(long, value_name = "MILLISECONDS")]
    pub commit_interval_ms: Option<u64>,
    /// Bytes of write-back cache; 0 forwards every update at once.
    #[arg(long, value_name = "BYTES")]
    pub cache_bytes: Option<usize>,
    /// Partitions of topics that are made.
    #[arg(long, default_value_t = 4, value_name = "NUMBER")]
    pub partitions: i32,
    /// A TOML file with the framework's settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The status server's address.
    #[arg(long, env = "CANDLEWICK_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Who may ask the status server.
    #[command(flatten)]
    pub access: AccessFlags,
    /// No status server.
    #[arg(long)]
    pub no_server: bool,
    /// SQL over the stores.
    #[command(flatten)]
    pub sql: SqlFlags,
    /// End once a replay has been processed to its end.
    #[arg(long, requires = "replay")]
    pub exit_when_done: bool,
}

/// Where candles are read from.
#[derive(Clone, Debug, Args)]
pub struct CandleOptions {
    /// A CSV or CSV.gz file of candles, whose header names its columns.
    #[arg(long, value_name = "FILE")]
    pub candles: Option<PathBuf>,
    /// A topic of candles, as `run` writes it.
    #[arg(long, value_name = "TOPIC", conflicts_with = "candles")]
    pub candle_topic: Option<String>,
    /// Where the log is, for a topic.
    #[command(flatten)]
    pub log: LogOptions,
    /// The candles' interval.
    #[arg(long, default_value = "1m", value_name = "INTERVAL")]
    pub interval: Interval,
    /// The file's symbol, where no column tells it.
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
}

/// Options of `train`.
#[derive(Clone, Debug, Args)]
pub struct TrainOptions {
    /// Where candles are read from.
    #[command(flatten)]
    pub candles: CandleOptions,
    /// Where the model is saved.
    #[arg(long, env = "CANDLEWICK_MODEL_DIR", default_value = "data/model", value_name = "FOLDER")]
    pub model_dir: PathBuf,
    /// How many candles ahead the predicted return ends.
    #[arg(long, default_value_t = 5, value_name = "NUMBER")]
    pub horizon: u32,
    /// Candles of a window.
    #[arg(long, default_value_t = 32, value_name = "NUMBER")]
    pub window: usize,
    /// Units of the LSTM layer.
    #[arg(long, default_value_t = 16, value_name = "NUMBER")]
    pub hidden: usize,
    /// The same seed and candles give the same model.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
    /// Walk-forward folds to score before the final training; 0 for none.
    #[arg(long, default_value_t = 4, value_name = "NUMBER")]
    pub folds: usize,
}

/// Options of `evaluate`.
#[derive(Clone, Debug, Args)]
pub struct EvaluateOptions {
    /// Where candles are read from.
    #[command(flatten)]
    pub candles: CandleOptions,
    /// The model's folder.
    #[arg(long, env = "CANDLEWICK_MODEL_DIR", default_value = "data/model", value_name = "FOLDER")]
    pub model_dir: PathBuf,
}

/// Options of `backtest`.
#[derive(Clone, Debug, Args)]
pub struct BacktestOptions {
    /// The recording: CSV, CSV.gz or raw exchange messages.
    #[arg(long, value_name = "FILE")]
    pub replay: PathBuf,
    /// The candles' interval.
    #[arg(long, default_value = "1m", value_name = "INTERVAL")]
    pub interval: Interval,
    /// Where candles are written, as CSV.
    #[arg(long, value_name = "FILE")]
    pub candles: PathBuf,
    /// Where predictions are written, as CSV; needs a model.
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
    /// The model's folder.
    #[arg(long, env = "CANDLEWICK_MODEL_DIR", default_value = "data/model", value_name = "FOLDER")]
    pub model_dir: PathBuf,
    /// How late a trade may come, in stream time.
    #[arg(long, default_value = "5s", value_parser = parse_duration, value_name = "DURATION")]
    pub grace: Duration,
    /// The recording's symbol, where neither a column nor its name tells it.
    #[arg(long, value_name = "SYMBOL")]
    pub symbol: Option<String>,
    /// The exchange's name on candles; by default what the recording says.
    #[arg(long, value_name = "NAME")]
    pub exchange: Option<String>,
    /// End at the first line that is no trade, instead of skipping and counting it.
    #[arg(long)]
    pub strict: bool,
}

/// Options of `health`.
#[derive(Clone, Debug, Args)]
pub struct HealthOptions {
    /// The status server's address.
    #[arg(long, env = "CANDLEWICK_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Ask whether it is ready (every task runs), not only alive.
    #[arg(long)]
    pub ready: bool,
    /// The status server's certificate, where its connections are encrypted.
    #[arg(long, env = "CANDLEWICK_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
}

/// Options of `topology`.
#[derive(Clone, Debug, Args)]
pub struct TopologyOptions {
    /// Which topology.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// In which form.
    #[arg(long, value_enum, default_value = "text")]
    pub format: TopologyFormat,
}

/// Forms of a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopologyFormat {
    /// Kafka Streams' text.
    Text,
    /// A Graphviz graph.
    Graphviz,
    /// A Mermaid flowchart.
    Mermaid,
}

pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("{text} is no duration: write 500ms, 5s or 1m"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        _ => Err(format!("{text} is no duration: write 500ms, 5s or 1m")),
    }
}

fn parse_pace(text: &str) -> Result<candlewick_connectors::Pace, String> {
    use candlewick_connectors::Pace;
    match text {
        "max" | "fast" => Ok(Pace::Fast),
        "recorded" | "x1" | "1" => Ok(Pace::Recorded),
        other => match other.strip_prefix('x').unwrap_or(other).parse::<f64>() {
            Ok(times) if times > 0.0 && times.is_finite() => Ok(Pace::Times(times)),
            Ok(_) | Err(_) => Err(format!("{other} is no speed: write recorded, x10 or max")),
        },
    }
}
