//! The work of the sink: reads, makes documents, has them delivered, commits. Owns membership and the order of these
//! steps; must not know requests or formats.
//!
//! 1. A record is read (committed ones only) and pushed; the position moves behind it.
//! 2. When a request is due, everything pending is delivered: written, or a dead letter that is flushed.
//! 3. Only then, with nothing pending, are positions committed. So a committed offset never passes a record that is not
//!    safe, and whatever is read again has the same id and version and changes nothing.
//! 4. While Elasticsearch does not take requests the input is paused, and the group is still answered. A partition that
//!    is taken away then loses its pending documents here and is read from its committed offset there.
//! 5. Every change of membership makes the records of the running poll void: they are fetched again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::client::{ClientError, Consumer, Group, GroupEvent, Isolation, Log, PolledBatch};
use candlewick::{Partition, RawRecord, RecordRun, TopicPartition};

use super::bulk::BulkItem;
use super::client::Client;
use super::codec::DocumentError;
use super::config::ElasticsearchConfig;
use super::delivery::{Attempt, Delivery};
use super::error::ElasticsearchError;
use super::positions::Positions;
use super::sink::Stop;
use super::status::{SharedStatus, SinkState};
use crate::error::{Classified, Retry};
use crate::retry::Backoff;

/// The longest wait between two looks at the group and the wish to stop.
const SLICE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Between two sentences that say why it waits.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(10);

pub(super) struct Pump {
    config: ElasticsearchConfig,
    client: Client,
    log: Arc<dyn Log>,
    status: SharedStatus,
    stop: Arc<Stop>,
    delivery: Delivery,
    positions: Positions,
    backoff: Backoff,
    /// Counts changes of membership.
    epoch: u64,
    paused: bool,
    /// Partitions that the group has given and of which it is not known yet where to begin.
    unplaced: Vec<Partition>,
    /// The consumer does not read yet what it has to: what the group has given, from the positions that are kept here.
    is_moved: bool,
    committed_at: Instant,
    /// Why it waits, as it was said last, and when.
    told: (String, Instant),
}

/// The clients of the input.
struct Input {
    group: Box<dyn Group>,
    consumer: Box<dyn Consumer>,
}

impl Pump {
    pub(super) fn new(
        config: ElasticsearchConfig,
        client: Client,
        log: Arc<dyn Log>,
        status: SharedStatus,
        stop: Arc<Stop>,
    ) -> Self {
        Self {
            delivery: Delivery::new(&config),
            backoff: Backoff::new(config.backoff),
            config,
            client,
            log,
            status,
            stop,
            positions: Positions::default(),
            epoch: 0,
            paused: false,
            unplaced: Vec::new(),
            is_moved: false,
            committed_at: Instant::now(),
            told: (String::new(), Instant::now()),
        }
    }

    /// Works until it is stopped.
    pub(super) fn run(mut self) -> Result<(), ElasticsearchError> {
        let Some(mut input) = self.start()? else { return Ok(()) };
        let mut batch = PolledBatch::default();
        while !self.stop.is_wanted() {
            match self.turn(&mut input, &mut batch) {
                Ok(()) => self.running(),
                Err(error) if error.retry() == Retry::Backoff => {
                    self.wait(&error.to_string(), Some(&mut input))?;
                    // What was polled and not taken is fetched again.
                    self.paused = false;
                    self.is_moved = true;
                }
                Err(error) => return Err(error),
            }
        }
        self.finish(&mut input)
    }

