//! Windows of the last n numbers with their sum, or mean and variance, in constant time. Owns the care that running sums
//! need; knows floats only.
//!
//! Running sums collect rounding. Each is therefore computed afresh once per turn of the ring, which costs one addition
//! per input on average and bounds the error by one window's.

use serde::{Deserialize, Serialize};

use super::PeriodError;

/// The last n numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RingParts")]
pub(crate) struct Ring {
    capacity: u32,
    /// Where the next number goes; the oldest stands there once the ring is full.
    next: u32,
    values: Vec<f64>,
}

/// A ring as it was written, before it is believed.
#[derive(Deserialize)]
struct RingParts {
    capacity: u32,
    next: u32,
    values: Vec<f64>,
}

impl TryFrom<RingParts> for Ring {
    type Error = &'static str;

    fn try_from(RingParts { capacity, next, values }: RingParts) -> Result<Self, &'static str> {
        let (length, end) = (values.len(), capacity as usize);
        let place = if length < end { length } else { next as usize };
        if (1..=super::PERIOD_MAX).contains(&capacity)
            && length <= end
            && place == next as usize
            && place < end
        {
            Ok(Self { capacity, next, values })
        } else {
            Err("a window holds more numbers than its period")
        }
    }
}

impl Ring {
    pub(crate) const fn new(capacity: u32) -> Self {
        Self { capacity, next: 0, values: Vec::new() }
    }

    /// Adds a number and gives back the one that falls out.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        let at = self.next as usize;
        self.next = if self.next + 1 == self.capacity { 0 } else { self.next + 1 };
        match self.values.get_mut(at) {
            Some(slot) => Some(std::mem::replace(slot, value)),
            None => {
                self.values.push(value);
                None
            }
        }
    }

    pub(crate) const fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.values.len() == self.capacity as usize
    }

    /// Whether the last push filled the ring's last place.
    const fn has_turned(&self) -> bool {
        self.next == 0
    }
}

/// The sum of the last n numbers.
///
/// What each addition rounds off is summed apart, so that a large number that has left takes its rounding with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RollingSum {
    ring: Ring,
    sum: f64,
    rounding: f64,
}

impl RollingSum {
    pub(crate) const fn new(period: u32) -> Self {
        Self { ring: Ring::new(period), sum: 0.0, rounding: 0.0 }
    }

    /// Adds a number; the sum once there are n of them.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        self.add(value);
        if let Some(old) = self.ring.push(value) {
            self.add(-old);
        }
        if self.ring.has_turned() {
            self.sum_afresh();
        }
        self.sum()
    }

    #[inline]
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let added = sum - self.sum;
        self.rounding += (self.sum - (sum - added)) + (value - added);
        self.sum = sum;
    }

    #[cold]
    fn sum_afresh(&mut self) {
        (self.sum, self.rounding) = (0.0, 0.0);
        for at in 0..self.ring.values.len() {
            self.add(self.ring.values[at]);
        }
    }

    pub(crate) fn sum(&self) -> Option<f64> {
        self.ring.is_full().then_some(self.sum + self.rounding)
    }

    pub(crate) fn period(&self) -> f64 {
        f64::from(self.ring.capacity)
    }

    pub(crate) const fn lookback(&self) -> usize {
        self.ring.capacity as usize - 1
    }
}

/// Mean and population variance of the last n numbers.
///
/// The sums are of distances from `shift`, one of the window's own numbers: prices far from zero lose no digits, and
/// equal prices have a variance of exactly zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moments {
    ring: Ring,
    shift: f64,
    sum: f64,
    squares: f64,
    /// The greatest `squares` since the sums were last computed afresh: their rounding is in proportion to it.
    peak: f64,
}

impl Moments {
    /// Below this part of the peak a variance is mostly rounding, and the sums are computed afresh. With the newest
    /// number as shift, a fresh variance is at least 1/(2n) of its peak: the rule does not fire twice for one cause.
    const ROUNDING: f64 = 1e-5;

    pub(crate) const fn new(period: u32) -> Self {
        Self { ring: Ring::new(period), shift: 0.0, sum: 0.0, squares: 0.0, peak: 0.0 }
    }

    /// A window of a period that is not yet checked, at least 2.
    pub(crate) fn of(name: &'static str, period: usize) -> Result<Self, PeriodError> {
        super::period(name, period, 2).map(Self::new)
    }

    /// Adds a number; mean and variance once there are n of them.
    #[inline]
    pub(crate) fn push(&mut self, value: f64) -> Option<(f64, f64)> {
        if self.ring.values.is_empty() {
            self.shift = value;
        }
        let distance = value - self.shift;
        self.sum += distance;
        self.squares += distance * distance;
        self.peak = self.peak.max(self.squares);
        if let Some(old) = self.ring.push(value) {
            let distance = old - self.shift;
            self.sum -= distance;
            self.squares -= distance * distance;
        }
        if !self.ring.is_full() {
            return None;
        }
        let turned = self.ring.has_turned();
        if turned || self.variance() < Self::ROUNDING * self.peak / f64::from(self.ring.capacity) {
            self.sum_afresh(value);
        }
        self.get()
    }

    /// Mean and variance, once there are n numbers.
    #[inline]
    pub(crate) fn get(&self) -> Option<(f64, f64)> {
        let mean = self.shift + self.sum / f64::from(self.ring.capacity);
        self.ring.is_full().then(|| (mean, self.variance()))
    }

    fn variance(&self) -> f64 {
        let count = f64::from(self.ring.capacity);
        let mean = self.sum / count;
        (self.squares / count - mean * mean).max(0.0)
    }

    #[cold]
    fn sum_afresh(&mut self, shift: f64) {
        self.shift = shift;
        (self.sum, self.squares) = (0.0, 0.0);
        for value in &self.ring.values {
            let distance = value - shift;
            self.sum += distance;
            self.squares += distance * distance;
        }
        self.peak = self.squares;
    }

    pub(crate) const fn lookback(&self) -> usize {
        self.ring.capacity as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_that_does_not_hold_together_is_refused() {
        for (capacity, next, values) in
            [(2, 2, vec![1.0, 2.0]), (2, 0, vec![1.0]), (1, 0, vec![1.0, 2.0]), (0, 0, vec![])]
        {
            assert!(Ring::try_from(RingParts { capacity, next, values }).is_err());
        }
        assert!(Ring::try_from(RingParts { capacity: 2, next: 1, values: vec![1.0] }).is_ok());
    }

    #[test]
    fn sum_does_not_remember_an_outlier() {
        let mut sum = RollingSum::new(3);
        for value in [0.1, 0.1, 1e18, 0.1, 0.1, 0.1, 0.1] {
            sum.push(value);
        }
        assert!((sum.sum().expect("full") - 0.3).abs() < 1e-15);
    }

    #[test]
    fn variance_of_equal_numbers_after_an_outlier_is_zero() {
        let mut moments = Moments::new(4);
        for value in [42_000.1, 1e9, 42_000.1, 42_000.1, 42_000.1, 42_000.1] {
            moments.push(value);
        }
        assert_eq!(moments.get(), Some((42_000.1, 0.0)));
    }
}
