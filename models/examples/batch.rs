//! What `batch` is worth to a model: an application of several tasks on an embedded log, whose windows reach the model one by
//! one, or together: `cargo run --release -p candlewick-models --example batch -- [WINDOWS] [PARTITIONS]`. The model is trained
//! for one epoch: what it says does not matter here.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    BatchOptions, Consumed, DefaultSerde, Headers, KafkaStreams, Partition, Produced, Record, Serde,
    StreamsBuilder, StreamsConfig, Timestamp, TopicPartition,
};
use candlewick_models::{CandleWindow, Predictor, Progress, TrainConfig, train};

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Outcome {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let windows = numbers.first().copied().unwrap_or(40_000);
    let partitions = i32::try_from(numbers.get(1).copied().unwrap_or(8))?;
    let config = TrainConfig { epochs_max: 1, ..TrainConfig::default() };
    let model = train(&[synthetic::series(1, 2_000)], &config, &Progress::hidden())?.model;
    let mut window = CandleWindow::new(model.input());
    let candles = synthetic::series(2, 500).candles;
    let complete = candles.iter().filter(|closed| window.push(closed.start, &closed.candle)).count();
    assert!(complete > 0, "a window is complete after so many candles");
    let mut bytes = Vec::new();
    CandleWindow::default_serde().serialize("windows", &window, &mut bytes)?;
    for max in [1, 4, 16, 64, 256] {
        let log = filled(&bytes, windows, partitions)?;
        let (took, calls) = run(log, model.predictor(), max, windows)?;
        println!(
            "batches of up to {max}: {calls} calls, {:.1} windows each, {:.0} windows a second",
            windows as f64 / calls as f64,
            windows as f64 / took.as_secs_f64()
        );
    }
    Ok(())
}

/// A log with so many windows, spread over the partitions.
fn filled(window: &[u8], windows: usize, partitions: i32) -> Outcome<Arc<dyn Log>> {
    let log: Arc<dyn Log> = EmbeddedLog::in_memory();
    let topic =
        |name: &str| NewTopic { name: name.into(), partitions, replication: 1, config: Default::default() };
    log.admin()?.create(&[topic("windows"), topic("quantiles")], PATIENCE)?;
    let mut producer = log.producer(&ProducerSettings::default())?;
    let topic = producer.topic("windows")?;
    for (number, partition) in (0..windows).zip((0..partitions).cycle()) {
        producer.send(OutgoingRecord {
            topic,
            partition: Partition(partition),
            key: Some(b"BTC-USD"),
            value: Some(window),
            headers: &Headers::default(),
            timestamp: Timestamp(i64::try_from(number)?),
        })?;
        if number % 1_000 == 999 {
            producer.flush(PATIENCE)?;
        }
    }
    producer.flush(PATIENCE)?;
    Ok(log)
}

/// How long it took until all results lay in the log, and how often the model was asked.
fn run(log: Arc<dyn Log>, predictor: Predictor, max: usize, windows: usize) -> Outcome<(Duration, usize)> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let predict = move |rows: &[Record<String, CandleWindow>]| {
        counted.fetch_add(1, Ordering::Relaxed);
        let inputs: Vec<f32> = rows.iter().flat_map(|row| row.value.window()).copied().collect();
        let mut out = vec![0.0; rows.len() * predictor.quantiles()];
        predictor.predict_batch(&inputs, &mut out);
        Ok(out.chunks(predictor.quantiles()).map(|row| row[0]).collect::<Vec<f64>>())
    };
    let builder = StreamsBuilder::new();
    builder
        .stream("windows", Consumed::<String, CandleWindow>::default())
        .batch(BatchOptions { max, ..BatchOptions::default() }, predict)
        .to("quantiles", Produced::default());
    let began = Instant::now();
    let running =
        KafkaStreams::new(builder.build()?, StreamsConfig::new("batch"), Arc::clone(&log)).start()?;
    let mut consumer = log.consumer("reader", Isolation::ReadCommitted)?;
    let partitions = log.admin()?.describe(&["quantiles"], PATIENCE)?;
    let count = partitions[0].as_ref().map_or(0, |found| found.partitions);
    let starts: Vec<_> =
        (0..count).map(|n| (TopicPartition::new("quantiles", n), StartAt::Beginning)).collect();
    consumer.assign(&starts)?;
    let (mut batch, mut found) = (PolledBatch::default(), 0);
    while found < windows {
        consumer.poll(100_000, Duration::from_millis(5), &mut batch)?;
        found += batch.runs.iter().map(|run| run.len()).sum::<usize>();
    }
    let took = began.elapsed();
    running.stop(PATIENCE)?;
    Ok((took, calls.load(Ordering::Relaxed)))
}
