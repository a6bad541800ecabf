//! What becomes of an application's state when another version takes it over, in words. Plain data; compares nothing.

use std::fmt;

/// What becomes of one part of an application.
///
/// ```
/// use candlewick::PlanAction;
/// assert!(PlanAction::Refuse > PlanAction::Migrate, "by how much there is to say about it");
/// assert_eq!(PlanAction::Rebuild.to_string(), "rebuild");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PlanAction {
    /// It goes on as it is.
    Reuse,
    /// It was not there before, and begins empty.
    New,
    /// It is not used any more. Its topics stay until they are deleted.
    Left,
    /// It goes on, and what lies on the disks of instances is restored from its changelog.
    Rebuild,
    /// It goes on, and what the former version wrote is read by the rules of its format.
    Migrate,
    /// It cannot go on: the application does not start.
    Refuse,
}

impl fmt::Display for PlanAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reuse => "reuse",
            Self::New => "new",
            Self::Left => "left",
            Self::Rebuild => "rebuild",
            Self::Migrate => "migrate",
            Self::Refuse => "refuse",
        })
    }
}

/// What becomes of one part, and why.
///
/// ```
/// use candlewick::PlanChange;
/// fn told(change: &PlanChange) -> String {
///     format!("{}: {} ({})", change.action, change.subject, change.reason)
/// }
/// # let _ = told;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanChange {
    /// What becomes of it.
    pub action: PlanAction,
    /// Which part, such as `store counts`.
    pub subject: String,
    /// Why, and what to do about it.
    pub reason: String,
}

/// How a plan stands to the version of the application that ran last: see
/// [`KafkaStreams::plan`](crate::KafkaStreams::plan). It prints as one line for each part.
///
/// ```
/// # use {candlewick::{*, client::*}, std::time::Duration};
/// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
/// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
/// let plan = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).plan()?;
/// assert!(!plan.is_known && plan.to_string().starts_with("plan of app: nothing is known"));
/// # Ok::<(), StreamsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanReport {
    /// The application's id.
    pub application: String,
    /// Whether a version that wrote its plan down has run before.
    pub is_known: bool,
    /// Every part of the plan, what is refused last.
    pub changes: Vec<PlanChange>,
}

impl PlanReport {
    /// Whether the application would not start.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// let plan = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).plan()?;
    /// assert!(!plan.is_refused(), "{plan}");
    /// # Ok::<(), StreamsError>(())
    /// ```
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.changes.iter().any(|change| change.action == PlanAction::Refuse)
    }

    /// The changes with this outcome.
    ///
    /// ```
    /// # use {candlewick::{*, client::*}, std::time::Duration};
    /// # let (builder, log) = (StreamsBuilder::new(), EmbeddedLog::in_memory()); builder.stream("in", Consumed::<String, i64>::default());
    /// # log.admin()?.create(&[NewTopic { name: "in".into(), partitions: 1, replication: 1, config: Default::default() }], Duration::from_secs(1))?;
    /// let plan = KafkaStreams::new(builder.build()?, StreamsConfig::new("app"), log).plan()?;
    /// assert_eq!(plan.with_action(PlanAction::Refuse).count(), 0);
    /// # Ok::<(), StreamsError>(())
    /// ```
    pub fn with_action(&self, action: PlanAction) -> impl Iterator<Item = &PlanChange> {
        self.changes.iter().filter(move |change| change.action == action)
    }

    /// What is refused, in one line.
    pub(crate) fn refusals(&self) -> String {
        let refused = self.with_action(PlanAction::Refuse);
        let sentences: Vec<String> =
            refused.map(|change| format!("{}: {}", change.subject, change.reason)).collect();
        sentences.join("; ")
    }
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = if self.is_known {
            "against the version that ran last"
        } else {
            "nothing is known of an earlier version"
        };
        writeln!(f, "plan of {}: {since}", self.application)?;
        for PlanChange { action, subject, reason } in &self.changes {
            let action = action.to_string();
            match reason.as_str() {
                "" => writeln!(f, "  {action:<8} {subject}")?,
                reason => writeln!(f, "  {action:<8} {subject}: {reason}")?,
            }
        }
        Ok(())
    }
}
