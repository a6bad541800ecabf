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

    /// The report as lines: differences first, then what is not built, then the counts.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
        for (case, outcome) in &self.outcomes {
            match outcome {
                Outcome::Passed => {}
                Outcome::Known(reason) => lines.push(format!("known difference: {case}: {reason}")),
                Outcome::Failed(difference) => lines.push(format!("FAILED {case}: {difference}")),
                Outcome::NotBuilt(what) => *missing.entry(what).or_default() += 1,
            }
        }
        for (what, cases) in missing {
            lines.push(format!("not built yet: {what} ({cases} cases)"));
        }
        let (ran, failed) = (self.ran(), self.failed());
        let passed = self.count(|outcome| *outcome == Outcome::Passed);
        let known = self.count(|outcome| matches!(outcome, Outcome::Known(_)));
        let verdict = if self.is_ok() { "ok" } else { "FAILED" };
        let agreed = passed + known;
        lines.push(format!(
            "test result: {verdict}. {agreed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
        ));
        lines.push(format!("not built yet: {} cases in all", self.outcomes.len() - ran));
        lines.push(format!(
            "conformance: {ran} cases, {passed} passed, {known} known differences, {failed} failed"
        ));
        lines
    }
}
