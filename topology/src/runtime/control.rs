//! Membership of an instance: one thread polls the group all the time, so that a slow record, a long commit or a slow disk
//! never costs it. It hands tasks to the stream threads and takes them back.
//!
//! The instance that owns partition 0 of the control topic runs the application's tasks; the others stand by and take
//! over when they get it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::application::Application;
use super::error::StreamsError;
use super::shared::Shared;
use super::status::ApplicationState;
use super::thread::Command;
use super::topics::control_topic;
use crate::client::{ClientError, Group, GroupEvent, GroupMetadata};
use crate::record::{Partition, TaskId};

/// Through which commits ask who this member is, right now.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Mutex<Box<dyn Group>>>);

impl Gate {
    pub(crate) fn metadata(&self) -> Result<GroupMetadata, ClientError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).metadata()
    }

    fn poll(&self, timeout: Duration) -> Result<Vec<GroupEvent>, ClientError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll(timeout)
    }

    fn leave(&self, timeout: Duration) -> Result<(), ClientError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).leave(timeout)
    }
}

/// The control thread's own things.
pub(crate) struct Control {
    application: Arc<Application>,
    shared: Arc<Shared>,
    gate: Gate,
    threads: Vec<Sender<Command>>,
    /// Which thread runs which task.
    placed: BTreeMap<TaskId, usize>,
    stop: crossbeam_channel::Receiver<()>,
}

/// The owner of this partition of the control topic runs the tasks.
const LEADING: Partition = Partition(0);

/// Short, since the gate is shared with commits.
const POLL: Duration = Duration::from_millis(5);

impl Control {
    pub(crate) fn join(
        application: Arc<Application>,
        shared: Arc<Shared>,
        stop: crossbeam_channel::Receiver<()>,
    ) -> Result<(Self, Gate), StreamsError> {
        let config = &application.config;
        let topic = control_topic(&config.application_id);
        let session = Duration::from_millis(config.session_timeout_ms);
        let group = application.log.group(&config.application_id, &topic, session)?;
        let gate = Gate(Arc::new(Mutex::new(group)));
        let control = Self {
            application,
            shared,
            gate: gate.clone(),
            threads: Vec::new(),
            placed: BTreeMap::new(),
            stop,
        };
        Ok((control, gate))
    }

    /// Runs until told to stop, then leaves the group.
    pub(crate) fn run(mut self, threads: Vec<Sender<Command>>) {
        self.threads = threads;
        while let Err(crossbeam_channel::RecvTimeoutError::Timeout) = self.stop.recv_timeout(POLL) {
            match self.gate.poll(POLL) {
                Ok(events) => {
                    for event in events {
                        self.on(event);
                    }
                }
                Err(ClientError::Unavailable { reason, .. }) => {
                    tracing::warn!(reason, "the group is not reachable")
                }
                Err(error) => {
                    self.shared.fail(error.to_string());
                    break;
                }
            }
            self.settle();
        }
        if let Err(error) = self.gate.leave(self.application.request_timeout()) {
            tracing::warn!(%error, "the group was not left in good order; it will notice by the session timeout");
        }
    }

    fn on(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::Assigned(partitions) if partitions.contains(&LEADING) => self.grant(),
            GroupEvent::Revoked(partitions) if partitions.contains(&LEADING) => self.revoke(),
            GroupEvent::Lost(_) => self.lose(),
            GroupEvent::Assigned(_) | GroupEvent::Revoked(_) => {}
        }
    }

    fn grant(&mut self) {
        self.shared.enter(ApplicationState::Rebalancing);
        let mut shares: Vec<Vec<TaskId>> = vec![Vec::new(); self.threads.len()];
        for (index, task) in self.application.task_ids().into_iter().enumerate() {
            let thread = index % shares.len();
            shares[thread].push(task);
            self.placed.insert(task, thread);
        }
        for (thread, tasks) in self.threads.iter().zip(shares) {
            // A thread that has ended has told why; its tasks stay where they are.
            drop(thread.send(Command::Assign(tasks)));
        }
    }

    /// Takes all tasks back in good order: each thread commits first. The group waits until the next poll meanwhile.
    fn revoke(&mut self) {
        self.shared.enter(ApplicationState::Rebalancing);
        let tasks: Vec<TaskId> = std::mem::take(&mut self.placed).into_keys().collect();
        let (done, wait) = crossbeam_channel::bounded(self.threads.len());
        for thread in &self.threads {
            drop(thread.send(Command::Revoke(tasks.clone(), done.clone())));
        }
        drop(done);
        while wait.recv_timeout(self.application.request_timeout()).is_ok() {}
    }

    fn lose(&mut self) {
        self.shared.enter(ApplicationState::Rebalancing);
        let tasks: Vec<TaskId> = std::mem::take(&mut self.placed).into_keys().collect();
        for thread in &self.threads {
            drop(thread.send(Command::Lose(tasks.clone())));
        }
    }

    /// The instance is running once all its tasks are.
    fn settle(&self) {
        if self.shared.state() == ApplicationState::Rebalancing
            && !self.placed.is_empty()
            && self.shared.running_tasks() == self.placed.len()
        {
            self.shared.enter(ApplicationState::Running);
        }
    }
}
