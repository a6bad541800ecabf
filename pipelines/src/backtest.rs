//! `candlewick backtest`: the market topology over a recording, without a log, streamed from file to file. The same
//! input gives the same bytes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candlewick::{Backtest, BacktestOutput, DriverOptions, DropReason, Serde, TaskFault, Timestamp};
use candlewick_connectors::avro::{AvroSerde, CandleRecord, MemoryRegistry, SchemaRegistry};
use candlewick_connectors::{Replay, ReplaySettings};
use candlewick_operators::{Exchange, Trade};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::BacktestOptions;
use crate::error::CommandError;
use crate::market::{self, MarketOptions, MarketTopics, ModelSlot, PredictionRecord};
use crate::training;

const CANDLES_HEADER: &str =
    "exchange,symbol,ts_ms,open,high,low,close,volume,quote_volume,trades,taker_buy_volume";
const PREDICTIONS_HEADER: &str = "exchange,symbol,ts_ms,horizon_ms,close,low,mid,high,model";

/// Write-back cache of a backtest: everything that is open fits.
const CACHE_BYTES: usize = 64 << 20;

/// Runs it.
///
/// # Errors
/// When a file cannot be used, or under `--strict` at the first line that is no trade.
pub fn backtest(options: &BacktestOptions) -> Result<(), CommandError> {
    let registry: Arc<dyn SchemaRegistry> = Arc::new(MemoryRegistry::new());
    let topics = MarketTopics::new("trades", "");
    let mut replay = NamedReplay::open(options)?;
    let market = MarketOptions {
        intervals: vec![options.interval],
        grace: options.grace,
        exchange: replay.exchange.clone(),
        model: model(options)?,
    };
    let topology = market::topology(&topics, &market, &registry)?;
    let driver = DriverOptions { cache_bytes_max: CACHE_BYTES, ..DriverOptions::default() };
    let mut run = Backtest::new(&topology, &driver).map_err(fault)?;
    let mut outputs = Outputs::create(options, &topics, &registry)?;
    let bar = progress_bar(&replay);
    let serde = AvroSerde::<Trade>::new(Arc::clone(&registry))?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut newest = Timestamp::UNKNOWN;
    while let Some(trade) = replay.next() {
        let trade = trade?;
        newest = newest.max(trade.timestamp);
        key.clear();
        key.extend_from_slice(trade.symbol.as_str().as_bytes());
        value.clear();
        serde.serialize(&topics.trades, &trade, &mut value)?;
        let due = run.pipe(&topics.trades, Some(&key), Some(&value), trade.timestamp);
        if due.map_err(|topic| CommandError::Stopped(format!("the topology reads no {topic}")))? {
            run.drain(|output| outputs.take(&output)).map_err(fault)?;
            bar.set_position(replay.bytes_read());
        }
    }
    let horizon =
        options.interval.as_millis() + i64::try_from(options.grace.as_millis()).unwrap_or(i64::MAX / 4);
    run.drain(|output| outputs.take(&output)).map_err(fault)?;
    let late = run.dropped(DropReason::Late);
    let end = if newest == Timestamp::UNKNOWN { newest } else { newest.plus_millis(horizon) };
    run.finish(end, |output| outputs.take(&output)).map_err(fault)?;
    bar.finish_and_clear();
    let (candles, predictions) = outputs.finish()?;
    println!("candlewick: {}", replay.report());
    for sentence in replay.report_sentences() {
        println!("candlewick: {sentence}");
    }
    println!(
        "candlewick: {candles} candles, {predictions} predictions, {late} trades were later than the grace"
    );
    Ok(())
}

fn fault(fault: TaskFault) -> CommandError {
    CommandError::Streams(fault.into())
}

/// The model, where predictions are wanted.
fn model(options: &BacktestOptions) -> Result<Option<ModelSlot>, CommandError> {
    if options.predictions.is_none() {
        return Ok(None);
    }
    match training::saved(&options.model_dir, options.interval)? {
        Some(model) => Ok(Some(ModelSlot::filled(model))),
        None => Err(CommandError::Usage(format!(
            "--predictions needs a model, and there is none in {}; train one, or name another folder with --model-dir",
            options.model_dir.display()
        ))),
    }
}

