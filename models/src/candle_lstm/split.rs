//! Which windows are learned from and which are held out. Owns the purge between them; knows times only.

use super::features::Sample;

/// Cuts samples, which are in order of time, at the time of the one numbered `first_held_out`: those before it by at
/// least `purge_ms`, and those from it on. What lies between is in neither, so that nothing learned from overlaps what is
/// tested.
pub(super) fn purged(samples: &[Sample], first_held_out: usize, purge_ms: i64) -> (&[Sample], &[Sample]) {
    let Some(first) = samples.get(first_held_out) else {
        return (samples, &[]);
    };
    let learned = samples.partition_point(|sample| sample.time <= first.time.minus_millis(purge_ms));
    let held_out = samples.partition_point(|sample| sample.time < first.time);
    (&samples[..learned], &samples[held_out..])
}

#[cfg(test)]
mod tests {
    use candlewick::Timestamp;

    use super::*;

    #[test]
    fn held_out_part_starts_a_purge_after_the_learned_one_and_takes_equal_times_together() {
        let sample = |time| Sample { time: Timestamp(time), last_vector: 0, target: 0.0 };
        let samples: Vec<Sample> = [0, 0, 10, 10, 20, 20, 30, 30].map(sample).to_vec();
        let (learned, held_out) = purged(&samples, 5, 10);
        assert_eq!((learned, held_out), (&samples[..4], &samples[4..]));
        let (learned, held_out) = purged(&samples, 5, 11);
        assert_eq!((learned, held_out), (&samples[..2], &samples[4..]));
        assert_eq!(purged(&samples, 8, 10), (&samples[..], &[][..]));
    }
}
