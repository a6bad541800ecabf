//! The end: whether everything is whole, and everybody has stopped.

use std::time::Duration;

use candlewick::{ApplicationState, StreamsHandle};

use super::{HEAL_MAX, LOOK_AFTER, Play, STOP_MAX};
use crate::setup::Event;
use crate::stage::on;
use crate::work::APPLICATION;

impl Play {
    /// Looks after the log, and whether everything is whole.
    pub(super) fn look(&mut self) {
        self.log.look_after().expect("a log in memory does not fail");
        let members = self.admin.group_members(APPLICATION, Duration::ZERO).expect("it is at hand");
        let next = on(|stage| {
            stage.log_changed();
            if members != self.members {
                stage.faults.count("rebalance");
            }
            stage.now + LOOK_AFTER
        });
        self.members = members;
        self.schedule(next, Event::Look);
        let (now, until) = on(|stage| (stage.now, stage.faults.until));
        if now < until || self.stopping.is_some() || self.fed < self.setup.inputs.len() {
            return;
        }
        match self.whole() {
            Ok(()) => {
                self.stopping = Some(now);
                on(|stage| {
                    stage.tell(|| "everything is whole; all stop".to_owned());
                    stage.instances.iter_mut().for_each(|instance| instance.is_told_to_stop = true);
                });
            }
            Err(missing) => {
                if missing.starts_with("twice") || missing.starts_with("wrong") || now > until + HEAL_MAX {
                    on(|stage| stage.fail(format!("after the last fault: {missing}")));
                }
                self.missing = missing;
            }
        }
    }

    pub(super) fn whole(&self) -> Result<(), String> {
        let handles: Vec<Option<StreamsHandle>> = (0..self.setup.slots)
            .map(|slot| Self::in_slot(slot).and_then(|at| on(|stage| stage.instances[at].handle.clone())))
            .collect();
        let handles: Vec<StreamsHandle> =
            handles.into_iter().collect::<Option<_>>().ok_or("an instance does not run")?;
        if let Some(handle) = handles.iter().find(|handle| handle.state() != ApplicationState::Running) {
            return Err(format!("an instance is {:?}", handle.state()));
        }
        self.judge.output()?;
        self.judge.stores(&handles)
    }

    pub(super) fn is_over(&mut self) -> bool {
        let Some(since) = self.stopping else { return false };
        if on(|stage| stage.live.is_empty()) {
            if let Err(reason) = self.judge.output() {
                on(|stage| stage.fail(format!("after all have stopped: {reason}")));
            }
            return true;
        }
        if on(|stage| stage.now) > since + STOP_MAX {
            on(|stage| {
                let names: Vec<&str> = stage.live.iter().map(|id| stage.actors[*id].name.as_str()).collect();
                let reason = format!("the instances do not stop: {names:?} are left");
                stage.fail(reason);
            });
        }
        false
    }
}
