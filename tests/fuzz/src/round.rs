//! A round of one target: as many inputs as fit into a time or a number, the first bad one reported with what repeats it.
//! Owns the bounds; must not know any format.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::ledger::watched;
use crate::mutation::mutated;
use crate::target::Target;

/// An input that takes longer is a hang. Far beyond what the slowest takes on a busy machine.
const SLOW: Duration = Duration::from_secs(5);

/// How far a round goes.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// The first input's number: it alone decides what the input is.
    pub from: u64,
    /// Inputs at most.
    pub inputs: u64,
    /// Time at most.
    pub limit: Duration,
}

/// An input that a target does not stand.
#[derive(Debug)]
pub struct Failure {
    /// Its number.
    pub input: u64,
    /// What happened.
    pub reason: String,
    /// The input itself.
    pub bytes: Vec<u8>,
}

/// Plays a round: how many inputs there were, or the first one that the target does not stand.
///
/// # Errors
/// The failing input.
pub fn play(target: &Target, round: Round) -> Result<u64, Failure> {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has seeds", target.name);
    for bytes in &seeds {
        judge(target, bytes).map_err(|reason| Failure { input: 0, reason, bytes: bytes.clone() })?;
    }
    let begin = Instant::now();
    for input in round.from..round.from + round.inputs {
        let bytes = mutated(&seeds, &mut ChaCha8Rng::seed_from_u64(input));
        judge(target, &bytes).map_err(|reason| Failure { input, reason, bytes })?;
        if begin.elapsed() > round.limit {
            return Ok(input + 1 - round.from);
        }
    }
    Ok(round.inputs)
}

fn judge(target: &Target, bytes: &[u8]) -> Result<(), String> {
    let begin = Instant::now();
    let mut outcome = Ok(());
    let most = watched(|| outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))));
    let took = begin.elapsed();
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        return Err(format!("it panics: {}", text.unwrap_or_default()));
    }
    if most > target.bytes_max {
        return Err(format!(
            "it allocates {most} bytes for {}: {} are allowed",
            bytes.len(),
            target.bytes_max
        ));
    }
    if took > SLOW {
        return Err(format!("it takes {took:?} for {} bytes", bytes.len()));
    }
    Ok(())
}
