//! The manifest in the control topic and on an instance's disk: an instance compares its plan with that of the version
//! that ran last, before it joins, and writes its own down. One writer at a time: by the transactional id
//! `<application>-manifest`. Owns where it is kept; the rules are the plan's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::config::StreamsConfig;
use super::error::StreamsError;
use super::threads::Threads;
use super::topics::{Survey, control_topic};
use crate::client::{
    Admin, ClientError, Isolation, Log, OutgoingRecord, PolledBatch, Producer, ProducerError,
    ProducerSettings, StartAt,
};
use crate::plan::{Before, Kept, Manifest, PlanAction, PlanReport, Planned, Topology};
use crate::record::{Headers, Partition, TopicPartition};
use crate::state::{StateFolder, StoreError, TaskState};
use crate::time::Clock;

/// The record's key, which the protocol of the instances does not use.
const KEY: &[u8] = b"manifest";
/// All that counts in the control topic lies here.
const PARTITION: Partition = Partition(0);
const RECORDS_MAX: usize = 10_000;
/// One read of the control topic, and the pause before another try.
const PATIENCE: Duration = Duration::from_millis(20);
/// How often writing is tried at least, however long that takes.
const TRIES_MIN: u32 = 5;

/// A plan that is about to run, and what it is checked with.
pub(crate) struct PlanCheck<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) config: &'a StreamsConfig,
    pub(crate) log: &'a Arc<dyn Log>,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) threads: &'a dyn Threads,
    pub(crate) survey: &'a Survey,
}

/// What the control topic is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upto {
    /// What is certain by now.
    Stable,
    /// Everything: what is open is waited for.
    End,
}

