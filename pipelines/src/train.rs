//! `candlewick train` and `candlewick evaluate`: a model from candles in a file or a topic, and what it is worth.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{Isolation, PolledBatch, StartAt};
use candlewick::{Serde, Timestamp, TopicPartition};
use candlewick_connectors::avro::{AvroSerde, CandleRecord};
use candlewick_models::{
    FoldPlan, Model, Progress, Series, TrainConfig, evaluate as score, train as fit, walk_forward,
};
use candlewick_operators::{Candle, ClosedCandle, Decimal, Symbol};

use crate::cli::{CandleOptions, EvaluateOptions, TrainOptions};
use crate::error::CommandError;
use crate::log::{self, TIMEOUT};

/// Trains a model, says what it is worth by walking forward, and saves it.
///
/// # Errors
/// When candles cannot be read, are too few, or training fails.
pub fn train(options: &TrainOptions) -> Result<(), CommandError> {
    let series = candles(&options.candles)?;
    let config = TrainConfig {
        interval: options.candles.interval,
        horizon: options.horizon,
        window: options.window,
        hidden: options.hidden,
        seed: options.seed,
        ..TrainConfig::default()
    };
    let progress = Progress::terminal();
    if options.folds > 0 {
        print!("{}", walk_forward(&series, &config, FoldPlan { folds: options.folds }, &progress)?);
    }
    let trained = fit(&series, &config, &progress)?;
    trained.model.save(&options.model_dir)?;
    println!(
        "candlewick: model {} saved in {}",
        trained.model.version().as_str(),
        options.model_dir.display()
    );
    Ok(())
}

/// Scores a saved model against the last price.
///
/// # Errors
/// When the model or the candles cannot be used.
pub fn evaluate(options: &EvaluateOptions) -> Result<(), CommandError> {
    let series = candles(&options.candles)?;
    let model = Model::load(&options.model_dir)?;
    print!("{}", score(&model, &series)?);
    Ok(())
}

fn candles(options: &CandleOptions) -> Result<Vec<Series>, CommandError> {
    let found = match (&options.candles, &options.candle_topic) {
        (Some(path), None) => from_file(path, options)?,
        (None, Some(topic)) => from_topic(topic, options)?,
        _ => return Err(CommandError::Usage("name --candles FILE or --candle-topic TOPIC".into())),
    };
    let count: usize = found.values().map(BTreeMap::len).sum();
    println!("candlewick: {count} candles of {} symbol(s)", found.len());
    let series = found.into_iter().map(|(symbol, candles)| {
        let closed =
            candles.into_iter().map(|(start, candle)| ClosedCandle { start: Timestamp(start), candle });
        Series { symbol, candles: closed.collect() }
    });
    Ok(series.collect())
}

type Found = BTreeMap<Symbol, BTreeMap<i64, Candle>>;

/// What a candle file's columns may be called.
const COLUMNS: [(&str, &[&str]); 9] = [
    ("symbol", &["symbol", "pair", "market", "product_id"]),
    ("time", &["ts_ms", "ts", "open_time", "start", "time", "timestamp", "starttime"]),
    ("open", &["open", "o"]),
    ("high", &["high", "h"]),
    ("low", &["low", "l"]),
    ("close", &["close", "c"]),
    ("volume", &["volume", "v", "base_volume"]),
    ("quote", &["quote_volume", "quote_asset_volume", "turnover"]),
    ("trades", &["trades", "number_of_trades", "count"]),
];

fn from_file(path: &Path, options: &CandleOptions) -> Result<Found, CommandError> {
    let io = |source| CommandError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let plain: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some(_) | None => Box::new(file),
    };
    let mut lines = BufReader::new(plain).lines();
    let header = lines.next().transpose().map_err(io)?.unwrap_or_default().to_lowercase();
    let names: Vec<&str> = header.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let column = |wanted: &str| {
        let accepted = COLUMNS.iter().find(|(name, _)| *name == wanted).map_or(&[][..], |(_, names)| names);
        names.iter().position(|name| accepted.contains(name))
    };
    let need = |wanted: &str| {
        column(wanted).ok_or_else(|| {
            CommandError::Usage(format!("{}: the header names no {wanted} column: {header}", path.display()))
        })
    };
    let places = [need("time")?, need("open")?, need("high")?, need("low")?, need("close")?, need("volume")?];
    let (symbol, quote, trades) = (column("symbol"), column("quote"), column("trades"));
    let fallback = Symbol::from(options.symbol.as_deref().unwrap_or("UNKNOWN"));
    let mut found = Found::new();
    for (number, line) in lines.enumerate() {
        let line = line.map_err(io)?;
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        let parsed = row(&fields, places, quote, trades);
        let Some((start, candle)) = parsed else {
            return Err(CommandError::Usage(format!(
                "{}, line {}: no candle: {line}",
                path.display(),
                number + 2
            )));
        };
        let symbol =
            symbol.and_then(|at| fields.get(at)).map_or(fallback.clone(), |name| Symbol::from(*name));
        found.entry(symbol).or_default().insert(start, candle);
    }
    Ok(found)
}

