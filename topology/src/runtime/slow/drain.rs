//! How a stream thread goes about records that are unfinished when it commits or gives tasks up; the reasons stand in the
//! room's own module.

use std::time::Duration;

use crate::client::ProducerError;
use crate::plan::Topology;
use crate::runtime::config::{Guarantee, StreamsConfig};
use crate::runtime::error::StreamsError;
use crate::runtime::membership::Grant;
use crate::runtime::planted::{Bug, planted};
use crate::runtime::task::Task;
use crate::runtime::thread::StreamThread;

/// How long a commit may wait for slow work: what follows has to fit into the transaction's time as well.
fn drain_max(config: &StreamsConfig) -> Duration {
    Duration::from_millis(config.transaction_timeout_ms.min(config.task_stuck_after_ms) / 2)
}

/// Whether commits can wait for the calls of the topology. A call whose time is not over when the thread goes back to its
/// last commit begins anew, and would never come to its end.
pub(in crate::runtime) fn check_calls(
    topology: &Topology,
    config: &StreamsConfig,
) -> Result<(), StreamsError> {
    if config.guarantee != Guarantee::ExactlyOnce {
        return Ok(());
    }
    let limit = drain_max(config);
    for &id in topology.sub_topologies().iter().flat_map(|sub| &sub.nodes) {
        let node = topology.node(id);
        if let Some(longest) = node.longest_call.filter(|longest| *longest > limit) {
            return Err(StreamsError::SlowCalls { node: node.name.to_string(), longest, limit });
        }
    }
    Ok(())
}

/// How long a poll waits while results may come at any moment.
const UNFINISHED_POLL: Duration = Duration::from_millis(1);

impl StreamThread {
    /// The longest that a poll may wait for the sake of results that are on their way.
    pub(in crate::runtime) fn patience_with_slow_work(&self) -> Duration {
        let has_unfinished = self.tasks.iter().any(|running| running.task.env.unfinished.count() > 0);
        if has_unfinished { UNFINISHED_POLL } else { Duration::MAX }
    }

    /// Whether the thread may commit now. A task that is not whole takes no more records, so that it will be.
    pub(in crate::runtime) fn may_commit(&mut self) -> Result<bool, StreamsError> {
        let exactly_once = self.application.exactly_once();
        let mut is_whole = true;
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index].task;
            if !task.env.unfinished.is_used() || (!exactly_once && task.may_hold_offsets()) {
                continue;
            }
            let whole = task.is_whole()?;
            is_whole &= whole;
            task.env.unfinished.drain(exactly_once || !whole);
            self.send_outputs(index)?;
        }
        if is_whole || !exactly_once || planted(Bug::UnfinishedCommitted) {
            self.drains_since = None;
            return Ok(true);
        }
        let now = self.application.clock.monotonic();
        let since = *self.drains_since.get_or_insert(now);
        if self.in_transaction && now.saturating_sub(since) > self.drain_max() {
            let limit = self.drain_max();
            tracing::warn!(
                thread = self.index,
                ?limit,
                "slow work is not finished in time: going back to the last commit; give it shorter timeouts, or raise transaction-timeout-ms"
            );
            self.rewind()?;
        }
        Ok(false)
    }

    fn drain_max(&self) -> Duration {
        drain_max(&self.application.config)
    }

    /// Waits, within the bound, until nothing is unfinished: tasks are about to be given up.
    pub(in crate::runtime) fn finish_before_handover(
        &mut self,
        grants: &[Grant],
    ) -> Result<(), StreamsError> {
        let began = self.application.clock.monotonic();
        loop {
            match self.forward_finished(grants) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(StreamsError::Producer(ProducerError::Abortable { reason })) => {
                    tracing::warn!(thread = self.index, reason, "the transaction is aborted and repeated");
                    return self.rewind();
                }
                Err(error) => return Err(error),
            }
            if self.application.clock.monotonic().saturating_sub(began) > self.drain_max() {
                tracing::warn!(
                    thread = self.index,
                    "slow work is not finished: whoever has its tasks next does it again"
                );
                return if self.application.exactly_once() { self.rewind() } else { Ok(()) };
            }
            self.application.threads.sleep(UNFINISHED_POLL);
        }
    }

    /// Forwards what slow nodes have finished, of all tasks that have to be whole before these are given up; whether that
    /// is everything.
    fn forward_finished(&mut self, grants: &[Grant]) -> Result<bool, StreamsError> {
        let exactly_once = self.application.exactly_once();
        let mut is_whole = true;
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index].task;
            let takes_part = exactly_once || grants.iter().any(|grant| grant.task == task.id);
            if !takes_part || !task.env.unfinished.is_used() {
                continue;
            }
            task.env.unfinished.drain(true);
            task.pump()?;
            is_whole &= task.is_whole()?;
            self.send_outputs(index)?;
        }
        Ok(is_whole)
    }

    /// No commit was made, since there was nothing to commit: tasks that waited for it go on.
    pub(in crate::runtime) fn end_drains(&mut self) {
        self.tasks.iter_mut().for_each(|running| running.task.env.unfinished.drain(false));
    }

    /// Whether a task takes part in a commit of the thread. One that does not takes no more records, so that it will soon:
    /// what its caches forward into slow nodes at this commit would be behind its offsets otherwise.
    pub(in crate::runtime) fn takes_part(&mut self, index: usize) -> Result<bool, StreamsError> {
        let exactly_once = self.application.exactly_once();
        let task = &mut self.tasks[index].task;
        if exactly_once || task.may_hold_offsets() || !task.env.unfinished.is_used() {
            return Ok(true);
        }
        let is_whole = task.is_whole()? || planted(Bug::UnfinishedCommitted);
        if !is_whole {
            task.env.unfinished.drain(true);
        }
        Ok(is_whole)
    }
}

impl Task {
    /// Whether the task asks for a commit: its nodes do, or it has waited for its slow nodes long enough.
    pub(in crate::runtime) fn asks_for_commit(&self) -> bool {
        let unfinished = &self.env.unfinished;
        if unfinished.is_draining() { unfinished.count() == 0 } else { self.env.commit_requested }
    }
}
