//! The moods of a market and how they follow each other. Owns the transitions; must not know prices or trades.

use rand::{Rng, RngExt};

/// The mood of a market.
///
/// ```
/// use candlewick_connectors::exchange::simulated::{Regime, SimulatedExchange, SimulatedSettings};
/// let exchange = SimulatedExchange::new(SimulatedSettings::default());
/// let wild = exchange.regimes().filter(|(_, regime)| *regime == Regime::Volatile).count();
/// assert!(wild <= 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Regime {
    /// Little moves, no direction.
    Calm,
    /// A drift upwards that lasts.
    Rising,
    /// A drift downwards that lasts.
    Falling,
    /// Great moves, no direction, more trades.
    Volatile,
}

impl Regime {
    /// The drift of the logarithmic price, in calm standard deviations of one second each second.
    pub(super) fn drift(self) -> f64 {
        match self {
            Self::Rising => 0.045,
            Self::Falling => -0.045,
            Self::Calm | Self::Volatile => 0.0,
        }
    }

    /// How much greater the moves are than in a calm market.
    pub(super) fn volatility(self) -> f64 {
        match self {
            Self::Calm => 0.7,
            Self::Rising | Self::Falling => 1.0,
            Self::Volatile => 2.6,
        }
    }

    /// How many more trades there are.
    pub(super) fn activity(self) -> f64 {
        match self {
            Self::Calm => 0.8,
            Self::Rising | Self::Falling => 1.1,
            Self::Volatile => 1.8,
        }
    }

    /// How long it lasts, relative to the average.
    pub(super) fn length(self) -> f64 {
        match self {
            Self::Calm => 1.5,
            Self::Rising | Self::Falling => 1.0,
            Self::Volatile => 0.5,
        }
    }

    /// What follows: never the same again.
    pub(super) fn next(self, random: &mut impl Rng) -> Self {
        let chance: f64 = random.random();
        match self {
            Self::Calm if chance < 0.4 => Self::Rising,
            Self::Calm if chance < 0.8 => Self::Falling,
            Self::Calm => Self::Volatile,
            Self::Rising | Self::Falling if chance < 0.5 => Self::Calm,
            Self::Rising if chance < 0.75 => Self::Falling,
            Self::Falling if chance < 0.75 => Self::Rising,
            Self::Rising | Self::Falling => Self::Volatile,
            Self::Volatile if chance < 0.5 => Self::Calm,
            Self::Volatile if chance < 0.75 => Self::Rising,
            Self::Volatile => Self::Falling,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn every_regime_is_reached_and_none_follows_itself() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut seen = std::collections::BTreeSet::new();
        let mut regime = Regime::Calm;
        for _ in 0..200 {
            let next = regime.next(&mut random);
            assert_ne!(next, regime);
            seen.insert(next);
            regime = next;
        }
        assert_eq!(seen.len(), 4);
    }
}
