//! Pauses between attempts: exponential, bounded, with jitter from a seed so that a run can be repeated. Owns the
//! arithmetic only; it never sleeps and knows nothing of what is retried.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The bounds of a [`Backoff`].
///
/// ```
/// use std::time::Duration;
/// use candlewick_connectors::{Backoff, BackoffSettings};
/// let max = Duration::from_secs(1);
/// let mut backoff = Backoff::new(BackoffSettings { max, ..BackoffSettings::default() });
/// assert!((0..20).all(|_| backoff.next_pause() <= max));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackoffSettings {
    /// The first pause, before jitter.
    pub initial: Duration,
    /// No pause is longer.
    pub max: Duration,
    /// How much longer each pause is than the one before; at least 1.
    pub factor: f64,
    /// How much of a pause is left to chance: 0 for none, 0.5 for a pause between one half and the whole.
    pub jitter: f64,
    /// The seed of the jitter.
    pub seed: u64,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(10),
            factor: 2.0,
            jitter: 0.5,
            seed: 0,
        }
    }
}

/// The pauses of one call that is tried again and again.
///
/// ```
/// use std::time::Duration;
/// use candlewick_connectors::{Backoff, BackoffSettings};
/// let mut backoff = Backoff::new(BackoffSettings { jitter: 0.0, ..BackoffSettings::default() });
/// assert_eq!(backoff.next_pause(), Duration::from_millis(100));
/// assert_eq!(backoff.next_pause(), Duration::from_millis(200));
/// backoff.reset();
/// assert_eq!(backoff.next_pause(), Duration::from_millis(100));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    settings: BackoffSettings,
    attempts: u32,
    random: ChaCha8Rng,
}

impl Backoff {
    /// Pauses within these bounds.
    ///
    /// ```
    /// # use candlewick_connectors::{Backoff, BackoffSettings};
    /// assert_eq!(Backoff::new(BackoffSettings::default()).attempts(), 0);
    /// ```
    #[must_use]
    pub fn new(settings: BackoffSettings) -> Self {
        Self { attempts: 0, random: ChaCha8Rng::seed_from_u64(settings.seed), settings }
    }

    /// How long to wait before the next attempt. Each call counts as one failed attempt.
    ///
    /// ```
    /// # use candlewick_connectors::{Backoff, BackoffSettings};
    /// let mut backoff = Backoff::new(BackoffSettings { jitter: 0.0, ..BackoffSettings::default() });
    /// assert_eq!([(); 3].map(|()| backoff.next_pause().as_millis()), [100, 200, 400]);
    /// ```
    pub fn next_pause(&mut self) -> Duration {
        let exponent = i32::try_from(self.attempts.min(64)).expect("64 fits an i32");
        self.attempts = self.attempts.saturating_add(1);
        let grown = self.settings.initial.as_secs_f64() * self.settings.factor.max(1.0).powi(exponent);
        let bounded = grown.min(self.settings.max.as_secs_f64());
        let chance: f64 = self.random.random();
        let jitter = self.settings.jitter.clamp(0.0, 1.0);
        Duration::from_secs_f64(bounded * (1.0 - jitter * chance))
    }

    /// How many attempts have failed since the start or the last [`reset`](Self::reset).
    ///
    /// ```
    /// # use candlewick_connectors::{Backoff, BackoffSettings};
    /// let mut backoff = Backoff::new(BackoffSettings::default());
    /// backoff.next_pause();
    /// assert_eq!(backoff.attempts(), 1);
    /// ```
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// An attempt succeeded: the next pause is the first one again.
    ///
    /// ```
    /// # use candlewick_connectors::{Backoff, BackoffSettings};
    /// let mut backoff = Backoff::new(BackoffSettings::default());
    /// backoff.next_pause();
    /// backoff.reset();
    /// assert_eq!(backoff.attempts(), 0);
    /// ```
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_bound_and_stay_between_half_and_whole() {
        let settings = BackoffSettings { seed: 7, ..BackoffSettings::default() };
        let mut backoff = Backoff::new(settings);
        for attempt in 0..100 {
            let whole = (0.1 * 2f64.powi(attempt.min(60))).min(10.0);
            let pause = backoff.next_pause().as_secs_f64();
            assert!(pause <= whole + 1e-9 && pause >= whole / 2.0 - 1e-9, "attempt {attempt}: {pause}");
        }
        assert_eq!(backoff.attempts(), 100);
    }

    #[test]
    fn the_same_seed_gives_the_same_pauses() {
        let settings = BackoffSettings { seed: 42, ..BackoffSettings::default() };
        let (mut one, mut two) = (Backoff::new(settings), Backoff::new(settings));
        for _ in 0..20 {
            assert_eq!(one.next_pause(), two.next_pause());
        }
    }
}
