//! Operator state across a restart: written and read at any point, it goes on with bit-identical values; what is not
//! finite leaves it as it was. Knows the public API only.

use std::fmt::Debug;

use candlewick::{Serde, Timestamp};
use candlewick_operators::{
    Atr, Bar, Bollinger, Candle, Ema, Macd, Obv, Roc, RollingVwap, Rsi, Side, Sma, StateSerde, Trade,
    Volatility, Vwap,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn bars() -> impl Strategy<Value = Vec<Bar>> {
    let price = || prop_oneof![4 => 90.0..110.0_f64, 1 => Just(100.0), 1 => 1e-6..1e6_f64];
    prop::collection::vec((price(), price(), prop_oneof![Just(0.0), 0.0..1e4_f64]), 1..60).prop_map(|bars| {
        let bar = |(a, b, volume): (f64, f64, f64)| Bar {
            open: a,
            high: a.max(b),
            low: a.min(b),
            close: b,
            volume,
        };
        bars.into_iter().map(bar).collect()
    })
}

/// Restores the state before every bar and compares all later answers bit by bit, by their `Debug` text, which tells
/// every float from its neighbours.
fn restores<S, Y>(start: S, bars: &[Bar], update: impl Fn(&mut S, &Bar) -> Y)
where
    S: Clone + Debug + PartialEq + Serialize + DeserializeOwned + 'static,
    Y: Debug,
{
    let mut state = start;
    for at in 0..bars.len() {
        let mut bytes = Vec::new();
        StateSerde.serialize("state", &state, &mut bytes).expect("every state has bytes");
        let mut restored: S = StateSerde.deserialize("state", &bytes).expect("the same state");
        assert_eq!(restored, state);
        let mut lasting = state.clone();
        for bar in &bars[at..] {
            assert_eq!(
                format!("{:?}", update(&mut restored, bar)),
                format!("{:?}", update(&mut lasting, bar))
            );
        }
        update(&mut state, &bars[at]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn restored_in_mid_stream_indicators_go_on_bit_identically(bars in bars(), period in 2_usize..20) {
        restores(Sma::new(period).expect("in range"), &bars, |s, bar| s.update(bar.close).map(f64::to_bits));
        restores(Ema::new(period).expect("in range"), &bars, |s, bar| s.update(bar.close).map(f64::to_bits));
        restores(Rsi::new(period).expect("in range"), &bars, |s, bar| s.update(bar.close).map(f64::to_bits));
        restores(Roc::new(period).expect("in range"), &bars, |s, bar| s.update(bar.close).map(f64::to_bits));
        restores(Atr::new(period).expect("in range"), &bars, |s, bar| s.update(bar).map(f64::to_bits));
        restores(Obv::new(), &bars, |s, bar| s.update(bar).map(f64::to_bits));
        restores(Vwap::new(), &bars, |s, bar| s.update(bar).map(f64::to_bits));
        restores(RollingVwap::new(period).expect("in range"), &bars, |s, bar| s.update(bar).map(f64::to_bits));
        restores(Volatility::new(period).expect("in range"), &bars, |s, bar| s.update(bar.close).map(f64::to_bits));
        restores(Macd::new(period, period + 3, 4).expect("in range"), &bars, |s, bar| s.update(bar.close));
        restores(Bollinger::new(period, 2.0).expect("in range"), &bars, |s, bar| s.update(bar.close));
    }

    #[test]
    fn value_is_what_the_last_update_answered(bars in bars(), period in 2_usize..20) {
        let mut states = (
            Sma::new(period).expect("in range"), Rsi::new(period).expect("in range"),
            Macd::new(period, period + 3, 4).expect("in range"), Bollinger::new(period, 2.0).expect("in range"),
            RollingVwap::new(period).expect("in range"), Volatility::new(period).expect("in range"),
        );
        for bar in &bars {
            prop_assert_eq!(states.0.update(bar.close), states.0.value());
            prop_assert_eq!(states.1.update(bar.close), states.1.value());
            prop_assert_eq!(states.2.update(bar.close), states.2.value());
            prop_assert_eq!(states.3.update(bar.close), states.3.value());
            prop_assert_eq!(states.4.update(bar), states.4.value());
            prop_assert_eq!(states.5.update(bar.close), states.5.value());
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused_and_leave_the_state(
        bars in bars(), bad in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
    ) {
        fn refuses<S: Clone + Debug + PartialEq, Y: Debug + PartialEq>(
            start: S, bars: &[Bar], bad: f64, update: impl Fn(&mut S, &Bar) -> Option<Y>
        ) {
            let mut state = start;
            for bar in bars {
                let before = state.clone();
                let bad = Bar { open: bad, high: bad, low: bad, close: bad, volume: bad };
                assert_eq!(update(&mut state, &bad), None);
                assert_eq!(state, before);
                update(&mut state, bar);
            }
        }
        refuses(Sma::new(3).expect("in range"), &bars, bad, |s, bar| s.update(bar.close));
        refuses(Ema::new(3).expect("in range"), &bars, bad, |s, bar| s.update(bar.close));
        refuses(Rsi::new(3).expect("in range"), &bars, bad, |s, bar| s.update(bar.close));
        refuses(Roc::new(3).expect("in range"), &bars, bad, |s, bar| s.update(bar.close));
        refuses(Macd::new(2, 4, 3).expect("in range"), &bars, bad, |s, bar| s.update(bar.close));
        refuses(Bollinger::new(3, 2.0).expect("in range"), &bars, bad, |s, bar| s.update(bar.close));
        refuses(Volatility::new(3).expect("in range"), &bars, bad, |s, bar| s.update(bar.close));
        refuses(Atr::new(3).expect("in range"), &bars, bad, |s, bar| s.update(bar));
        refuses(Obv::new(), &bars, bad, |s, bar| s.update(bar));
        refuses(Vwap::new(), &bars, bad, |s, bar| s.update(bar));
        refuses(RollingVwap::new(3).expect("in range"), &bars, bad, |s, bar| s.update(bar));
    }
}

#[test]
fn trades_and_candles_survive_the_bytes_of_states_too() {
    let trade = Trade {
        exchange: "simulated".into(),
        symbol: "BTC-USD".into(),
        price: "42000.5".parse().expect("a number"),
        size: "-0.000000000001".parse().expect("a number"),
        side: Side::Sell,
        timestamp: Timestamp(1_700_000_000_000),
        id: -1,
    };
    let mut candle = Candle::default();
    candle.add_trade(&trade).expect("in range");
    let (mut trade_bytes, mut candle_bytes) = (Vec::new(), Vec::new());
    StateSerde.serialize("t", &trade, &mut trade_bytes).expect("every trade has bytes");
    StateSerde.serialize("t", &candle, &mut candle_bytes).expect("every candle has bytes");
    assert_eq!(Serde::<Trade>::deserialize(&StateSerde, "t", &trade_bytes).expect("the same"), trade);
    assert_eq!(Serde::<Candle>::deserialize(&StateSerde, "t", &candle_bytes).expect("the same"), candle);
}

#[test]
fn periods_out_of_range_are_refused_with_a_sentence() {
    assert!(Sma::new(0).is_err() && Rsi::new(1).is_err() && Bollinger::new(20_000, 2.0).is_err());
    let error = Macd::new(26, 12, 9).expect_err("fast above slow").to_string();
    assert!(error.contains("the fast one below the slow one"), "{error}");
}

#[test]
fn bytes_of_a_torn_or_foreign_state_are_refused() {
    let mut sma = Sma::new(5).expect("in range");
    sma.update(1.0);
    let mut bytes = Vec::new();
    StateSerde.serialize("sma", &sma, &mut bytes).expect("every state has bytes");
    for end in 0..bytes.len() {
        assert!(Serde::<Sma>::deserialize(&StateSerde, "sma", &bytes[..end]).is_err());
    }
    bytes.push(0);
    assert!(Serde::<Sma>::deserialize(&StateSerde, "sma", &bytes).is_err());
}
