//! Trains, judges and times the LSTM on a seeded random market: `cargo run --release -p candlewick-models --example lstm
//! -- [CANDLES] [HIDDEN] [WINDOW] [FOLDS] [RATE]`. Prints CPU-seconds of training and microseconds per window. Linux only, for
//! the CPU clock.

use std::error::Error;
use std::time::Instant;

use candlewick::{DefaultSerde, Serde};
use candlewick_models::{CandleWindow, FoldPlan, Progress, TrainConfig, evaluate, train, walk_forward};

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

/// CPU time of this thread, in seconds.
fn cpu() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanos / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let number = |at: usize, default: usize| numbers.get(at).copied().unwrap_or(default);
    let usual = TrainConfig::default();
    let config = TrainConfig {
        hidden: number(1, usual.hidden),
        window: number(2, usual.window),
        // In millionths.
        learning_rate: number(4, 1_000) as f64 / 1e6,
        ..usual
    };
    let candles = number(0, 10_000);
    let history = [synthetic::series(1, candles)];

    let (start, wall) = (cpu()?, Instant::now());
    let trained = train(&history, &config, &Progress::terminal())?;
    let training = &trained.model.manifest().training;
    println!(
        "trained on {} windows of {}, hidden {}, best epoch {}: {:.2} CPU-s in this thread, {:.2} s",
        training.windows,
        config.window,
        config.hidden,
        training.epochs,
        cpu()? - start,
        wall.elapsed().as_secs_f64()
    );
    let mut later = [synthetic::series(2, candles / 4)];
    for closed in &mut later[0].candles {
        closed.start = closed.start.plus_millis(candles as i64 * synthetic::MINUTE);
    }
    println!("{}\n", evaluate(&trained.model, &later)?);

    let mut windows = Vec::new();
    let (start, mut pushed) = (cpu()?, 0_u32);
    for _ in 0..100 {
        windows.clear();
        let mut window = CandleWindow::new(trained.model.input());
        for closed in &later[0].candles {
            pushed += 1;
            if window.push(closed.start, &closed.candle) && windows.len() < 200 * window.window().len() {
                windows.extend_from_slice(window.window());
            }
        }
    }
    println!("{:.2} us per candle pushed into its window", (cpu()? - start) * 1e6 / f64::from(pushed));
    let mut bytes = Vec::new();
    let mut window = CandleWindow::new(trained.model.input());
    for closed in &later[0].candles {
        window.push(closed.start, &closed.candle);
    }
    CandleWindow::default_serde().serialize("windows", &window, &mut bytes)?;
    println!("{} bytes of state per instrument", bytes.len());
    let predictor = trained.model.predictor();
    for rows in [1, 16, 200] {
        let windows = &windows[..rows * predictor.window_len()];
        let mut out = vec![0.0; rows * predictor.quantiles()];
        let calls = 20_000 / rows;
        let start = cpu()?;
        (0..calls).for_each(|_| predictor.predict_batch(windows, &mut out));
        let micros = (cpu()? - start) * 1e6 / (calls * rows) as f64;
        println!("{micros:.2} us per window in batches of {rows}");
    }
    let plan = FoldPlan { folds: number(3, 3) };
    println!("\n{}", walk_forward(&history, &config, plan, &Progress::terminal())?);
    Ok(())
}
