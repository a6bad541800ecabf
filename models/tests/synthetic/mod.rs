//! Seeded candles for tests: a price with regimes of volatility, volumes, gaps and quiet minutes. Knows no model.
#![allow(dead_code, reason = "each test file takes what it needs")]

use candlewick::Timestamp;
use candlewick_models::{Series, TrainConfig};
use candlewick_operators::{Candle, ClosedCandle, Decimal, Feature, FeatureSet};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const START: i64 = 1_700_000_040_000;

fn decimal(value: f64) -> Decimal {
    Decimal::from_units((value * 100.0).round() as i128 * 10_000_000_000)
}

/// One candle per minute, without gaps.
pub(crate) fn candles(seed: u64, count: usize) -> Vec<ClosedCandle> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = move || (0..12).map(|_| random.random_range(0.0..1.0)).sum::<f64>() - 6.0;
    let (mut price, mut volatility, mut drift) = (20_000.0_f64, 4e-4_f64, 0.0_f64);
    let candle = |minute: usize| {
        volatility = (volatility.ln() * 0.98 + 4e-4_f64.ln() * 0.02 + 0.1 * normal()).exp();
        drift = 0.9 * drift + 0.2 * volatility * normal();
        let open = price;
        price *= (drift + volatility * normal()).exp();
        let spread = price * volatility * normal().abs() * 0.5;
        let volume = (1.0 + 2e4 * volatility * normal().abs()).max(0.01);
        let taker_share = (0.5 + drift / volatility * 0.3 + 0.1 * normal()).clamp(0.0, 1.0);
        let candle = Candle {
            open: decimal(open),
            high: decimal(open.max(price) + spread),
            low: decimal(open.min(price) - spread),
            close: decimal(price),
            volume: decimal(volume),
            taker_buy_volume: decimal(volume * taker_share),
            trades: volume as u64 + 1,
            ..Candle::default()
        };
        ClosedCandle { start: Timestamp(START + minute as i64 * MINUTE), candle }
    };
    (0..count).map(candle).collect()
}

pub(crate) fn series(seed: u64, count: usize) -> Series {
    Series { symbol: "BTC-USD".into(), candles: candles(seed, count) }
}

/// Small enough for a test without optimization.
pub(crate) fn small() -> TrainConfig {
    TrainConfig {
        features: FeatureSet::new([
            Feature::LogReturn,
            Feature::Range,
            Feature::TakerBuyShare,
            Feature::Rsi { period: 5 },
        ])
        .expect("four different features"),
        window: 6,
        hidden: 8,
        horizon: 3,
        epochs_max: 2,
        batch: 32,
        ..TrainConfig::default()
    }
}
