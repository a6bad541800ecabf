//! `candlewick run`: puts log, source, topology, status server and sinks together, and takes them apart again on a
//! signal.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::Log;
use candlewick::{
    ApplicationState, Clock, KafkaStreams, RunningStreams, SnapshotStore, StreamsConfig, SystemClock,
    Timestamp, Topology,
};
use candlewick_connectors::avro::{AvroRecord, CandleRecord, SchemaRegistry};
use candlewick_connectors::elasticsearch::Login;
use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings};
use candlewick_connectors::{Pacer, Replay, ReplaySettings};
use candlewick_models::Progress;
use candlewick_operators::{Exchange, Interval, Trade};
use candlewick_server::{
    Access, Application, Feed as PageFeed, FeedLimits, StatusServer, TlsFiles, install_recorder,
};

use crate::application::application;
use crate::cli::{AccessFlags, Pipeline, PipelineOptions, RunOptions};
use crate::dead_letter::DeadLetterWhenAtFault;
use crate::error::CommandError;
use crate::feed::FeedReader;
use crate::log;
use crate::market::{self, IndicatorRecord, MarketOptions, MarketTopics, ModelSlot, PredictionRecord};
use crate::notional;
use crate::sink::PredictionSink;
use crate::snapshots;
use crate::source::{Feed, Source, written};
use crate::sql;
use crate::training;

/// How much of the past a simulated exchange begins with, so that indicators and model are warm at once.
const SIMULATED_HISTORY_MS: i64 = 3 * 3_600_000;

/// Silence after the end of a replay before its last windows are closed.
const REPLAY_IDLE: Duration = Duration::from_secs(2);

/// Time for everything to be committed and closed on a signal.
const STOP_DEADLINE: Duration = Duration::from_secs(25);

/// Runs until a signal, the end of a replay, or an error.
///
/// # Errors
/// What keeps it from starting, or ended it.
pub fn run(options: &RunOptions) -> Result<(), CommandError> {
    if options.elasticsearch.is_some() && options.pipeline.pipeline != Pipeline::Market {
        let name = application_id(&PipelineOptions { application_id: None, ..options.pipeline.clone() });
        let reason =
            format!("--elasticsearch takes predictions, and the pipeline {name} makes none; leave it out");
        return Err(CommandError::Usage(reason));
    }
    sql::check(&options.sql)?;
    let snapshots = snapshots::open(options.snapshots.as_deref())?;
    let access = access(&options.access);
    if !options.no_server {
        access.check(options.listen)?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|source| CommandError::Io { path: "signal handler".into(), source })?;
    }
    // What nobody can ask for is not collected: it would only grow.
    let metrics = (!options.no_server).then(install_recorder).transpose()?;
    let log = log::open(&options.log, &application_id(&options.pipeline))?;
    let registry = log::registry(&options.log)?;
    let topics = MarketTopics::new(&options.pipeline.input, &options.pipeline.output_prefix);
    prepare(options, &log, &registry, &topics)?;

    let model = model_slot(options)?;
    let topology = topology(options, &topics, model.clone(), &registry)?;
    let handler = DeadLetterWhenAtFault::default();
    let streams = KafkaStreams::new(topology, streams_config(options)?, Arc::clone(&log));
    let streams = with_snapshots(streams, snapshots).decode_handler(handler.clone()).start()?;
    let source = start_source(options, &log, &registry, &topics)?;
    let feed = Arc::new(PageFeed::new(FeedLimits::default()));
    let application: Arc<dyn Application> =
        Arc::new(application(streams.handle(), &options.pipeline.intervals)?);
    let server = if let Some(metrics) = metrics {
        let server = StatusServer::start(
            options.listen,
            &access,
            Arc::clone(&application),
            Arc::clone(&feed),
            metrics,
        )?;
        let scheme = if options.access.tls_certificate.is_some() { "https" } else { "http" };
        println!("candlewick: {scheme}://{}/", server.local_addr());
        Some(server)
    } else {
        None
    };
    let sql = sql::start(&options.sql, application, access)?;
    let market = options.pipeline.pipeline != Pipeline::Notional;
    let reader = match &server {
        Some(_) if market => Some(FeedReader::start(&log, &registry, &topics, feed)?),
        Some(_) | None => None,
    };
    let how = (login(options), options.elasticsearch_errors);
    let start_sink = |url: &String| PredictionSink::start(url, how, &topics.predictions, &registry, &log);
    let sink = options.elasticsearch.as_ref().map(start_sink).transpose()?;
    let parts = Parts { streams, source, sink, handler };
    let watched = parts.watch(options, &stop);
    let ended = parts.end(watched, &stop);
    // Before the application whose stores it reads.
    sql::stop(sql);
    if let Some(reader) = reader {
        reader.stop();
    }
    if let Some(server) = server {
        server.stop();
    }
    ended
}

