//! Records that an output topic refuses: left out, tried again, or replaced by a dead letter of what they were made of. Knows
//! refusals of single records; a log that is away is no refusal.

use std::time::Duration;

use super::error::StreamsError;
use super::task::TaskFault;
use super::thread::StreamThread;
use crate::client::{ClientError, Isolation, PolledBatch, ProducerError, StartAt};
use crate::error::ProcessError;
use crate::processor::{DropReason, ErrorPolicy, ProcessResponse, Refusals};
use crate::record::{RecordRun, TopicPartition};

/// How long a record that was processed is looked for in the log once more.
const LOOK_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);

impl StreamThread {
    /// The entry `at` of a task's outputs was refused.
    #[cold]
    pub(super) fn refused(&mut self, index: usize, at: usize, reason: String) -> Result<(), StreamsError> {
        let task = &mut self.tasks[index].task;
        let (entry, key, value) = task.env.outputs.get(at);
        let topic = task.env.topics[entry.topic as usize].clone();
        let configured = self.application.config.produce_errors.unwrap_or(ErrorPolicy::fail());
        let (node, policy) = match &topic.refusals {
            Refusals::By(sink, policy) => (std::sync::Arc::clone(sink), *policy),
            Refusals::Handled | Refusals::Fatal => (std::sync::Arc::clone(&topic.name), configured),
        };
        let rejected = ProducerError::Rejected { topic: topic.name.to_string(), reason };
        let origin = entry.origin;
        let answer = policy.answer(task.failures.count(origin));
        tracing::warn!(task = %task.id, error = %rejected, ?answer, "a record cannot be written");
        match answer {
            ProcessResponse::Fail => return Err(rejected.into()),
            ProcessResponse::Retry { after } => {
                task.failures.add(origin);
                let error = ProcessError::new(rejected);
                return Err(TaskFault::Again { task: task.id, after, error }.into());
            }
            ProcessResponse::Continue => {}
            ProcessResponse::DeadLetter => {
                // Without an origin, what was to be written is all that there is.
                let written = TopicPartition { topic: topic.name, partition: entry.partition };
                let mut own = RecordRun::new(written);
                own.push(-1, entry.timestamp, key, value, entry.headers.clone());
                let source =
                    origin.map(|(queue, offset)| (task.group.queues[queue].partition.clone(), offset));
                let found = source.and_then(|(partition, offset)| self.read_again(&partition, offset));
                let run = found.unwrap_or(own);
                let task = &mut self.tasks[index].task;
                if let Some(raw) = run.get(0) {
                    task.dead_letter(&run.source, raw, &rejected.to_string(), &node);
                }
            }
        }
        self.tasks[index].task.env.count_drop(DropReason::Produce);
        Ok(())
    }

    /// A record that was processed, from the log; nothing where it is not there any more, or not in time.
    fn read_again(&self, partition: &TopicPartition, offset: i64) -> Option<RecordRun> {
        let read = || -> Result<Option<RecordRun>, ClientError> {
            let application = &self.application;
            let group = &application.config.application_id;
            let mut consumer = application.log.consumer(group, Isolation::ReadUncommitted)?;
            consumer.assign(&[(partition.clone(), StartAt::Offset(offset))])?;
            let mut batch = PolledBatch::default();
            let until = application.clock.monotonic() + LOOK_MAX;
            while application.clock.monotonic() < until {
                consumer.poll(1, POLL, &mut batch)?;
                let first = batch.runs.iter().find_map(|run| run.get(0));
                if let Some(raw) = first {
                    let mut run = RecordRun::new(partition.clone());
                    run.push(raw.offset, raw.timestamp, raw.key, raw.value, raw.headers.clone());
                    return Ok(Some(run).filter(|_| raw.offset == offset));
                }
            }
            Ok(None)
        };
        read().unwrap_or_else(|error| {
            tracing::warn!(%error, "a record cannot be read again for its dead letter");
            None
        })
    }
}