impl PlanCheck<'_> {
    /// The plan as it is written down.
    pub(crate) fn manifest(&self) -> Manifest {
        let planned = Planned {
            application: &self.config.application_id,
            partitions: &self.survey.partitions,
            subscribed: &self.survey.subscribed,
            tasks: &self.survey.tasks,
            internal: &self.survey.internal,
        };
        Manifest::of(self.topology, &planned)
    }

    /// What would become of what the last version left, and that version's manifest. Changes nothing.
    pub(crate) fn look(&self, manifest: &Manifest) -> Result<(PlanReport, Option<Kept>), StreamsError> {
        let mut admin = self.log.admin()?;
        let last = self.read(&mut *admin, Upto::Stable)?;
        Ok((self.compare(manifest, last.as_ref().map(|last| &last.manifest), &mut *admin)?, last))
    }

    /// Refuses a plan that cannot take over. What it changes is told in the log.
    pub(crate) fn approve(&self, report: &PlanReport) -> Result<(), StreamsError> {
        if report.is_refused() {
            let reasons = report.refusals();
            return Err(StreamsError::Incompatible { application: report.application.clone(), reasons });
        }
        let changes =
            report.changes.iter().filter(|change| report.is_known && change.action > PlanAction::Reuse);
        for change in changes {
            tracing::info!(action = %change.action, subject = change.subject, reason = change.reason, "the plan has changed");
        }
        Ok(())
    }

    /// Writes the manifest down, unless it is there, and says since when the rows of each sub-topology are of one
    /// lineage. The control topic exists.
    pub(crate) fn keep(&self, manifest: &Manifest, last: Option<&Kept>) -> Result<Vec<i64>, StreamsError> {
        if let Some(last) = last.filter(|last| last.is_of(manifest)) {
            return Ok(last.since.clone());
        }
        let mut admin = self.log.admin()?;
        let until = self.clock.monotonic() + self.timeout();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.write(manifest, &mut *admin) {
                // It was there a moment ago, and is waited for as by what already runs.
                Err(StreamsError::Producer(ProducerError::Timeout { operation })) => {
                    tracing::warn!(operation, "waiting for the log to write the manifest");
                    self.threads.sleep(PATIENCE);
                }
                // Another instance starts at this moment. A process that was frozen meanwhile has its tries too.
                Err(StreamsError::Producer(
                    ProducerError::Fenced | ProducerError::Unsettled | ProducerError::Abortable { .. },
                )) if tries < TRIES_MIN || self.clock.monotonic() < until => {
                    self.threads.sleep(PATIENCE);
                }
                outcome => return outcome,
            }
        }
    }

    fn write(&self, manifest: &Manifest, admin: &mut dyn Admin) -> Result<Vec<i64>, StreamsError> {
        let settings = ProducerSettings {
            transactional_id: Some(format!("{}-manifest", self.config.application_id)),
            transaction_timeout: Some(Duration::from_millis(self.config.transaction_timeout_ms)),
            ..ProducerSettings::default()
        };
        let mut producer = self.log.producer(&settings)?;
        producer.init_transactions(self.timeout())?;
        // Nobody else writes one from here on without our being fenced: what is read now is the last.
        let last = self.read(admin, Upto::End)?;
        if let Some(last) = last.as_ref().filter(|last| last.is_of(manifest)) {
            return Ok(last.since.clone());
        }
        self.approve(&self.compare(manifest, last.as_ref().map(|last| &last.manifest), admin)?)?;
        let kept = Kept::new(manifest, last.as_ref(), self.clock.wall());
        let topic = producer.topic(&control_topic(&self.config.application_id))?;
        let value = serde_json::to_vec(&kept).expect("plain structs of strings and numbers are always JSON");
        producer.begin_transaction()?;
        let headers = Headers::default();
        producer.send(OutgoingRecord {
            topic,
            partition: PARTITION,
            key: Some(KEY),
            value: Some(&value),
            headers: &headers,
            timestamp: self.clock.wall(),
        })?;
        self.commit(&mut *producer)?;
        Ok(kept.since)
    }

    fn commit(&self, producer: &mut dyn Producer) -> Result<(), StreamsError> {
        let until = self.clock.monotonic() + self.timeout();
        loop {
            match producer.commit_transaction(self.timeout()) {
                Err(ProducerError::Timeout { .. }) if self.clock.monotonic() < until => {}
                Err(error @ ProducerError::Abortable { .. }) => {
                    producer.abort_transaction(self.timeout())?;
                    return Err(error.into());
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.config.request_timeout_ms)
    }

    fn compare(
        &self,
        manifest: &Manifest,
        last: Option<&Manifest>,
        admin: &mut dyn Admin,
    ) -> Result<PlanReport, StreamsError> {
        let application = &self.config.application_id;
        // Who runs matters only beside another plan.
        let is_alive = last.is_some_and(|last| last != manifest)
            && !admin.group_members(application, self.timeout())?.is_empty();
        let before = Before { manifest: last, existing: &self.survey.existing, is_alive };
        Ok(manifest.take_over(&before, self.topology, application))
    }

    /// The manifest that the control topic has last.
    fn read(&self, admin: &mut dyn Admin, upto: Upto) -> Result<Option<Kept>, StreamsError> {
        let topic = control_topic(&self.config.application_id);
        if admin.describe(&[&topic], self.timeout())?.into_iter().flatten().next().is_none() {
            return Ok(None);
        }
        let partition = TopicPartition { topic: topic.into(), partition: PARTITION };
        let until = self.clock.monotonic() + self.timeout();
        let end = loop {
            let marks = admin.watermarks(&partition, self.timeout())?;
            if upto == Upto::Stable || marks.stable >= marks.high {
                break marks.stable;
            }
            if self.clock.monotonic() >= until {
                let reason = "a transaction stays open in the control topic".to_owned();
                return Err(ClientError::Unavailable { operation: "read the manifest", reason }.into());
            }
            self.threads.sleep(PATIENCE);
        };
        let mut consumer = self.log.consumer(&self.config.application_id, Isolation::ReadCommitted)?;
        consumer.assign(&[(partition.clone(), StartAt::Beginning)])?;
        let mut found = None;
        let mut batch = PolledBatch::default();
        while consumer.position(&partition).is_none_or(|position| position < end) {
            match consumer.poll(RECORDS_MAX, PATIENCE, &mut batch) {
                Ok(()) => {}
                // Compaction has moved the start on.
                Err(ClientError::OffsetOutOfRange { .. }) => {
                    consumer.assign(&[(partition.clone(), StartAt::Beginning)])?;
                }
                Err(error @ ClientError::Unavailable { .. }) if self.clock.monotonic() < until => {
                    tracing::warn!(%error, "waiting for the control topic");
                    self.threads.sleep(PATIENCE);
                }
                Err(error) => return Err(error.into()),
            }
            for record in batch.runs.iter().flat_map(|run| run.iter()) {
                if record.key == Some(KEY) {
                    found = record.value.map(<[u8]>::to_vec);
                }
            }
        }
        let read = found.as_deref().map(serde_json::from_slice).transpose();
        Ok(read.unwrap_or_else(|error| {
            tracing::warn!(%error, "the manifest of the last version cannot be read and is not compared with");
            None
        }))
    }
}

/// What a state folder knows of the plan that used it last.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct OnDisk {
    manifest: Manifest,
    /// Stores, with their sub-topologies, that earlier plans left there.
    left: BTreeSet<(String, usize)>,
}

/// Removes from a state folder what this plan must not go on with, and notes the plan there. `last` is the manifest of the
/// version that ran last, for a folder that has none of its own.
pub(crate) fn settle_folder(
    folder: &StateFolder,
    manifest: &Manifest,
    last: Option<&Manifest>,
) -> Result<(), StoreError> {
    let noted = folder.plan().and_then(|text| serde_json::from_slice::<OnDisk>(&text).ok());
    let is_noted = noted.is_some();
    let mut noted = noted
        .unwrap_or_else(|| OnDisk { manifest: last.cloned().unwrap_or_default(), left: BTreeSet::new() });
    if is_noted && noted.manifest == *manifest {
        return Ok(());
    }
    let stale = manifest.stale_on_disk(&noted.manifest, &mut noted.left);
    for task in folder.tasks()? {
        if stale.contains(&(task.sub_topology as usize)) {
            tracing::info!(%task, "its stores are another plan's: they are removed, and restored from their changelogs");
            TaskState::wipe_folder(&folder.task(task))?;
        }
    }
    noted.manifest = manifest.clone();
    let text = serde_json::to_vec(&noted).expect("plain structs of strings and numbers are always JSON");
    folder.set_plan(&text)
}
