//! Feature vectors over candles: what they contain, that they know no future, and that they survive a restart.
//! Knows the public API only.

use candlewick::{Serde, Timestamp};
use candlewick_operators::{
    Atr, Bar, Bollinger, Candle, Decimal, Feature, FeatureSet, FeatureState, Macd, Roc, Rsi, StateSerde,
    Volatility,
};
use proptest::prelude::*;

fn candle(open: i64, close: i64, spread: i64, volume: i64, taker: i64) -> Candle {
    let cents = |cents: i64| Decimal::from_units(i128::from(cents) * 10_000_000_000);
    Candle {
        open: cents(open),
        high: cents(open.max(close) + spread),
        low: cents((open.min(close) - spread).max(1)),
        close: cents(close),
        volume: cents(volume),
        taker_buy_volume: cents(taker.min(volume)),
        trades: volume.unsigned_abs() / 10,
        first_time: Timestamp(0),
        last_time: Timestamp(0),
        ..Candle::default()
    }
}

fn candles(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Candle>> {
    let price = || prop_oneof![3 => 9_000_i64..11_000, 1 => Just(10_000_i64), 1 => 100_i64..1_000_000];
    let of = (price(), price(), 0_i64..90, 0_i64..5_000, 0_i64..5_000);
    let traded =
        of.prop_map(|(open, close, spread, volume, taker)| candle(open, close, spread, volume, taker));
    let quiet = price().prop_map(|price| Candle::carried(Decimal::from_int(price)));
    prop::collection::vec(prop_oneof![8 => traded, 1 => quiet], count)
}

fn vectors(state: &mut FeatureState, candles: &[Candle]) -> Vec<Option<Vec<u32>>> {
    let bits = |vector: &[f32]| vector.iter().map(|number| number.to_bits()).collect();
    candles.iter().map(|candle| state.update(candle).map(bits)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn vectors_before_a_candle_do_not_change_when_it_does(
        candles in candles(60..90), others in candles(60..90), cut in 0_usize..60
    ) {
        let set = FeatureSet::standard();
        let mut altered = candles[..cut].to_vec();
        altered.extend_from_slice(&others[cut..]);
        let one = vectors(&mut FeatureState::new(&set), &candles);
        let other = vectors(&mut FeatureState::new(&set), &altered);
        prop_assert_eq!(&one[..cut], &other[..cut]);
    }

    #[test]
    fn restored_state_goes_on_bit_identically(candles in candles(40..80)) {
        let mut state = FeatureState::new(&FeatureSet::standard());
        for at in 0..candles.len() {
            let mut bytes = Vec::new();
            StateSerde.serialize("features", &state, &mut bytes).expect("every state has bytes");
            let mut restored: FeatureState = StateSerde.deserialize("features", &bytes).expect("the same state");
            let ahead = vectors(&mut state.clone(), &candles[at..]);
            prop_assert_eq!(vectors(&mut restored, &candles[at..]), ahead);
            state.update(&candles[at]);
        }
    }

    #[test]
    fn every_number_is_finite_and_the_first_vector_comes_after_the_warm_up(candles in candles(40..80)) {
        let set = FeatureSet::standard();
        let mut state = FeatureState::new(&set);
        for (at, candle) in candles.iter().enumerate() {
            let vector = state.update(candle);
            prop_assert_eq!(vector.is_some(), at >= set.warm_up());
            prop_assert!(vector.is_none_or(|vector| vector.iter().all(|number| number.is_finite())));
        }
    }

    #[test]
    fn numbers_are_those_of_the_indicators(candles in candles(60..80)) {
        let set = FeatureSet::standard();
        let mut state = FeatureState::new(&set);
        let (mut rsi, mut macd) = (Rsi::new(14).expect("in range"), Macd::new(12, 26, 9).expect("in range"));
        let (mut atr, mut roc) = (Atr::new(14).expect("in range"), Roc::new(10).expect("in range"));
        let mut bollinger = Bollinger::new(20, 2.0).expect("in range");
        let mut volatility = Volatility::new(30).expect("in range");
        let mut previous = f64::NAN;
        for candle in &candles {
            let bar = Bar::from(candle);
            let expected = [
                ("log_return", Some((bar.close / previous).ln())),
                ("range", Some((bar.high / bar.low).ln())),
                ("rsi_14", rsi.update(bar.close).map(|rsi| rsi / 100.0)),
                ("macd_histogram_12_26_9", macd.update(bar.close).map(|macd| macd.histogram / bar.close)),
                ("percent_b_20", bollinger.update(bar.close).map(|bands| bands.percent_b(bar.close))),
                ("atr_14", atr.update(&bar).map(|atr| atr / bar.close)),
                ("roc_10", roc.update(bar.close).map(|percent| percent / 100.0)),
                ("volatility_30", volatility.update(bar.close)),
            ];
            previous = bar.close;
            let Some(vector) = state.update(candle) else { continue };
            for (name, value) in expected {
                let at = set.names().iter().position(|n| n == name).expect("in the standard set");
                prop_assert_eq!(Some(vector[at]), value.map(|value| value as f32), "{}", name);
            }
        }
    }

    #[test]
    fn standardized_volume_is_the_definition(candles in candles(20..40)) {
        let set = FeatureSet::new([Feature::VolumeZ { period: 5 }]).expect("a set");
        let mut state = FeatureState::new(&set);
        let logs: Vec<f64> = candles.iter().map(|candle| candle.volume.to_f64().ln_1p()).collect();
        for (at, candle) in candles.iter().enumerate() {
            let Some(vector) = state.update(candle) else { continue };
            let window = &logs[at - 4..=at];
            let mean = window.iter().sum::<f64>() / 5.0;
            let variance = window.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 5.0;
            let expected = if variance > 1e-20 { (logs[at] - mean) / variance.sqrt() } else { 0.0 };
            prop_assert!((f64::from(vector[0]) - expected).abs() < 1e-6);
        }
    }
}

#[test]
fn candle_without_a_price_is_refused_and_leaves_the_state() {
    let mut state = FeatureState::new(&FeatureSet::standard());
    state.update(&candle(100, 101, 1, 10, 5));
    let before = state.clone();
    assert_eq!(state.update(&Candle::default()), None);
    assert_eq!(state, before);
}

#[test]
fn set_survives_json_and_a_wrong_one_is_refused_with_a_sentence() {
    let set = FeatureSet::standard();
    let text = serde_json::to_string(&set).expect("text");
    let read: FeatureSet = serde_json::from_str(&text).expect("the same set");
    assert_eq!((read.fingerprint(), &read), (set.fingerprint(), &set));
    for (text, words) in [
        ("[]", "at least one"),
        (r#"[{"feature":"range"},{"feature":"range"}]"#, "stands twice"),
        (r#"[{"feature":"rsi","period":1}]"#, "rsi_1 cannot be computed"),
        (r#"[{"feature":"macd_histogram","fast":26,"slow":12,"signal":9}]"#, "fast one below the slow one"),
    ] {
        let error = serde_json::from_str::<FeatureSet>(text).expect_err("refused").to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// Manifests of trained models hold this number: it changes only together with the standard set or its computation.
#[test]
fn fingerprint_of_the_standard_set_is_the_same_on_every_machine() {
    assert_eq!(format!("{:016x}", FeatureSet::standard().fingerprint()), "cbca6bb053321457");
}
