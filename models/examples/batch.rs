//! What `batch` is worth to a model: an application of several tasks on an embedded log, whose windows reach the model one by
//! one on the task's own thread, or in batches beside it: `cargo run --release -p candlewick-models --example batch -- [WINDOWS] [PARTITIONS]`. The model is trained
//! for one epoch: what it says does not matter here. Linux only, for the CPU clock.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use candlewick::client::{
    EmbeddedLog, Isolation, Log, NewTopic, OutgoingRecord, PolledBatch, ProducerSettings, StartAt,
};
use candlewick::{
    BatchOptions, Consumed, DefaultSerde, Headers, KafkaStreams, Partition, ProcessError, Produced, Record,
    Serde, StreamsBuilder, StreamsConfig, Timestamp, TopicPartition,
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
    for rows in [1, 16, 256] {
        let predictor = model.predictor();
        let inputs = window.window().repeat(rows);
        let mut out = vec![0.0; rows * predictor.quantiles()];
        let (start, calls) = (cpu()?, 40_000 / rows);
        (0..calls).for_each(|_| predictor.predict_batch(&inputs, &mut out));
        let micros = (cpu()? - start) * 1e6 / (calls * rows) as f64;
        println!("the model alone, {rows} windows a call: {micros:.1} us of CPU a window");
    }
    let mut bytes = Vec::new();
    CandleWindow::default_serde().serialize("windows", &window, &mut bytes)?;
    for max in [0, 1, 4, 16, 64, 256] {
        let log = filled(&bytes, windows, partitions)?;
        let start = cpu()?;
        let (took, calls) = run(log, model.predictor(), max, windows)?;
        let what =
            if max == 0 { "on the task's thread".to_owned() } else { format!("batches of up to {max}") };
        println!(
            "{what}: {calls} calls, {:.1} windows each, {:.0} windows a second, {:.1} us of CPU a window",
            windows as f64 / calls as f64,
            windows as f64 / took.as_secs_f64(),
            (cpu()? - start) * 1e6 / windows as f64
        );
    }
    Ok(())
}

/// CPU time of this process, in seconds; the kernel counts hundredths.
fn cpu() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = text.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = behind_name.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    Ok(ticks.iter().sum::<f64>() / 100.0)
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

/// How long it took until all results lay in the log, and how often the model was asked. With no `max` it is asked
/// on the thread of each task.
fn run(log: Arc<dyn Log>, predictor: Predictor, max: usize, windows: usize) -> Outcome<(Duration, usize)> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let predict = move |rows: &[Record<String, CandleWindow>]| -> Result<Vec<f64>, ProcessError> {
        counted.fetch_add(1, Ordering::Relaxed);
        let inputs: Vec<f32> = rows.iter().flat_map(|row| row.value.window()).copied().collect();
        let mut out = vec![0.0; rows.len() * predictor.quantiles()];
        predictor.predict_batch(&inputs, &mut out);
        Ok(out.chunks(predictor.quantiles()).map(|row| row[0]).collect())
    };
    let builder = StreamsBuilder::new();
    let stream = builder.stream("windows", Consumed::<String, CandleWindow>::default());
    let quantiles = if max == 0 {
        // One by one, as any other operation.
        stream.map_values(move |window| {
            let row = Record::new(String::new(), window, Timestamp(0));
            predict(std::slice::from_ref(&row)).map_or(f64::NAN, |found| found[0])
        })
    } else {
        stream.batch(BatchOptions { max, ..BatchOptions::default() }, predict)
    };
    quantiles.to("quantiles", Produced::default());
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
