//! The checkers are checked: a runtime with one rule broken does not get past them.

use candlewick::Bug;
use candlewick_sim::play;

/// Each must be found within so many seeds.
const SEEDS: u64 = 200;

#[test]
fn every_planted_bug_is_found_within_two_hundred_seeds() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        Bug::plant(Some(bug));
        let found = (1..=SEEDS).find_map(|seed| Some((seed, play(seed, false).failure?)));
        Bug::plant(None);
        match found {
            Some((seed, failure)) => {
                let failure: String = failure.chars().take(160).collect();
                println!("{bug:?}: seed {seed}: {failure}");
            }
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