/// With snapshots, where there is a place for them.
fn with_snapshots(streams: KafkaStreams, place: Option<Arc<dyn SnapshotStore>>) -> KafkaStreams {
    match place {
        Some(place) => streams.snapshots(place),
        None => streams,
    }
}

/// Who may ask the status server.
fn access(flags: &AccessFlags) -> Access {
    let mut access = Access::default();
    if let Some(token) = &flags.token {
        access = access.with_token(token.reveal());
    }
    if let (Some(certificate), Some(key)) = (&flags.tls_certificate, &flags.tls_key) {
        let (certificate, key) = (certificate.clone(), key.clone());
        access = access.with_tls(TlsFiles { certificate, key, clients: flags.tls_clients.clone() });
    }
    access
}

/// How Elasticsearch is logged in to.
fn login(options: &RunOptions) -> Login {
    match (&options.elasticsearch_api_key, &options.elasticsearch_user, &options.elasticsearch_password) {
        (Some(key), _, _) => Login::ApiKey(key.reveal().to_owned()),
        (None, Some(user), Some(password)) => {
            Login::Basic { user: user.clone(), password: password.reveal().to_owned() }
        }
        (None, _, _) => Login::None,
    }
}

/// What must be there before anything runs: the topics of ours, and the schemas of what is written into them. An input
/// that others fill is theirs to make.
fn prepare(
    options: &RunOptions,
    log: &Arc<dyn Log>,
    registry: &Arc<dyn SchemaRegistry>,
    topics: &MarketTopics,
) -> Result<(), CommandError> {
    let mut written: Vec<(String, &str)> = outputs(&options.pipeline, topics);
    if !options.no_source {
        written.push((topics.trades.clone(), Trade::schema()));
    }
    let schemas: Vec<(&str, &str)> =
        written.iter().map(|(topic, schema)| (topic.as_str(), *schema)).collect();
    log::register(registry, &schemas)?;
    let names: Vec<&str> = schemas.iter().map(|(topic, _)| *topic).collect();
    log::create_topics(log, &names, options.partitions)
}

/// The application's id: the pipeline's name unless told otherwise.
#[must_use]
pub fn application_id(options: &PipelineOptions) -> String {
    let name = match options.pipeline {
        Pipeline::Market => "market",
        Pipeline::Candles => "candles",
        Pipeline::Notional => "notional",
    };
    options.application_id.clone().unwrap_or_else(|| name.to_owned())
}

/// The topics that a pipeline writes, each with its schema.
fn outputs(options: &PipelineOptions, topics: &MarketTopics) -> Vec<(String, &'static str)> {
    if options.pipeline == Pipeline::Notional {
        return vec![(notional_topic(options), notional::NotionalRecord::schema())];
    }
    let mut outputs = vec![
        (topics.candles.clone(), CandleRecord::schema()),
        (topics.indicators.clone(), IndicatorRecord::schema()),
    ];
    if options.pipeline == Pipeline::Market {
        outputs.push((topics.predictions.clone(), PredictionRecord::schema()));
    }
    outputs
}

fn notional_topic(options: &PipelineOptions) -> String {
    format!("{}notional", options.output_prefix)
}

/// The topology that the options name.
///
/// # Errors
/// When they do not make one.
pub fn topology(
    options: &RunOptions,
    topics: &MarketTopics,
    model: Option<ModelSlot>,
    registry: &Arc<dyn SchemaRegistry>,
) -> Result<Topology, CommandError> {
    let exchange = options.exchange.clone().unwrap_or_else(|| default_exchange(options));
    let market = MarketOptions {
        intervals: options.pipeline.intervals.clone(),
        grace: options.pipeline.grace,
        exchange: Exchange::from(exchange.as_str()),
        model,
    };
    match options.pipeline.pipeline {
        Pipeline::Market | Pipeline::Candles => market::topology(topics, &market, registry),
        Pipeline::Notional => {
            notional::topology(&topics.trades, &notional_topic(&options.pipeline), registry)
        }
    }
}

fn default_exchange(options: &RunOptions) -> String {
    let simulated = options.replay.is_none() && !options.no_source;
    if simulated { "simulated".to_owned() } else { String::new() }
}

