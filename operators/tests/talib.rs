//! Indicators against TA-Lib: the crate `ta-lib` 0.8.3, its official port, is the oracle. Position of the first value,
//! seeding and every value after it must agree. Owns the market data of these tests; knows the public API only.

use candlewick_operators::{
    Atr, Bar, Bollinger, Ema, Macd, Obv, Roc, RollingVwap, Rsi, Sma, Volatility, Vwap,
};
use ta_lib::{Core, MAType, OutRange, RetCode};

/// xorshift64*: the same series on every machine.
struct Random(u64);

impl Random {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn bar(open: f64, close: f64, spread: f64, volume: f64) -> Bar {
    Bar { open, high: open.max(close) + spread, low: open.min(close) - spread, close, volume }
}

/// A random walk with the given step, gaps and quiet stretches.
fn walk(seed: u64, length: usize, start: f64, step: f64) -> Vec<Bar> {
    let mut random = Random(seed);
    let mut price = start;
    (0..length)
        .map(|_| {
            let gap = if random.next() < 0.01 { step * 30.0 * (random.next() - 0.5) } else { 0.0 };
            let open = (price * (1.0 + gap)).max(start * 1e-3);
            price = (open * (1.0 + step * (random.next() - 0.5))).max(start * 1e-3);
            let volume = if random.next() < 0.05 { 0.0 } else { 1_000.0 * random.next() };
            bar(open, price, price * step * 0.2 * random.next(), volume)
        })
        .collect()
}

/// The series every indicator is checked on: walks of several scales, one that stands still for long, one that jumps.
fn markets() -> Vec<(&'static str, Vec<Bar>)> {
    let mut resting = walk(5, 1_500, 42_000.0, 0.002);
    for at in 400..900 {
        let close = resting[399].close;
        resting[at] = bar(close, close, 0.0, if at % 3 == 0 { 1.0 } else { 0.0 });
    }
    let jumping = (0..1_200).map(|at| {
        let price = if at / 150 % 2 == 0 { 100.0 } else { 170.0 } + f64::from(at % 7) * 0.01;
        bar(price, price + 0.005, 0.01, f64::from(at % 11))
    });
    vec![
        ("walk around 42,000", walk(1, 10_000, 42_000.0, 0.002)),
        ("walk around 0.00001", walk(2, 3_000, 0.000_01, 0.01)),
        ("wild walk", walk(3, 3_000, 100.0, 0.2)),
        ("resting", resting),
        ("jumping", jumping.collect()),
        ("flat", vec![bar(100.0, 100.0, 0.0, 1.0); 600]),
        ("rising", (0..600).map(|at| bar(f64::from(at) + 1.0, f64::from(at) + 2.0, 0.0, 1.0)).collect()),
    ]
}

fn closes(bars: &[Bar]) -> Vec<f64> {
    bars.iter().map(|bar| bar.close).collect()
}

fn columns(bars: &[Bar]) -> [Vec<f64>; 4] {
    let column = |of: fn(&Bar) -> f64| bars.iter().map(of).collect::<Vec<_>>();
    [column(|b| b.high), column(|b| b.low), column(|b| b.close), column(|b| b.volume)]
}

/// Runs the oracle over `length` inputs: its values, each at the index of its input.
fn oracle(length: usize, run: impl FnOnce(&mut [f64]) -> Result<OutRange, RetCode>) -> Vec<Option<f64>> {
    let mut out = vec![0.0; length];
    let range = run(&mut out).expect("the oracle accepts the series");
    let mut values = vec![None; length];
    for (at, value) in out[..range.count].iter().enumerate() {
        values[range.beg_idx + at] = value.is_finite().then_some(*value);
    }
    values
}

/// Every value present in both or neither, and within 1e-9 of max(|b|, 1 % of the median |b|).
fn check(what: &str, ours: &[Option<f64>], theirs: &[Option<f64>]) {
    let mut sizes: Vec<f64> = theirs.iter().flatten().map(|value| value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or(0.0);
    for (at, pair) in ours.iter().zip(theirs).enumerate() {
        match pair {
            (None, None) => {}
            (Some(a), Some(b)) => {
                let error = (a - b).abs();
                assert!(error <= 1e-9 * b.abs().max(median / 100.0), "{what} at {at}: {a} and not {b}");
            }
            _ => panic!("{what} at {at}: {pair:?}"),
        }
    }
}

fn each_market(test: impl Fn(&str, &[Bar], usize)) {
    for (name, bars) in markets() {
        for period in [2, 3, 5, 14, 20, 50, 200] {
            test(&format!("{name}, period {period}"), &bars, period);
        }
    }
}

#[test]
fn sma_is_talibs() {
    each_market(|what, bars, period| {
        let (closes, mut sma) = (closes(bars), Sma::new(period).expect("in range"));
        let ours: Vec<_> = closes.iter().map(|x| sma.update(*x)).collect();
        let theirs =
            oracle(closes.len(), |out| Core::new().sma(0, closes.len() - 1, &closes, period as i32, out));
        assert_eq!(ours.iter().position(Option::is_some), Some(sma.lookback()));
        check(what, &ours, &theirs);
    });
}

#[test]
fn ema_is_talibs() {
    each_market(|what, bars, period| {
        let (closes, mut ema) = (closes(bars), Ema::new(period).expect("in range"));
        let ours: Vec<_> = closes.iter().map(|x| ema.update(*x)).collect();
        let theirs =
            oracle(closes.len(), |out| Core::new().ema(0, closes.len() - 1, &closes, period as i32, out));
        assert_eq!(ours.iter().position(Option::is_some), Some(ema.lookback()));
        check(what, &ours, &theirs);
    });
}

#[test]
fn rsi_is_talibs() {
    each_market(|what, bars, period| {
        let (closes, mut rsi) = (closes(bars), Rsi::new(period).expect("in range"));
        let ours: Vec<_> = closes.iter().map(|x| rsi.update(*x)).collect();
        let theirs =
            oracle(closes.len(), |out| Core::new().rsi(0, closes.len() - 1, &closes, period as i32, out));
        assert_eq!(ours.iter().position(Option::is_some), Some(rsi.lookback()));
        check(what, &ours, &theirs);
    });
}

#[test]
fn roc_is_talibs() {
    each_market(|what, bars, period| {
        let (closes, mut roc) = (closes(bars), Roc::new(period).expect("in range"));
        let ours: Vec<_> = closes.iter().map(|x| roc.update(*x)).collect();
        let theirs =
            oracle(closes.len(), |out| Core::new().roc(0, closes.len() - 1, &closes, period as i32, out));
        assert_eq!(ours.iter().position(Option::is_some), Some(roc.lookback()));
        check(what, &ours, &theirs);
    });
}

#[test]
fn atr_is_talibs() {
    each_market(|what, bars, period| {
        let ([high, low, close, _], mut atr) = (columns(bars), Atr::new(period).expect("in range"));
        let ours: Vec<_> = bars.iter().map(|bar| atr.update(bar)).collect();
        let theirs = oracle(bars.len(), |out| {
            Core::new().atr(0, bars.len() - 1, &high, &low, &close, period as i32, out)
        });
        assert_eq!(ours.iter().position(Option::is_some), Some(atr.lookback()));
        check(what, &ours, &theirs);
    });
}

#[test]
fn bollinger_bands_are_talibs() {
    each_market(|what, bars, period| {
        let closes = closes(bars);
        let mut bollinger = Bollinger::new(period, 2.0).expect("in range");
        let ours: Vec<_> = closes.iter().map(|x| bollinger.update(*x)).collect();
        assert_eq!(ours.iter().position(Option::is_some), Some(bollinger.lookback()));
        let (mut middle, mut lower) = (vec![0.0; closes.len()], vec![0.0; closes.len()]);
        let upper = oracle(closes.len(), |upper| {
            let (end, period) = (closes.len() - 1, period as i32);
            Core::new().bbands(0, end, &closes, period, 2.0, 2.0, MAType::SMA, upper, &mut middle, &mut lower)
        });
        let at_index = |values: &[f64]| {
            let first = closes.len() - upper.iter().flatten().count();
            (0..closes.len()).map(|at| at.checked_sub(first).map(|at| values[at])).collect::<Vec<_>>()
        };
        let (middle, lower) = (at_index(&middle), at_index(&lower));
        check(what, &ours.iter().map(|bands| bands.map(|b| b.upper)).collect::<Vec<_>>(), &upper);
        check(what, &ours.iter().map(|bands| bands.map(|b| b.middle)).collect::<Vec<_>>(), &middle);
        check(what, &ours.iter().map(|bands| bands.map(|b| b.lower)).collect::<Vec<_>>(), &lower);
    });
}

#[test]
fn macd_is_talibs() {
    for (name, bars) in markets() {
        for (fast, slow, signal) in [(12, 26, 9), (5, 35, 5), (2, 3, 1), (50, 200, 20)] {
            let closes = closes(&bars);
            let mut macd = Macd::new(fast, slow, signal).expect("in range");
            let ours: Vec<_> = closes.iter().map(|x| macd.update(*x)).collect();
            assert_eq!(ours.iter().position(Option::is_some), Some(macd.lookback()));
            let (mut signals, mut histograms) = (vec![0.0; closes.len()], vec![0.0; closes.len()]);
            let values = oracle(closes.len(), |out| {
                let (end, periods) = (closes.len() - 1, [fast, slow, signal].map(|period| period as i32));
                let [fast, slow, signal] = periods;
                Core::new().macd(0, end, &closes, fast, slow, signal, out, &mut signals, &mut histograms)
            });
            let first = closes.len() - values.iter().flatten().count();
            let at_index = |values: &[f64]| {
                (0..closes.len()).map(|at| at.checked_sub(first).map(|at| values[at])).collect::<Vec<_>>()
            };
            let (signals, histograms) = (at_index(&signals), at_index(&histograms));
            let what = format!("{name}, {fast} {slow} {signal}");
            check(&what, &ours.iter().map(|v| v.map(|v| v.value)).collect::<Vec<_>>(), &values);
            check(&what, &ours.iter().map(|v| v.map(|v| v.signal)).collect::<Vec<_>>(), &signals);
            check(&what, &ours.iter().map(|v| v.map(|v| v.histogram)).collect::<Vec<_>>(), &histograms);
        }
    }
}

#[test]
fn obv_and_vwap_are_talibs() {
    for (name, bars) in markets() {
        let [high, low, close, volume] = columns(&bars);
        let (mut obv, mut vwap) = (Obv::new(), Vwap::new());
        let ours: Vec<_> = bars.iter().map(|bar| obv.update(bar)).collect();
        let theirs = oracle(bars.len(), |out| Core::new().obv(0, bars.len() - 1, &close, &volume, out));
        check(name, &ours, &theirs);
        let ours: Vec<_> = bars.iter().map(|bar| vwap.update(bar)).collect();
        let theirs =
            oracle(bars.len(), |out| Core::new().vwap(0, bars.len() - 1, &high, &low, &close, &volume, out));
        // Before the first trade TA-Lib shows a price; we show none.
        let first = ours.iter().position(Option::is_some).expect("something trades");
        check(name, &ours[first..], &theirs[first..]);
    }
}

#[test]
fn rolling_vwap_is_talibs_vwma_of_the_typical_price() {
    each_market(|what, bars, period| {
        let typical: Vec<_> = bars.iter().map(Bar::typical_price).collect();
        let ([.., volume], mut vwap) = (columns(bars), RollingVwap::new(period).expect("in range"));
        let ours: Vec<_> = bars.iter().map(|bar| vwap.update(bar)).collect();
        let theirs = oracle(bars.len(), |out| {
            Core::new().vwma(0, bars.len() - 1, &typical, &volume, period as i32, out)
        });
        check(what, &ours, &theirs);
    });
}

/// The definition itself, window by window, in two passes.
fn deviation(window: &[f64]) -> f64 {
    let count = window.len() as f64;
    let mean = window.iter().sum::<f64>() / count;
    (window.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt()
}

#[test]
fn volatility_is_talibs_stddev_of_log_returns_and_the_definition() {
    each_market(|what, bars, period| {
        let closes = closes(bars);
        let returns: Vec<_> = closes.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect();
        let mut volatility = Volatility::new(period).expect("in range");
        let ours: Vec<_> = closes.iter().map(|x| volatility.update(*x)).collect();
        assert_eq!(ours.iter().position(Option::is_some), Some(volatility.lookback()));
        let mut defined = vec![None; period - 1];
        defined.extend(returns.windows(period).map(|window| Some(deviation(window))));
        check(what, &ours[1..], &defined);
        let theirs = oracle(returns.len(), |out| {
            Core::new().stddev(0, returns.len() - 1, &returns, period as i32, 1.0, out)
        });
        // The first returns of the rising series are a thousand times its later ones. TA-Lib's running sums, which it
        // renews every 32 windows, then stray from the definition by 3e-9; ours, renewed every window, do not.
        if !what.starts_with("rising") {
            check(what, &ours[1..], &theirs);
        }
    });
}
