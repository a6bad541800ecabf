//! What all actors of a simulation share: the time, who waits for what, which instances live, and what the seed says.
//! One for each thread of the operating system. Owns who goes next; must not know topologies or checks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use candlewick::StreamsHandle;
use candlewick::client::{Call, Fate, Group};

use crate::chance::Chance;
use crate::faults::Faults;
use crate::fiber;
use crate::setup::WALL_START;
use crate::watch::Watch;

/// The body of an actor.
pub(crate) type Body = Box<dyn FnOnce()>;

/// What an actor waits for, besides the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Nothing,
    /// A change of the log.
    Log,
    /// Anything that another actor of its instance does.
    Peers,
    /// The same, by one who has just looked and found nothing: no reason for others to look.
    PeersAgain,
}

/// One thread of an instance.
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) instance: usize,
    /// When it goes on.
    pub(crate) due: Duration,
    pub(crate) wake: Wake,
    pub(crate) is_over: bool,
}

/// One process, from its start to its end.
pub(crate) struct Instance {
    /// Which of the instances it is, as long as it runs.
    pub(crate) slot: Option<usize>,
    /// Killed: its actors are to be unwound.
    pub(crate) is_dead: bool,
    pub(crate) frozen_until: Duration,
    pub(crate) is_told_to_stop: bool,
    pub(crate) handle: Option<StreamsHandle>,
    /// How it ended, once it has.
    pub(crate) ended: Option<Result<(), String>>,
    /// It is killed at such a call, before or after it.
    pub(crate) trap: Option<Trap>,
}

/// Where an instance is to be killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trap {
    pub(crate) call: Call,
    pub(crate) after: bool,
    /// So many such calls are let pass.
    pub(crate) skip: u64,
}

impl Instance {
    pub(crate) fn new(slot: usize) -> Self {
        Self {
            slot: Some(slot),
            is_dead: false,
            frozen_until: Duration::ZERO,
            is_told_to_stop: false,
            handle: None,
            ended: None,
            trap: None,
        }
    }
}

/// See the module.
pub(crate) struct Stage {
    pub(crate) now: Duration,
    pub(crate) wall_start: i64,
    pub(crate) chance: Chance,
    /// A checksum of everything that happened, in its order.
    pub(crate) trace: u64,
    pub(crate) steps: u64,
    pub(crate) actors: Vec<Actor>,
    pub(crate) live: Vec<usize>,
    pub(crate) current: Option<usize>,
    pub(crate) spawned: Vec<(usize, Body)>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) faults: Faults,
    /// Elsewhere while it looks at the log.
    pub(crate) watch: Option<Watch>,
    pub(crate) graveyard: Vec<Box<dyn Group>>,
    /// Transactional ids by the instance that used them last.
    pub(crate) ids: BTreeMap<String, usize>,
    pub(crate) failure: Option<String>,
    pub(crate) is_verbose: bool,
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Sets a stage up, or takes it down.
pub(crate) fn replace(stage: Option<Stage>) -> Option<Stage> {
    STAGE.with_borrow_mut(|now| std::mem::replace(now, stage))
}

/// Does something with the stage; never lets others run meanwhile.
pub(crate) fn on<T>(act: impl FnOnce(&mut Stage) -> T) -> T {
    STAGE.with_borrow_mut(|stage| act(stage.as_mut().expect("a simulation runs on this thread")))
}

impl Stage {
    pub(crate) fn new(chance: Chance, faults: Faults, is_verbose: bool) -> Self {
        Self {
            now: Duration::ZERO,
            wall_start: WALL_START,
            chance,
            trace: 0,
            steps: 0,
            actors: Vec::new(),
            live: Vec::new(),
            current: None,
            spawned: Vec::new(),
            instances: Vec::new(),
            faults,
            watch: None,
            graveyard: Vec::new(),
            ids: BTreeMap::new(),
            failure: None,
            is_verbose,
        }
    }

    pub(crate) fn note(&mut self, what: u64) {
        let mixed = (self.trace ^ what).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.trace = mixed ^ (mixed >> 32);
    }

    pub(crate) fn fail(&mut self, reason: String) {
        self.failure.get_or_insert(reason);
    }