fn streams_config(options: &RunOptions) -> Result<StreamsConfig, CommandError> {
    let id = application_id(&options.pipeline);
    let base = match &options.config {
        Some(path) => StreamsConfig::from_toml(path)?,
        None => StreamsConfig::default(),
    };
    let base = base.with_environment(std::env::vars())?;
    let state_dir = options.state_dir.clone().or(base.state_dir.clone());
    let state_dir =
        state_dir.or_else(|| (!options.log.in_memory).then(|| options.log.data_dir.join("state")));
    let dead_letters = base.dead_letter_topic.clone().unwrap_or_else(|| format!("{id}-dead-letters"));
    let additional_retention_ms = match base.window_changelog_additional_retention_ms {
        // The time of a recording is long past: a log that deletes by it would delete what windows still need.
        ms if options.replay.is_some()
            && ms == StreamsConfig::default().window_changelog_additional_retention_ms =>
        {
            -1
        }
        ms => ms,
    };
    Ok(StreamsConfig {
        application_id: id,
        window_changelog_additional_retention_ms: additional_retention_ms,
        threads: options.threads.max(1),
        guarantee: options.guarantee.into(),
        commit_interval_ms: options.commit_interval_ms.or(base.commit_interval_ms),
        cache_bytes_max: options.cache_bytes.unwrap_or(base.cache_bytes_max),
        state_dir,
        dead_letter_topic: Some(dead_letters),
        endpoint: base.endpoint.clone().or_else(|| endpoint(options)),
        ..base
    })
}

/// Where other instances find the status server, where that is known: not behind an address that means any.
fn endpoint(options: &RunOptions) -> Option<String> {
    let is_known = !options.no_server && !options.listen.ip().is_unspecified() && options.listen.port() != 0;
    is_known.then(|| options.listen.to_string())
}

/// The interval whose candles the model reads.
fn longest(options: &PipelineOptions) -> Interval {
    options.intervals.iter().copied().max_by_key(|interval| interval.as_millis()).unwrap_or(Interval::MINUTE)
}

/// The model: the saved one; or one that is trained first; or, on the simulated exchange, one that is trained while
/// candles are already drawn.
fn model_slot(options: &RunOptions) -> Result<Option<ModelSlot>, CommandError> {
    if options.pipeline.pipeline != Pipeline::Market {
        return Ok(None);
    }
    let folder = options.model_dir.clone().unwrap_or_else(|| options.log.data_dir.join("model"));
    let config = training::first_config(longest(&options.pipeline), options.seed);
    if let Some(model) = training::saved(&folder, config.interval)? {
        return Ok(Some(ModelSlot::filled(model)));
    }
    let live = options.replay.is_none() && !options.no_source;
    println!("candlewick: no model in {} yet: training a small one on simulated history", folder.display());
    if !live {
        let model = training::train_first(&folder, &config, &Progress::terminal())?;
        return Ok(Some(ModelSlot::filled(model)));
    }
    let slot = ModelSlot::empty(config.input());
    train_beside(slot.clone(), folder, config)?;
    Ok(Some(slot))
}

fn train_beside(
    slot: ModelSlot,
    folder: PathBuf,
    config: candlewick_models::TrainConfig,
) -> Result<(), CommandError> {
    let train = move || match training::train_first(&folder, &config, &Progress::terminal()) {
        Ok(model) => slot.fill(model),
        Err(error) => {
            tracing::error!(%error, "the first model could not be trained: there are no predictions")
        }
    };
    std::thread::Builder::new()
        .name("training".into())
        .spawn(train)
        .map(drop)
        .map_err(|source| CommandError::Io { path: "training thread".into(), source })
}

fn start_source(
    options: &RunOptions,
    log: &Arc<dyn Log>,
    registry: &Arc<dyn SchemaRegistry>,
    topics: &MarketTopics,
) -> Result<Option<Source>, CommandError> {
    if options.no_source {
        return Ok(None);
    }
    let before = written(log, &topics.trades)?;
    let feed = match &options.replay {
        Some(path) => {
            let settings = ReplaySettings {
                symbol: options.symbol.as_deref().map(Into::into),
                exchange: options.exchange.as_deref().map(Into::into),
                strict: options.strict,
            };
            let mut pacer = Pacer::new(options.speed);
            Feed {
                trades: Box::new(Replay::open(path, settings)?),
                due: Box::new(move |trade| pacer.due(trade.timestamp)),
                numbered_from: 0,
            }
        }
        None => simulated(options, before.newest, before.numbers.iter().copied().max().unwrap_or(0)),
    };
    Ok(Some(Source::start(log, registry, &topics.trades, before, feed)?))
}