fn row(
    fields: &[&str],
    places: [usize; 6],
    quote: Option<usize>,
    trades: Option<usize>,
) -> Option<(i64, Candle)> {
    let text = |at: usize| fields.get(at).copied();
    let number = |at: usize| text(at)?.parse::<Decimal>().ok();
    let [time, open, high, low, close, volume] = places;
    let start = milliseconds(text(time)?)?;
    let mut candle = Candle::carried(number(close)?);
    (candle.open, candle.high, candle.low) = (number(open)?, number(high)?, number(low)?);
    candle.volume = number(volume)?;
    candle.trades = trades.and_then(text).and_then(|count| count.parse().ok()).unwrap_or(1);
    let quote = quote.and_then(number).and_then(|quote| quote.product(Decimal::from_int(1)).ok());
    candle.quote_volume = match quote {
        Some(quote) => quote,
        None => candle.close.product(candle.volume).ok()?,
    };
    (candle.first_time, candle.last_time) = (Timestamp(start), Timestamp(start));
    Some((start, candle))
}

/// Seconds, milliseconds, microseconds or nanoseconds, told by their size.
fn milliseconds(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    let whole = |value: f64| if value.is_finite() { Some(value.round() as i64) } else { None };
    match number.abs() {
        size if size < 1e11 => whole(number * 1e3),
        size if size < 1e14 => whole(number),
        size if size < 1e17 => whole(number / 1e3),
        _ => whole(number / 1e6),
    }
}

fn from_topic(topic: &str, options: &CandleOptions) -> Result<Found, CommandError> {
    let log = log::open(&options.log, "candlewick-train")?;
    let registry = log::registry(&options.log)?;
    let serde = AvroSerde::<CandleRecord>::new(Arc::clone(&registry))?;
    let mut admin = log.admin()?;
    let partitions = match admin.describe(&[topic], TIMEOUT)?.into_iter().flatten().next() {
        Some(description) => description.partitions,
        None => return Err(CommandError::Usage(format!("topic {topic} does not exist"))),
    };
    let mut ends = BTreeMap::new();
    for partition in (0..partitions).map(|partition| TopicPartition::new(topic, partition)) {
        let marks = admin.watermarks(&partition, TIMEOUT)?;
        if marks.stable > marks.low {
            ends.insert(partition, marks.stable);
        }
    }
    let mut consumer = log.consumer("candlewick-train", Isolation::ReadCommitted)?;
    let starts: Vec<_> = ends.keys().map(|partition| (partition.clone(), StartAt::Beginning)).collect();
    consumer.assign(&starts)?;
    let (mut found, mut batch, mut deadline) =
        (Found::new(), PolledBatch::default(), Instant::now() + TIMEOUT);
    while ends.iter().any(|(partition, end)| consumer.position(partition).is_none_or(|at| at < *end)) {
        consumer.poll(5_000, Duration::from_millis(100), &mut batch)?;
        if batch.runs.is_empty() && Instant::now() > deadline {
            return Err(CommandError::Stopped(format!("{topic} could not be read to its end")));
        }
        for value in batch.runs.iter().flat_map(|run| run.iter()).filter_map(|record| record.value) {
            deadline = Instant::now() + TIMEOUT;
            let record = serde.deserialize(topic, value)?;
            if record.interval == options.interval {
                let (symbol, start, candle) = candle_of(record)?;
                found.entry(symbol).or_default().insert(start, candle);
            }
        }
    }
    Ok(found)
}

fn candle_of(record: CandleRecord) -> Result<(Symbol, i64, Candle), CommandError> {
    let mut candle = Candle::carried(record.close);
    (candle.open, candle.high, candle.low) = (record.open, record.high, record.low);
    (candle.volume, candle.taker_buy_volume) = (record.volume, record.taker_buy_volume);
    let turnover = record.quote_volume.product(Decimal::from_int(1));
    candle.quote_volume = turnover.map_err(|error| CommandError::Stopped(error.to_string()))?;
    candle.trades = record.trades;
    (candle.first_time, candle.last_time) = (record.start, record.start);
    Ok((record.symbol, record.start.as_millis(), candle))
}
