//! Compares what came out with what the trades say. Must not know what happened on the way.

use std::collections::{BTreeMap, BTreeSet};

use crate::shipped::ExpectedCandle;

/// Candles by symbol and start.
pub(super) type Candles = BTreeMap<(String, i64), ExpectedCandle>;

/// What was found, in trades: a candle that is missing has lost all of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Trades that no candle counts, and documents that are not there.
    pub lost: u64,
    /// Trades that were counted more than once, and documents that should not be there.
    pub duplicated: u64,
    /// The first differences, in words.
    pub differences: Vec<String>,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    fn differ(&mut self, words: String) {
        if self.differences.len() < 10 {
            self.differences.push(words);
        }
    }

    /// Compares candles: each must be there once, and equal.
    pub(super) fn of_candles(
        expected: &Candles,
        found: &BTreeMap<(String, i64), Vec<ExpectedCandle>>,
    ) -> Self {
        let mut verdict = Self::default();
        for (place, wanted) in expected {
            let Some(candles) = found.get(place) else {
                verdict.lost += wanted.trades;
                verdict.differ(format!("{place:?} is missing"));
                continue;
            };
            let counted: u64 = candles.iter().map(|candle| candle.trades).sum();
            verdict.lost += wanted.trades.saturating_sub(counted);
            verdict.duplicated += counted.saturating_sub(wanted.trades);
            if candles.len() != 1 || candles[0] != *wanted {
                verdict.differ(format!("{place:?} is {candles:?} and should be {wanted:?}"));
            }
        }
        for (place, candles) in found {
            if !expected.contains_key(place) && !place.0.starts_with("CLOSING") {
                verdict.duplicated += candles.iter().map(|candle| candle.trades).sum::<u64>();
                verdict.differ(format!("{place:?} should not be there: {candles:?}"));
            }
        }
        verdict
    }

    /// Compares the ids of documents.
    pub(super) fn add_documents(&mut self, expected: &BTreeSet<String>, found: &[String]) {
        let unique: BTreeSet<String> = found.iter().cloned().collect();
        self.duplicated += (found.len() - unique.len()) as u64;
        for id in expected.difference(&unique) {
            self.lost += 1;
            self.differ(format!("the document {id} is missing"));
        }
        for id in unique.difference(expected).filter(|id| !id.starts_with("CLOSING")) {
            self.duplicated += 1;
            self.differ(format!("the document {id} should not be there"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipped::Recording;

    fn once(candles: &Candles) -> BTreeMap<(String, i64), Vec<ExpectedCandle>> {
        candles.iter().map(|(place, candle)| (place.clone(), vec![candle.clone()])).collect()
    }

    #[test]
    fn what_is_missing_doubled_or_different_is_counted() {
        let expected = Recording::new(3, 0, 5, 60).candles(60_000);
        let mut found = once(&expected);
        assert!(Verdict::of_candles(&expected, &found).is_clean());
        let places: Vec<_> = expected.keys().cloned().collect();
        let missing = found.remove(&places[0]).expect("it was there");
        found.get_mut(&places[1]).expect("it is there").push(expected[&places[1]].clone());
        found.get_mut(&places[2]).expect("it is there")[0].close = "0".to_owned();
        let verdict = Verdict::of_candles(&expected, &found);
        assert_eq!(verdict.lost, missing[0].trades);
        assert_eq!(verdict.duplicated, expected[&places[1]].trades);
        assert_eq!(verdict.differences.len(), 3);
    }

    #[test]
    fn documents_are_compared_as_a_set_and_counted_as_a_list() {
        let expected = ["a", "b"].map(str::to_owned).into();
        let mut verdict = Verdict::default();
        verdict.add_documents(&expected, &["a", "a", "c"].map(str::to_owned));
        assert_eq!((verdict.lost, verdict.duplicated), (1, 2));
    }
}
