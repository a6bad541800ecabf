//! One market: a logarithmic price with GARCH(1,1) volatility, regimes, a spread and an order flow that remembers its
//! last side. Owns prices and sizes; must not know other markets or how trades arrive.

use candlewick_operators::Side;
use rand::{Rng, RngExt};

use super::config::SimulatedSymbol;
use super::regime::Regime;

const SECONDS_A_DAY: f64 = 86_400.0;

/// The weights of GARCH(1,1): yesterday's surprise and yesterday's variance; the rest pulls back to the average.
const SURPRISE: f64 = 0.06;
const MEMORY: f64 = 0.92;

/// How strongly the price is pulled back to the first one, each second: a run of a week must not end at zero.
const REVERSION: f64 = 2e-6;

/// How likely a trade is on the same side as the one before.
const SAME_SIDE: f64 = 0.62;

/// Half the spread in calm standard deviations of one second.
const HALF_SPREAD: f64 = 0.35;

/// A price and a size in smallest steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print {
    pub(super) price_steps: i64,
    pub(super) size_steps: i64,
    pub(super) side: Side,
}

/// The state of one market.
#[derive(Clone, Debug)]
pub(super) struct Market {
    settings: SimulatedSymbol,
    origin: f64,
    log_price: f64,
    /// Calm standard deviation of the logarithmic return of one second.
    deviation: f64,
    /// Variance of one second relative to the average: 1 on average.
    variance: f64,
    /// The sum of normalised moves since the variance was last renewed, and how many seconds it covers.
    surprise: f64,
    surprise_seconds: f64,
    pub(super) regime: Regime,
    regime_left: f64,
    regime_seconds: f64,
    last_side: Side,
}

impl Market {
    pub(super) fn new(settings: SimulatedSymbol, regime_seconds: f64, random: &mut impl Rng) -> Self {
        let deviation = settings.daily_volatility / SECONDS_A_DAY.sqrt();
        let origin = settings.price.max(f64::MIN_POSITIVE).ln();
        let mut market = Self {
            settings,
            origin,
            log_price: origin,
            deviation,
            variance: 1.0,
            surprise: 0.0,
            surprise_seconds: 0.0,
            regime: Regime::Calm,
            regime_left: 0.0,
            regime_seconds,
            last_side: Side::Buy,
        };
        market.regime = market.regime.next(random);
        market.regime_left = market.length(random);
        market
    }

    pub(super) fn settings(&self) -> &SimulatedSymbol {
        &self.settings
    }

    /// How many trades this market has at present, relative to its share.
    pub(super) fn activity(&self) -> f64 {
        self.regime.activity() * self.variance.sqrt().clamp(0.5, 3.0)
    }

    /// Lets `seconds` pass.
    pub(super) fn advance(&mut self, seconds: f64, random: &mut impl Rng) {
        self.regime_left -= seconds;
        if self.regime_left <= 0.0 {
            self.regime = self.regime.next(random);
            self.regime_left = self.length(random);
        }
        let noise = normal(random) * seconds.sqrt();
        let scale = self.deviation * self.regime.volatility() * self.variance.sqrt();
        let pull = (self.origin - self.log_price) * REVERSION * seconds;
        self.log_price += self.regime.drift() * self.deviation * seconds + scale * noise + pull;
        self.surprise += noise * self.variance.sqrt();
        self.surprise_seconds += seconds;
        if self.surprise_seconds >= 1.0 {
            let squared = self.surprise * self.surprise / self.surprise_seconds;
            self.variance = (1.0 - SURPRISE - MEMORY) + SURPRISE * squared + MEMORY * self.variance;
            self.surprise = 0.0;
            self.surprise_seconds = 0.0;
        }
    }

    /// A trade at the present price: buyers pay the offer, sellers get the bid.
    pub(super) fn print(&mut self, random: &mut impl Rng) -> Print {
        let lean = match self.regime {
            Regime::Rising => 0.06,
            Regime::Falling => -0.06,
            Regime::Calm | Regime::Volatile => 0.0,
        };
        let stay = if self.last_side == Side::Buy { SAME_SIDE + lean } else { SAME_SIDE - lean };
        if random.random::<f64>() > stay {
            self.last_side = if self.last_side == Side::Buy { Side::Sell } else { Side::Buy };
        }
        self.print_on(self.last_side, random)
    }

    /// A trade on this side.
    pub(super) fn print_on(&mut self, side: Side, random: &mut impl Rng) -> Print {
        let half = HALF_SPREAD * self.deviation * self.variance.sqrt();
        let log_price = if side == Side::Buy { self.log_price + half } else { self.log_price - half };
        let size = self.settings.size * (normal(random) * 1.1).exp();
        Print {
            price_steps: steps(log_price.exp(), self.settings.price_digits),
            size_steps: steps(size, self.settings.size_digits),
            side,
        }
    }

    /// A burst sweeps the book: each of its trades moves the price a little further.
    pub(super) fn sweep(&mut self, side: Side) {
        let step = 0.25 * self.deviation * self.variance.sqrt();
        self.log_price += if side == Side::Buy { step } else { -step };
    }

    fn length(&self, random: &mut impl Rng) -> f64 {
        exponential(random) * self.regime_seconds * self.regime.length()
    }
}

/// A number as a count of its smallest steps, at least one.
fn steps(value: f64, digits: u8) -> i64 {
    let scaled = (value * 10f64.powi(i32::from(digits.min(12)))).round();
    // The cast saturates: a price beyond the range of an i64 stays at its end.
    (scaled as i64).max(1)
}

/// A standard normal number (Box and Muller's transform, one of its two).
pub(super) fn normal(random: &mut impl Rng) -> f64 {
    let radius = (2.0 * exponential(random)).sqrt();
    let angle: f64 = random.random::<f64>() * std::f64::consts::TAU;
    radius * angle.cos()
}

/// A number with the exponential distribution of mean 1.
pub(super) fn exponential(random: &mut impl Rng) -> f64 {
    let chance: f64 = random.random();
    -(1.0 - chance).max(f64::MIN_POSITIVE).ln()
}