    /// Says what happens, where somebody wants to read it.
    pub(crate) fn tell(&self, text: impl FnOnce() -> String) {
        if self.is_verbose {
            eprintln!("{:>10.4} {}", self.now.as_secs_f64(), text());
        }
    }

    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.actors.get(self.current?)
    }

    /// The log has changed: who waits for that goes on soon.
    pub(crate) fn log_changed(&mut self) {
        for &id in &self.live {
            let actor = &mut self.actors[id];
            if actor.wake == Wake::Log {
                let soon = self.now + Duration::from_micros(100 + self.chance.below(2_000));
                actor.due = actor.due.min(soon);
                actor.wake = Wake::Nothing;
            }
        }
    }

    /// Begins an actor.
    pub(crate) fn spawn(&mut self, instance: usize, name: String, body: Body) -> usize {
        let id = self.actors.len();
        let due = self.now + Duration::from_micros(self.chance.below(500));
        self.actors.push(Actor { name, instance, due, wake: Wake::Nothing, is_over: false });
        self.live.push(id);
        self.spawned.push((id, body));
        id
    }

    /// Who goes on now; `None` when the time must move on first.
    pub(crate) fn pick(&mut self) -> Option<usize> {
        let may = |id: &usize| {
            let actor = &self.actors[*id];
            let instance = &self.instances[actor.instance];
            actor.due <= self.now && instance.frozen_until <= self.now && !instance.is_dead
        };
        let count = self.live.iter().filter(|id| may(id)).count();
        let place = if count > 1 { self.chance.place(count) } else { 0 };
        let may = |id: &usize| {
            let actor = &self.actors[*id];
            let instance = &self.instances[actor.instance];
            actor.due <= self.now && instance.frozen_until <= self.now && !instance.is_dead
        };
        self.live.iter().copied().filter(|id| may(id)).nth(place)
    }

    /// When the next actor is due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let due = |id: &usize| {
            let actor = &self.actors[*id];
            actor.due.max(self.instances[actor.instance].frozen_until)
        };
        self.live.iter().map(due).min()
    }

    /// An actor has run: those of its instance that wait for what it may have done look again.
    pub(crate) fn has_run(&mut self, ran: usize) {
        let Actor { instance, wake, .. } = self.actors[ran];
        if wake == Wake::PeersAgain {
            return;
        }
        for &id in &self.live {
            let actor = &mut self.actors[id];
            let waits = matches!(actor.wake, Wake::Peers | Wake::PeersAgain);
            if id != ran && waits && actor.instance == instance {
                actor.due = actor.due.min(self.now);
            }
        }
    }
}

/// Rests until the time has come, or what is waited for.
pub(crate) fn rest(until: Duration, wake: Wake) {
    if std::thread::panicking() {
        return;
    }
    on(|stage| {
        if let Some(id) = stage.current {
            let actor = &mut stage.actors[id];
            (actor.due, actor.wake) = (until, wake);
        }
    });
    fiber::pause();
}

/// A call to the log: others run, time passes, and the seed says what becomes of the call.
pub(crate) fn call(call: Call, is_after: bool) -> Fate {
    if std::thread::panicking() {
        return Fate::Done;
    }
    let is_held = matches!(call, Call::Send | Call::GroupPoll);
    let fate = on(|stage| {
        let Some(id) = stage.current else { return Fate::Done };
        stage.steps += 1;
        let fate = if is_after { Fate::Done } else { Faults::fate(stage, call) };
        stage.note((stage.now.as_nanos() as u64) << 16 ^ (id as u64) << 8 ^ (call as u64) << 3 ^ fate as u64);
        if is_held {
            return fate;
        }
        let pause = Faults::pause(stage, call, fate);
        let actor = &mut stage.actors[id];
        (actor.due, actor.wake) = (stage.now + pause, Wake::Nothing);
        spring(stage, call, is_after);
        fate
    });
    if !is_held {
        fiber::pause();
    }
    fate
}

/// Kills the instance if this is the call it was to be killed at.
fn spring(stage: &mut Stage, call: Call, is_after: bool) {
    let Some(instance) = stage.actor().map(|actor| actor.instance) else { return };
    let instance = &mut stage.instances[instance];
    let Some(trap) = &mut instance.trap else { return };
    if trap.call != call || trap.after != is_after {
        return;
    }
    if trap.skip > 0 {
        trap.skip -= 1;
        return;
    }
    instance.is_dead = true;
    instance.trap = None;
    stage.faults.count("crash at a call");
    stage.tell(|| format!("killed {} {call:?}", if is_after { "after" } else { "before" }));
}
