//! What a processor sees of its task: forwarding, stores, punctuators, time and the record's origin.

use std::marker::PhantomData;
use std::time::Duration;

use super::arena::Hop;
use super::env::{DropReason, Env};
use super::punctuation::{PunctuationType, PunctuatorId};
use crate::error::ProcessError;
use crate::record::{Record, RecordMetadata, TaskId};
use crate::state::StoreHandle;
use crate::time::Timestamp;

/// A processor's view of its task while it runs. `K` and `V` are what it forwards.
pub struct Context<'a, K, V> {
    hop: Hop<'a>,
    types: PhantomData<fn(K, V)>,
}

/// A child to which a processor may forward alone; found once by name with [`Context::child`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildHandle(usize);

impl<'a, K: Clone + 'static, V: Clone + 'static> Context<'a, K, V> {
    pub(crate) fn new(hop: Hop<'a>) -> Self {
        Self { hop, types: PhantomData }
    }

    /// Hands the record to every child; each has processed it to the end when this returns.
    ///
    /// # Errors
    /// The error of a node below that the processing handler did not skip.
    #[inline]
    pub fn forward(&mut self, record: Record<K, V>) -> Result<(), ProcessError> {
        self.hop.pass(&mut Some(record))
    }

    /// Hands the record to one child only.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_to(&mut self, child: ChildHandle, record: Record<K, V>) -> Result<(), ProcessError> {
        self.hop.pass_to(child.0, record)
    }

    /// The child of this name; look it up in `init`, not per record.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<ChildHandle> {
        self.hop.child_position(name).map(ChildHandle)
    }

    /// Calls the processor's `punctuate` every `interval` of stream time or of wall-clock time (see
    /// [`PunctuationType`] for when exactly).
    ///
    /// ```
    /// use candlewick::{Context, ProcessError, Processor, Punctuation, PunctuationType, Record};
    /// # use candlewick::{Consumed, I64Serde, Produced, StreamsBuilder, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    ///
    /// /// Tells every ten milliseconds of stream time how many records there were.
    /// struct Rate { seen: i64 }
    ///
    /// impl Processor<String, i64, String, i64> for Rate {
    ///     fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         cx.schedule(Duration::from_millis(10), PunctuationType::StreamTime);
    ///         Ok(())
    ///     }
    ///
    ///     fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         self.seen += 1;
    ///         Ok(())
    ///     }
    ///
    ///     fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
    ///         let seen = std::mem::take(&mut self.seen);
    ///         cx.forward(Record::new("records".to_owned(), seen, due.timestamp))
    ///     }
    /// }
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default());
    /// # numbers.process::<String, i64, _>(&[], |_| Rate { seen: 0 }).to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 5, 9, 12, 25] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let told: Vec<(i64, i64)> = out.read_all().into_iter().map(|(_, seen, time)| (seen, time.0)).collect();
    /// // Of records at 1, 5, 9, 12 and 25, as (records, time):
    /// assert_eq!(told, [(1, 1), (3, 12), (1, 25)]);
    /// ```
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> PunctuatorId {
        let (node, env) = (self.hop.node(), &mut *self.hop.env);
        env.punctuators.schedule(node, interval, kind, env.wall)
    }

    /// Calls the processor's `punctuate` at `start` and every `interval` after it, and at no other times: what is due
    /// before now is passed over. So all instances punctuate at the same full minute, say.
    pub fn schedule_from(
        &mut self,
        start: Timestamp,
        interval: Duration,
        kind: PunctuationType,
    ) -> PunctuatorId {
        let (node, env) = (self.hop.node(), &mut *self.hop.env);
        let now = match kind {
            PunctuationType::StreamTime => env.stream_time,
            PunctuationType::WallClockTime => env.wall,
        };
        env.punctuators.schedule_from(node, start, interval, kind, now)
    }

    /// Ends a punctuator.
    pub fn cancel(&mut self, punctuator: PunctuatorId) {
        self.hop.env.punctuators.cancel(punctuator);
    }
}

impl<K, V> Context<'_, K, V> {
    /// What the task's nodes share.
    pub(crate) fn env(&mut self) -> &mut Env {
        self.hop.env
    }

    /// A store that was connected to this processor when it was declared.
    ///
    /// # Panics
    /// When the handle was made for another store; the supplier's wiring gives only matching ones.
    #[inline]
    pub fn store<S: 'static>(&mut self, handle: StoreHandle<S>) -> &mut S {
        self.hop.env.store(handle)
    }

    /// The greatest record time this task has seen; [`Timestamp::UNKNOWN`] before the first record.
    #[must_use]
    pub fn stream_time(&self) -> Timestamp {
        self.hop.env.stream_time
    }

    /// Wall-clock time as of the last poll.
    #[must_use]
    pub fn wall_clock(&self) -> Timestamp {
        self.hop.env.wall
    }

    /// Where the record in process came from; `None` inside a wall-clock punctuator before the first record.
    #[must_use]
    pub fn metadata(&self) -> Option<RecordMetadata> {
        self.hop.env.metadata()
    }

    /// The task this processor belongs to.
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        self.hop.env.task
    }

    /// Asks for a commit after this record instead of at the end of the commit interval.
    pub fn request_commit(&mut self) {
        self.hop.env.commit_requested = true;
    }

    /// What this operator remembered under `key` with the last committed offsets.
    pub(crate) fn recall(&self, key: &str) -> Option<i64> {
        self.hop.env.remembered.get(key).copied()
    }

    /// Has `value` committed with the offsets, so that a restarted task goes on from it.
    pub(crate) fn remember(&mut self, key: &std::sync::Arc<str>, value: i64) {
        match self.hop.env.remembered.get_mut(key) {
            Some(slot) => *slot = value,
            None => drop(self.hop.env.remembered.insert(std::sync::Arc::clone(key), value)),
        }
    }

    /// Counts a record that the processor leaves out, under `reason`, so that it shows in the metrics.
    #[inline]
    pub fn drop_record(&mut self, reason: DropReason) {
        self.hop.env.count_drop(reason);
    }
}
