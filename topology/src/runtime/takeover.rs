//! Before an application joins: its plan against the version that ran last. Owns the order of looking, refusing, making
//! topics and writing down; the rules are the plan's.

use std::time::Duration;

use super::error::StreamsError;
use super::manifest::{PlanCheck, settle_folder};
use super::streams::KafkaStreams;
use super::topics::{PreparedTopics, Survey, prepare, survey};
use crate::plan::PlanReport;
use crate::state::StateFolder;

impl KafkaStreams {
    /// What would become of the application's state if it started now: which stores go on as they are, which are rebuilt,
    /// migrated or left behind, and what would keep it from starting. Changes nothing, and does not wait for topics.
    ///
    /// ```
    /// use candlewick::{KafkaStreams, PlanAction};
    /// # use candlewick::{*, client::*};
    /// # fn counts(name: &str) -> Topology {
    /// #     let builder = StreamsBuilder::new();
    /// #     let words = builder.stream("words", Consumed::<String, String>::default()).group_by_key(Grouped::default());
    /// #     words.count(Materialized::named(name));
    /// #     builder.build().expect("valid")
    /// # }
    /// # let log = EmbeddedLog::in_memory();
    /// # let topic = NewTopic { name: "words".into(), partitions: 2, replication: 1, config: Default::default() };
    /// # log.admin()?.create(&[topic], std::time::Duration::from_secs(1))?;
    /// # let config = StreamsConfig::new("app");
    /// // A version that counted into a store `counts` has run, and the next one names it `totals`.
    /// # KafkaStreams::new(counts("counts"), config.clone(), log.clone()).start()?.stop(std::time::Duration::from_secs(10))?;
    /// # let topology = counts("totals");
    /// let plan = KafkaStreams::new(topology, config, log).plan()?;
    /// assert!(!plan.is_refused());
    /// let left: Vec<&str> = plan.with_action(PlanAction::Left).map(|change| change.subject.as_str()).collect();
    /// assert!(left.contains(&"store counts"));
    /// # Ok::<(), StreamsError>(())
    /// ```
    ///
    /// # Errors
    /// When source topics are missing, joined ones do not fit together, or the log cannot be reached.
    pub fn plan(&self) -> Result<PlanReport, StreamsError> {
        let survey = self.survey(Duration::ZERO)?;
        let check = self.check(&survey);
        Ok(check.look(&check.manifest())?.0)
    }

    /// Compares, refuses, makes topics and writes the plan down, in this order.
    pub(super) fn take_over(&self, folder: Option<&StateFolder>) -> Result<PreparedTopics, StreamsError> {
        let survey = self.survey(Duration::from_millis(self.config.topic_wait_ms))?;
        let check = self.check(&survey);
        let manifest = check.manifest();
        let (report, last) = check.look(&manifest)?;
        check.approve(&report)?;
        let mut prepared = prepare(&self.topology, &self.config, &self.log, &survey)?;
        prepared.since = check.keep(&manifest, last.as_ref())?;
        if let Some(folder) = folder {
            settle_folder(folder, &manifest, last.as_ref().map(|last| &last.manifest))?;
        }
        Ok(prepared)
    }

    fn survey(&self, wait: Duration) -> Result<Survey, StreamsError> {
        survey(&self.topology, &self.config, &self.log, (&*self.clock, &*self.threads), wait)
    }

    fn check<'a>(&'a self, survey: &'a Survey) -> PlanCheck<'a> {
        PlanCheck {
            topology: &self.topology,
            config: &self.config,
            log: &self.log,
            clock: &*self.clock,
            threads: &*self.threads,
            survey,
        }
    }
}
