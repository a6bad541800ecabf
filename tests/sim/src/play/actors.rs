//! Lets actors run, kills them, and notices their ends.

use std::time::Duration;

use super::Play;
use crate::fiber::{Fiber, Order, Progress};
use crate::setup::Event;
use crate::stage::{Stage, Wake, on};

impl Play {
    /// Lets an actor run until it pauses, and does what follows from it.
    pub(super) fn resume(&mut self, id: usize) {
        self.begin_spawned();
        let Some(fiber) = self.fibers[id].as_mut() else { return };
        on(|stage| stage.current = Some(id));
        let progress = fiber.resume(Order::Go);
        on(|stage| {
            stage.current = None;
            stage.has_run(id);
        });
        if let Progress::Ended(panic) = progress {
            self.bury(id, panic);
        }
        let instance = on(|stage| stage.actors[id].instance);
        if on(|stage| stage.instances[instance].is_dead) {
            self.kill(instance);
        }
        let ended = on(|stage| stage.instances[instance].ended.clone());
        let is_done = on(|stage| stage.live.iter().all(|id| stage.actors[*id].instance != instance));
        if let (Some(ended), true) = (ended, is_done) {
            self.after_end(instance, ended);
        }
    }

    pub(super) fn begin_spawned(&mut self) {
        for (id, body) in on(|stage| std::mem::take(&mut stage.spawned)) {
            self.fibers.resize_with(self.fibers.len().max(id + 1), || None);
            self.fibers[id] = Some(Fiber::new(body));
        }
    }

    /// An actor has ended.
    pub(super) fn bury(&mut self, id: usize, panic: Option<String>) {
        if let Some(fiber) = self.fibers[id].take() {
            fiber.recycle();
        }
        on(|stage| {
            stage.actors[id].is_over = true;
            stage.actors[id].wake = Wake::Nothing;
            stage.live.retain(|other| *other != id);
            stage.has_run(id);
            if let Some(panic) = panic {
                let name = stage.actors[id].name.clone();
                stage.fail(format!("{name} panicked: {panic}"));
            }
        });
    }

    /// Unwinds all actors of an instance, its main one last: it waits for the others where it ends.
    pub(super) fn kill(&mut self, instance: usize) {
        self.begin_spawned();
        on(|stage| {
            stage.instances[instance].is_dead = true;
            stage.instances[instance].handle = None;
        });
        let of = |stage: &mut Stage| -> Vec<usize> {
            let mine = stage.live.iter().copied().filter(|id| stage.actors[*id].instance == instance);
            let mut mine: Vec<usize> = mine.collect();
            mine.sort_by_key(|id| stage.actors[*id].name == "main");
            mine
        };
        for id in on(of) {
            let Some(mut fiber) = self.fibers[id].take() else { continue };
            on(|stage| stage.current = Some(id));
            let mut progress = fiber.resume(Order::Die);
            while progress == Progress::Paused {
                progress = fiber.resume(Order::Die);
            }
            on(|stage| stage.current = None);
            fiber.recycle();
            self.bury(id, None);
        }
        on(|stage| stage.instances[instance].ended = Some(Err("killed".to_owned())));
    }

    /// A process has ended: somebody starts it again, unless all are to stop.
    pub(super) fn after_end(&mut self, instance: usize, ended: Result<(), String>) {
        let slot = on(|stage| {
            let of = &mut stage.instances[instance];
            of.handle = None;
            of.slot
        });
        let slot = match slot {
            Some(slot) => slot,
            None => return,
        };
        on(|stage| {
            stage.instances[instance].slot = None;
            stage.tell(|| format!("instance {instance} (slot {slot}) ended: {ended:?}"));
        });
        if let Err(reason) = &ended
            && reason != "killed"
        {
            on(|stage| stage.fail(format!("an instance ended by itself: {reason}")));
        }
        if self.stopping.is_none() {
            let at = on(|stage| stage.now + Duration::from_millis(stage.chance.between(20, 2_500)));
            self.schedule(at, Event::Start(slot));
        }
    }
}