/// The simulated exchange: some hours of past at once, then in real time. A restart goes on after the newest trade.
fn simulated(options: &RunOptions, newest: Option<Timestamp>, numbered_from: u64) -> Feed {
    let now = SystemClock::default().wall();
    let past = now.minus_millis(SIMULATED_HISTORY_MS);
    let start = newest.map_or(past, |newest| newest.plus_millis(1).max(past));
    // Each run has its own chance, or a restart would repeat the trades before it.
    let seed = options.seed.wrapping_add(numbered_from);
    let settings =
        SimulatedSettings { seed, trades_per_second: options.trades_per_second, start, ..Default::default() };
    let due = move |trade: &Trade| {
        Duration::from_millis(u64::try_from(trade.timestamp.as_millis() - now.as_millis()).unwrap_or(0))
    };
    Feed { trades: Box::new(SimulatedExchange::new(settings).map(Ok)), due: Box::new(due), numbered_from }
}

/// What runs, and is ended together.
struct Parts {
    streams: RunningStreams,
    source: Option<Source>,
    sink: Option<PredictionSink>,
    handler: DeadLetterWhenAtFault,
}

/// Why the run ends in good order.
enum Reason {
    /// A signal.
    Asked,
    /// Everything was replayed and processed.
    Done,
    /// The source or the sink has ended by itself; it says why when it is stopped.
    PartFailed,
}

impl Parts {
    /// Waits for a reason to stop.
    fn watch(&self, options: &RunOptions, stop: &AtomicBool) -> Result<Reason, CommandError> {
        let handle = self.streams.handle();
        let mut closing: Option<Timestamp> = None;
        let started = Instant::now();
        loop {
            if stop.load(Ordering::Relaxed) {
                println!("candlewick: stopping");
                return Ok(Reason::Asked);
            }
            if matches!(handle.state(), ApplicationState::PendingError | ApplicationState::Error) {
                return Err(match self.handler.stopped_by() {
                    Some(reason) => CommandError::Unreachable(reason.to_owned()),
                    None => {
                        CommandError::Stopped(handle.error().unwrap_or_else(|| "no reason was given".into()))
                    }
                });
            }
            if self.sink.as_ref().is_some_and(PredictionSink::has_failed) {
                return Ok(Reason::PartFailed);
            }
            if let Some(source) = &self.source {
                let done = source.progress().done.load(Ordering::Acquire);
                if source.is_finished() && !done {
                    return Ok(Reason::PartFailed);
                }
                if done && options.replay.is_some() && closing.is_none() {
                    let trades = source.progress().trades.load(Ordering::Relaxed);
                    println!(
                        "candlewick: {trades} trades replayed in {:.1} s",
                        started.elapsed().as_secs_f64()
                    );
                    handle.advance_when_idle(REPLAY_IDLE);
                    closing = Some(SystemClock::default().wall());
                }
            }
            if let Some(since) = closing
                && options.exit_when_done
                && closed_since(&handle.status(), since)
            {
                return Ok(Reason::Done);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends everything, what writes before what reads it, and says what went wrong first.
    fn end(self, watched: Result<Reason, CommandError>, stop: &AtomicBool) -> Result<(), CommandError> {
        let is_done = matches!(watched, Ok(Reason::Done));
        let mut results = vec![
            watched.map(drop),
            self.source.map_or(Ok(()), Source::stop),
            self.streams.stop(STOP_DEADLINE).map_err(CommandError::from),
        ];
        if let Some(sink) = self.sink {
            // A replay that has ended by itself is whole only when its predictions have arrived.
            let is_whole = is_done && results.iter().all(Result::is_ok);
            results.push(if is_whole { sink.drain(stop) } else { Ok(()) });
            results.push(sink.stop(STOP_DEADLINE));
        }
        results.into_iter().collect()
    }
}

/// Whether every task's stream time has passed `since`, which only the end of a replay brings about: also in a task whose
/// partitions hold nothing, once it has looked. At its start an instance may run well and have no task yet.
fn closed_since(status: &candlewick::Status, since: Timestamp) -> bool {
    status.state == ApplicationState::Running
        && !status.tasks.is_empty()
        && status.tasks.iter().all(|task| task.stream_time_ms >= since.as_millis() - 1_000)
}