    /// Puts the template and joins the group; `None` when it was stopped before.
    fn start(&mut self) -> Result<Option<Input>, ElasticsearchError> {
        while !self.stop.is_wanted() {
            match self.try_start() {
                Ok(input) => {
                    self.running();
                    return Ok(Some(input));
                }
                Err(error) if error.retry() == Retry::Backoff => self.wait(&error.to_string(), None)?,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn try_start(&self) -> Result<Input, ElasticsearchError> {
        if let Some(template) = &self.config.template {
            self.client.put_template(&format!("{}-template", self.config.index), template)?;
        }
        let topic = self.config.topic.as_str();
        if self.log.admin()?.describe(&[topic], PATIENCE)?.into_iter().flatten().next().is_none() {
            return Err(ClientError::UnknownTopic { topic: topic.to_string() }.into());
        }
        let consumer = self.log.consumer(&self.config.group, Isolation::ReadCommitted)?;
        let group = self.log.group(&self.config.group, topic, self.config.session_timeout)?;
        Ok(Input { group, consumer })
    }

    /// One poll and what follows from it.
    fn turn(&mut self, input: &mut Input, batch: &mut PolledBatch) -> Result<(), ElasticsearchError> {
        self.membership(input, Duration::ZERO)?;
        if self.positions.len() == 0 {
            self.membership(input, SLICE)?;
            return Ok(());
        }
        let timeout = self.delivery.patience(&self.config, SLICE);
        match input.consumer.poll(self.config.bulk_documents_max.max(1), timeout, batch) {
            Ok(()) => {}
            Err(ClientError::OffsetOutOfRange { partition, offset, low, .. }) => {
                tracing::warn!(%partition, offset, low, "the records to read next are gone; going on at the first held");
                self.positions.reset(partition.partition, low);
                let starts = self.positions.starts(&self.config.topic);
                return Ok(input.consumer.assign(&starts)?);
            }
            Err(error) => return Err(error.into()),
        }
        let epoch = self.epoch;
        for run in &batch.runs {
            self.take_run(input, run, epoch)?;
            if self.epoch != epoch || self.stop.is_wanted() {
                return Ok(());
            }
        }
        // Commit markers and aborted records have offsets too.
        let partitions: Vec<Partition> = self.positions.partitions().collect();
        for partition in partitions {
            let place = TopicPartition::new(self.config.topic.as_str(), partition.0);
            if let Some(position) = input.consumer.position(&place) {
                self.positions.read_to(partition, position);
            }
        }
        let markers_due = self.delivery.is_empty() && self.committed_at.elapsed() >= COMMIT_EVERY;
        if self.delivery.is_due(&self.config) || markers_due { self.flush(input) } else { Ok(()) }
    }

    fn take_run(&mut self, input: &mut Input, run: &RecordRun, epoch: u64) -> Result<(), ElasticsearchError> {
        let partition = run.source.partition;
        for record in run.iter() {
            if !self.positions.contains(partition) || !self.take(input, &run.source, &record, epoch)? {
                return Ok(());
            }
            self.positions.read_to(partition, record.offset + 1);
            if self.delivery.is_full(&self.config) {
                self.flush(input)?;
                if self.epoch != epoch {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Makes a record's document; false when it was not taken because membership changed or the sink is stopped.
    fn take(
        &mut self,
        input: &mut Input,
        source: &TopicPartition,
        record: &RawRecord<'_>,
        epoch: u64,
    ) -> Result<bool, ElasticsearchError> {
        let document = loop {
            let Some(value) = record.value else { break Ok(None) };
            match self.config.codec.document(&source.topic, record, value) {
                Err(DocumentError::NotNow { reason }) => {
                    self.wait(&reason, Some(input))?;
                    if self.epoch != epoch || self.stop.is_wanted() {
                        return Ok(false);
                    }
                }
                other => break other.map(Some).map_err(|error| error.to_string()),
            }
        };
        let made = document.and_then(|document| {
            let id = self.config.id.make(source, record, document.as_ref())?;
            Ok(BulkItem::new(source.clone(), record.offset, &id, document.as_ref()))
        });
        match made {
            Ok(item) => self.delivery.push(item, record),
            Err(reason) => {
                self.delivery.bury_record(source, record, &reason, &*self.log, &self.status)?;
            }
        }
        Ok(true)
    }

    /// Delivers everything pending and commits; comes back early when it is stopped.
    fn flush(&mut self, input: &mut Input) -> Result<(), ElasticsearchError> {
        loop {
            let timeout = self.stop.bound(self.config.request_timeout);
            let attempt =
                self.delivery.attempt(&self.client, &self.config, &*self.log, &self.status, timeout)?;
            match attempt {
                Attempt::Empty => {
                    self.running();
                    self.resume(input)?;
                    return self.commit(input);
                }
                Attempt::Progress => self.backoff.reset(),
                Attempt::Again(reason) => self.wait(&reason, Some(input))?,
            }
            if self.stop.is_over() {
                return Ok(());
            }
        }
    }

    fn commit(&mut self, input: &mut Input) -> Result<(), ElasticsearchError> {
        self.committed_at = Instant::now();
        let offsets = self.positions.uncommitted(&self.config.topic);
        if offsets.is_empty() {
            return Ok(());
        }
        let committed = input.group.metadata().and_then(|member| input.consumer.commit(&offsets, &member));
        match committed {
            Ok(()) => self.positions.committed(&offsets),
            // Ordinary: another member came or went. Whoever reads these records again changes nothing.
            Err(ClientError::NotCurrent { reason }) => {
                tracing::debug!(reason, "the offsets are committed after the change of membership");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Answers the group; waits up to `timeout` for something to answer.
    fn membership(&mut self, input: &mut Input, timeout: Duration) -> Result<(), ElasticsearchError> {
        let events = input.group.poll(timeout)?;
        if events.is_empty() && !self.is_moved {
            return Ok(());
        }
        self.epoch += 1;
        self.is_moved = true;
        for event in events {
            match event {
                GroupEvent::Assigned(partitions) => self.unplaced.extend(partitions),
                GroupEvent::Revoked(partitions) => {
                    self.last_try(input);
                    self.gone(&partitions);
                }
                GroupEvent::Lost(partitions) => self.gone(&partitions),
            }
        }
        // The log may be away at this moment; the group says it only once.
        if !self.unplaced.is_empty() {
            let unplaced = self.unplaced.clone();
            self.assigned(input, &unplaced)?;
            self.unplaced.clear();
        }
        self.status.set_partitions(self.positions.len());
        input.consumer.assign(&self.positions.starts(&self.config.topic))?;
        self.is_moved = false;
        if std::mem::take(&mut self.paused) {
            self.pause(input)?;
        }
        Ok(())
    }

    fn assigned(&mut self, input: &mut Input, partitions: &[Partition]) -> Result<(), ElasticsearchError> {
        let topic = self.config.topic.as_str();
        let places: Vec<_> =
            partitions.iter().map(|partition| TopicPartition::new(topic, partition.0)).collect();
        let committed = input.consumer.committed(&places, PATIENCE)?;
        for (place, committed) in places.iter().zip(committed) {
            self.positions.add(place.partition, committed.map(|committed| committed.offset));
        }
        Ok(())
    }

    /// Before partitions go in good order: what can be delivered without a wait is, and is committed.
    fn last_try(&mut self, input: &mut Input) {
        loop {
            let timeout = self.stop.bound(self.config.request_timeout);
            match self.delivery.attempt(&self.client, &self.config, &*self.log, &self.status, timeout) {
                Ok(Attempt::Progress) => {}
                Ok(Attempt::Empty) => {
                    if let Err(error) = self.commit(input) {
                        tracing::debug!(%error, "the last offsets were not committed; they are read again elsewhere");
                    }
                    return;
                }
                Ok(Attempt::Again(_)) | Err(_) => return,
            }
        }
    }

    fn gone(&mut self, partitions: &[Partition]) {
        self.unplaced.retain(|partition| !partitions.contains(partition));
        for partition in partitions {
            self.positions.remove(*partition);
            self.delivery.drop_partition(*partition);
        }
    }

    /// Waits for the next attempt, with the input paused and the group answered. Tells the reason once, and another one when
    /// it has been for a while.
    fn wait(&mut self, reason: &str, mut input: Option<&mut Input>) -> Result<(), ElasticsearchError> {
        let pause = self.stop.bound(self.backoff.next_pause());
        let is_first = self.status.set(SinkState::Waiting { reason: reason.to_string() });
        if is_first || (self.told.0 != reason && self.told.1.elapsed() >= TELL_AGAIN_AFTER) {
            self.told = (reason.to_owned(), Instant::now());
            tracing::warn!(
                topic = self.config.topic,
                index = self.config.index,
                reason,
                "the sink waits and tries again"
            );
        }
        if let Some(input) = &mut input {
            self.pause(input)?;
        }
        let end = Instant::now() + pause;
        while !self.stop.is_over() {
            let left = end.saturating_duration_since(Instant::now()).min(SLICE);
            if left.is_zero() {
                return Ok(());
            }
            match &mut input {
                // A log that cannot be reached is what is waited for, too.
                Some(input) => {
                    if let Err(error) = self.membership(input, left) {
                        if error.retry() == Retry::No {
                            return Err(error);
                        }
                        std::thread::sleep(left);
                    }
                }
                None => std::thread::sleep(left),
            }
        }
        Ok(())
    }

    fn running(&mut self) {
        self.backoff.reset();
        if self.status.set(SinkState::Running) {
            tracing::info!(topic = self.config.topic, index = self.config.index, "the sink runs");
        }
    }

    fn pause(&mut self, input: &mut Input) -> Result<(), ElasticsearchError> {
        if !self.paused {
            input.consumer.pause(&self.places())?;
            self.paused = true;
        }
        Ok(())
    }

    fn resume(&mut self, input: &mut Input) -> Result<(), ElasticsearchError> {
        if self.paused {
            input.consumer.resume(&self.places())?;
            self.paused = false;
        }
        Ok(())
    }

    fn places(&self) -> Vec<TopicPartition> {
        let topic = self.config.topic.as_str();
        self.positions.partitions().map(|partition| TopicPartition::new(topic, partition.0)).collect()
    }

    /// Delivers and commits what can be until the deadline, and leaves.
    fn finish(&mut self, input: &mut Input) -> Result<(), ElasticsearchError> {
        let flushed = self.flush(input);
        let left = input.group.leave(self.stop.bound(PATIENCE).max(SLICE));
        flushed?;
        match left {
            Ok(()) => Ok(()),
            // The group finds out by its session timeout.
            Err(error) => {
                tracing::debug!(%error, "the group was not left in good order");
                Ok(())
            }
        }
    }
}
