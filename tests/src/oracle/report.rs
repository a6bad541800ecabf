//! What became of every case, and the lines that say so.

use std::collections::BTreeMap;

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything agrees with Kafka Streams.
    Passed,
    /// Differs on purpose, for this reason, and agrees with our own golden.
    Known(String),
    /// Differs.
    Failed(String),
    /// The spec needs an operator that the DSL does not have yet.
    NotBuilt(String),
}

/// All outcomes, by case.
#[derive(Debug, Default)]
pub struct Report {
    outcomes: Vec<(String, Outcome)>,
}

impl Report {
    /// Adds the outcomes of some cases.
    pub fn extend(&mut self, outcomes: impl IntoIterator<Item = (String, Outcome)>) {
        self.outcomes.extend(outcomes);
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| which(outcome)).count()
    }

    /// How many cases differ.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// How many cases were run.
    #[must_use]
    pub fn ran(&self) -> usize {
        self.count(|outcome| !matches!(outcome, Outcome::NotBuilt(_)))
    }

    /// Whether at least one case was run and none differs.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.ran() > 0 && self.failed() == 0
    }

    /// The report as lines: differences first, then what is not built, then the counts under `name`.
    #[must_use]
    pub fn lines(&self, name: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let (mut missing, mut differing): (BTreeMap<&str, usize>, BTreeMap<&str, usize>) = Default::default();
        for (case, outcome) in &self.outcomes {
            match outcome {
                Outcome::Passed => {}
                Outcome::Known(reason) => *differing.entry(reason).or_default() += 1,
                Outcome::Failed(difference) => lines.push(format!("FAILED {name} {case}: {difference}")),
                Outcome::NotBuilt(what) => *missing.entry(what).or_default() += 1,
            }
        }
        let counted = |what: &str, counts: BTreeMap<&str, usize>| {
            let line = |(reason, cases)| format!("{name}: {what} in {cases} cases: {reason}");
            counts.into_iter().map(line).collect::<Vec<_>>()
        };
        lines.extend(counted("known difference", differing));
        lines.extend(counted("left out", missing));
        let (ran, failed) = (self.ran(), self.failed());
        let passed = self.count(|outcome| *outcome == Outcome::Passed);
        let known = self.count(|outcome| matches!(outcome, Outcome::Known(_)));
        lines.push(format!(
            "{name}: {ran} cases, {passed} passed, {known} known differences, {failed} failed"
        ));
        lines
    }

    /// How many cases agree, and how many do not.
    #[must_use]
    pub fn verdict(&self) -> (usize, usize) {
        (self.ran() - self.failed(), self.failed())
    }
}
