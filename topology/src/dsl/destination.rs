//! The topic a sink writes to: one that was declared, or what each record tells. A name is resolved once and then found
//! without an allocation.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Data;
use crate::error::ProcessError;
use crate::processor::{Env, OutputTopic, Refusals};
use crate::record::Record;
use crate::time::Timestamp;

/// Appends the name of a record's topic.
pub(crate) type TellTopic<K, V> = Arc<dyn Fn(&Record<K, V>, &mut String) + Send + Sync>;

/// For how long a topic that was missing is believed to be, in milliseconds of the wall clock.
const MISSING_FOR_MS: i64 = 1_000;

/// A record told a topic that the log does not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "topic `{topic}`, which the record chose, does not exist: create it, or set a processing handler to leave such records out"
)]
struct NoSuchTopic {
    topic: String,
}

/// Where a sink writes; topics are indices into the task's output topics.
pub(crate) enum Destination<K, V> {
    /// One topic.
    Fixed(u32),
    /// The one that each record tells.
    Told(Told<K, V>),
}

pub(crate) struct Told<K, V> {
    tell: TellTopic<K, V>,
    found: HashMap<Box<str>, u32, FixedState>,
    /// What was not there when it was last asked for, and when.
    missing: Option<(String, Timestamp)>,
    name: String,
}

impl<K: Data, V: Data> Destination<K, V> {
    pub(crate) fn told(tell: TellTopic<K, V>) -> Self {
        Self::Told(Told { tell, found: HashMap::default(), missing: None, name: String::new() })
    }

    /// The topic of a record.
    #[inline]
    pub(crate) fn of(&mut self, record: &Record<K, V>, env: &mut Env) -> Result<u32, ProcessError> {
        match self {
            Self::Fixed(topic) => Ok(*topic),
            Self::Told(told) => told.of(record, env),
        }
    }
}

impl<K: Data, V: Data> Told<K, V> {
    fn of(&mut self, record: &Record<K, V>, env: &mut Env) -> Result<u32, ProcessError> {
        self.name.clear();
        (self.tell)(record, &mut self.name);
        match self.found.get(self.name.as_str()) {
            Some(topic) => Ok(*topic),
            None => self.resolve(env),
        }
    }

    #[cold]
    fn resolve(&mut self, env: &mut Env) -> Result<u32, ProcessError> {
        let believed = |(name, asked): &(String, Timestamp)| {
            *name == self.name && env.wall.0.saturating_sub(asked.0) < MISSING_FOR_MS
        };
        let partitions = match self.missing.as_ref().is_some_and(believed) {
            true => None,
            false => env.directory.partitions(&self.name)?,
        };
        let Some(partitions) = partitions else {
            if !self.missing.as_ref().is_some_and(believed) {
                self.missing = Some((self.name.clone(), env.wall));
            }
            return Err(NoSuchTopic { topic: self.name.clone() }.into());
        };
        let topic = u32::try_from(env.topics.len()).expect("fewer than 2^32 topics");
        let refusals = Refusals::default();
        env.topics.push(OutputTopic { name: self.name.as_str().into(), partitions, refusals });
        self.found.insert(self.name.as_str().into(), topic);
        Ok(topic)
    }
}