fn progress_bar(replay: &NamedReplay) -> ProgressBar {
    let bar = ProgressBar::new(replay.bytes_total());
    let template = "{bar:40} {bytes}/{total_bytes} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A replay whose exchange is known before the first trade is taken: it stands on every candle.
struct NamedReplay {
    replay: Replay,
    first: Option<Result<Trade, candlewick_connectors::ReplayError>>,
    exchange: Exchange,
}

impl NamedReplay {
    fn open(options: &BacktestOptions) -> Result<Self, CommandError> {
        let settings = ReplaySettings {
            symbol: options.symbol.as_deref().map(Into::into),
            exchange: options.exchange.as_deref().map(Into::into),
            strict: options.strict,
        };
        let mut replay = Replay::open(&options.replay, settings)?;
        let first = replay.next();
        let told = first.as_ref().and_then(|first| first.as_ref().ok()).map(|trade| trade.exchange.clone());
        let exchange = options.exchange.as_deref().map(Exchange::from).or(told);
        Ok(Self { replay, first, exchange: exchange.unwrap_or_else(|| Exchange::from("")) })
    }

    fn next(&mut self) -> Option<Result<Trade, candlewick_connectors::ReplayError>> {
        self.first.take().or_else(|| self.replay.next())
    }

    fn bytes_read(&self) -> u64 {
        self.replay.progress().0
    }

    fn bytes_total(&self) -> u64 {
        self.replay.progress().1
    }

    fn report(&self) -> candlewick_connectors::ReplayReport {
        self.replay.report()
    }

    fn report_sentences(&self) -> Vec<String> {
        self.replay.report().sentences
    }
}

/// The files that results are written to.
struct Outputs {
    topics: MarketTopics,
    candle_serde: AvroSerde<CandleRecord>,
    prediction_serde: AvroSerde<PredictionRecord>,
    candles: CsvFile,
    predictions: Option<CsvFile>,
    failed: Option<CommandError>,
}

struct CsvFile {
    path: PathBuf,
    writer: BufWriter<File>,
    rows: u64,
}

impl CsvFile {
    fn create(path: &Path, header: &str) -> Result<Self, CommandError> {
        let io = |source| CommandError::Io { path: path.to_owned(), source };
        let mut writer = BufWriter::new(File::create(path).map_err(io)?);
        writeln!(writer, "{header}").map_err(io)?;
        Ok(Self { path: path.to_owned(), writer, rows: 0 })
    }

    fn row(&mut self, row: std::fmt::Arguments<'_>) -> Result<(), CommandError> {
        self.rows += 1;
        let written = self.writer.write_fmt(row).and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(|source| CommandError::Io { path: self.path.clone(), source })
    }

    fn finish(mut self) -> Result<u64, CommandError> {
        self.writer.flush().map_err(|source| CommandError::Io { path: self.path.clone(), source })?;
        Ok(self.rows)
    }
}

impl Outputs {
    fn create(
        options: &BacktestOptions,
        topics: &MarketTopics,
        registry: &Arc<dyn SchemaRegistry>,
    ) -> Result<Self, CommandError> {
        let predictions = options.predictions.as_deref();
        Ok(Self {
            topics: topics.clone(),
            candle_serde: AvroSerde::new(Arc::clone(registry))?,
            prediction_serde: AvroSerde::new(Arc::clone(registry))?,
            candles: CsvFile::create(&options.candles, CANDLES_HEADER)?,
            predictions: predictions.map(|path| CsvFile::create(path, PREDICTIONS_HEADER)).transpose()?,
            failed: None,
        })
    }

    /// Writes one output; the first failure is kept and told at the end.
    fn take(&mut self, output: &BacktestOutput<'_>) {
        if self.failed.is_none() {
            self.failed = self.write(output).err();
        }
    }

    fn write(&mut self, output: &BacktestOutput<'_>) -> Result<(), CommandError> {
        let Some(value) = output.value else { return Ok(()) };
        if output.topic == self.topics.candles {
            let c = self.candle_serde.deserialize(output.topic, value)?;
            self.candles.row(format_args!(
                "{},{},{},{},{},{},{},{},{},{},{}",
                c.exchange.as_str(),
                c.symbol.as_str(),
                c.start,
                c.open,
                c.high,
                c.low,
                c.close,
                c.volume,
                c.quote_volume,
                c.trades,
                c.taker_buy_volume
            ))
        } else if output.topic == self.topics.predictions {
            let p = self.prediction_serde.deserialize(output.topic, value)?;
            match &mut self.predictions {
                Some(file) => file.row(format_args!(
                    "{},{},{},{},{},{},{},{},{}",
                    p.exchange.as_str(),
                    p.symbol.as_str(),
                    p.start,
                    p.horizon_ms,
                    p.close,
                    p.low,
                    p.mid,
                    p.high,
                    p.model
                )),
                None => Ok(()),
            }
        } else {
            Ok(())
        }
    }

    fn finish(self) -> Result<(u64, u64), CommandError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let candles = self.candles.finish()?;
        let predictions = self.predictions.map_or(Ok(0), CsvFile::finish)?;
        Ok((candles, predictions))
    }
}
