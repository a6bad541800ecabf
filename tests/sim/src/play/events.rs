//! What happens to instances, to the log and to the clock, when it is due.

use std::time::Duration;

use candlewick::Headers;
use candlewick::client::{Log, OutgoingRecord, ProducerSettings};

use super::{Play, TRAPPED_MAX};
use crate::setup::Event;
use crate::stage::{Stage, Trap, on};
use crate::work::FACTS;

impl Play {
    pub(super) fn schedule(&mut self, at: Duration, event: Event) {
        let place = self.setup.events.partition_point(|(other, _)| *other > at);
        self.setup.events.insert(place, (at, event));
    }

    /// Everything that is due.
    pub(super) fn happen(&mut self) {
        while let Some((at, event)) = self.setup.events.last().copied() {
            if at > on(|stage| stage.now) {
                return;
            }
            self.setup.events.pop();
            self.strike(event);
        }
    }

    /// The instance in a slot, or another one.
    pub(super) fn victim(&self, slot: usize) -> Option<usize> {
        (0..self.setup.slots).find_map(|n| Self::in_slot((slot + n) % self.setup.slots))
    }

    /// The instance that runs in a slot.
    pub(super) fn in_slot(slot: usize) -> Option<usize> {
        on(|stage| stage.instances.iter().position(|instance| instance.slot == Some(slot)))
    }

    pub(super) fn strike(&mut self, event: Event) {
        let is_calm = on(|stage| stage.now >= stage.faults.until);
        match event {
            Event::Start(slot) => self.start(slot),
            Event::Feed => self.feed(),
            Event::Look => self.look(),
            _ if is_calm => {}
            Event::Crash(slot, trap) => self.crash_at(slot, trap),
            Event::CrashLate(instance, slot) => self.crash_late(instance, slot),
            Event::Stop(slot) => {
                let Some(instance) = Self::in_slot(slot) else { return };
                on(|stage| {
                    stage.instances[instance].is_told_to_stop = true;
                    stage.faults.count("stop and start again");
                });
            }
            Event::Freeze(slot, length) => {
                let Some(instance) = Self::in_slot(slot) else { return };
                let session = Duration::from_millis(self.setup.config.session_timeout_ms);
                on(|stage| {
                    stage.instances[instance].frozen_until = stage.now + length;
                    let is_long = length > session;
                    stage.faults.count(if is_long { "frozen beyond its session" } else { "frozen" });
                    stage.tell(|| format!("instance {instance} frozen for {length:?}"));
                });
            }
            Event::Jump(length) => {
                // What was to come still comes; only the instances and the log find that time has passed.
                self.setup.events.iter_mut().for_each(|(at, _)| *at += length);
                on(|stage| {
                    stage.now += length;
                    stage.faults.until += length;
                    stage.faults.count("clock jump");
                    stage.tell(|| format!("the clock jumped by {length:?}"));
                });
            }
            Event::Fence => self.fence(),
            Event::Away(length) => on(|stage| {
                stage.faults.away_until = stage.now + length;
                stage.tell(|| format!("the log is away for {length:?}"));
            }),
            Event::CopyFolder(slot) => self.copy_folder(slot),
        }
    }

    /// Kills whoever is in a slot, now or at a call.
    fn crash_at(&mut self, slot: usize, trap: Option<Trap>) {
        let Some(instance) = self.victim(slot) else {
            // All are down: somebody will be up soon.
            let soon = Self::not_before(Duration::from_millis(100));
            return self.schedule(soon, Event::Crash(slot, trap));
        };
        let Some(trap) = trap else { return self.crash(instance) };
        on(|stage| stage.instances[instance].trap = Some(trap));
        let late = Self::not_before(TRAPPED_MAX);
        self.schedule(late, Event::CrashLate(instance, slot));
    }

    /// The call that an instance was to be killed at did not come, or not from this instance.
    fn crash_late(&mut self, instance: usize, slot: usize) {
        let (is_set, runs) = on(|stage| {
            let instance = &stage.instances[instance];
            (instance.trap.is_some(), instance.slot.is_some())
        });
        if is_set && runs {
            self.crash(instance);
        } else if is_set {
            self.crash_at(slot, None);
        }
    }

    /// The time when so much has passed; faults go on until then.
    fn not_before(length: Duration) -> Duration {
        on(|stage| {
            let at = stage.now + length;
            stage.faults.until = stage.faults.until.max(at + Duration::from_millis(1));
            at
        })
    }

    pub(super) fn crash(&mut self, instance: usize) {
        if on(|stage| stage.instances[instance].slot.is_none()) {
            return;
        }
        on(|stage| {
            stage.instances[instance].trap = None;
            stage.faults.count("crash");
            stage.tell(|| format!("instance {instance} killed"));
        });
        self.kill(instance);
        self.after_end(instance, Err("killed".to_owned()));
    }

    /// Somebody else takes a transactional id for its own.
    pub(super) fn fence(&mut self) {
        let id = on(|stage| {
            let live = stage.ids.iter().filter(|(_, of)| stage.instances[**of].slot.is_some());
            let ids: Vec<String> = live.map(|(id, _)| id.clone()).collect();
            if ids.is_empty() { None } else { Some(ids[stage.chance.place(ids.len())].clone()) }
        });
        let Some(id) = id else { return };
        let settings = ProducerSettings { transactional_id: Some(id.clone()), ..ProducerSettings::default() };
        let mut producer = self.log.producer(&settings).expect("a client at once");
        producer.init_transactions(Duration::ZERO).expect("a log in memory does not fail");
        on(|stage| {
            stage.log_changed();
            stage.faults.count("fenced by a stranger");
            stage.tell(|| format!("{id} fenced"));
        });
    }

    /// What has to be there before anybody starts.
    pub(super) fn feed_facts(&mut self) {
        let count = self.setup.inputs.iter().take_while(|input| input.topic == FACTS).count();
        self.write(count);
    }

    fn feed(&mut self) {
        let left = self.setup.inputs.len() - self.fed;
        let count = left.div_ceil(self.feeds_left.max(1));
        self.feeds_left = self.feeds_left.saturating_sub(1);
        self.write(count);
    }

    /// Writes so many records of the input.
    fn write(&mut self, count: usize) {
        for input in &self.setup.inputs[self.fed..self.fed + count] {
            let topic = self.producer.topic(input.topic).expect("it was created");
            let record = OutgoingRecord {
                topic,
                partition: input.partition,
                key: Some(input.key.as_bytes()),
                value: Some(input.value.as_bytes()),
                headers: &Headers::default(),
                timestamp: input.time,
            };
            self.producer.send(record).expect("the queue has room");
        }
        self.fed += count;
        self.producer.flush(Duration::ZERO).expect("a log in memory does not fail");
        on(Stage::log_changed);
    }
}
