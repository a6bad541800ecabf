//! One group's members: sessions, generations, and partitions that change hands only after the old owner has said so.
//! Must not know offsets, files or threads.
//!
//! A partition is held by a member from the moment its `Assigned` is queued until the poll after its `Revoked` was
//! delivered (or until the member is lost). It is given to nobody else in between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::balance::balance;
use crate::client::GroupEvent;
use crate::record::Partition;

/// A live member.
#[derive(Debug)]
struct Member {
    topic: Arc<str>,
    last_seen: Duration,
    session_timeout: Duration,
    /// It waits inside of a poll, which is as good as a heartbeat.
    is_polling: bool,
    target: BTreeSet<i32>,
    /// Held, and not being taken away.
    owned: BTreeSet<i32>,
    /// Being taken away: its `Revoked` is queued, or delivered and not yet answered.
    leaving: BTreeSet<i32>,
    /// Those of `leaving` whose `Revoked` was delivered.
    told: BTreeSet<i32>,
    events: VecDeque<GroupEvent>,
}

/// The members of a group.
#[derive(Debug, Default)]
pub(super) struct Members {
    live: BTreeMap<Arc<str>, Member>,
    /// Partitions that members who were removed still hold to their own mind, until they poll.
    lost: BTreeMap<Arc<str>, BTreeSet<i32>>,
    partitions: BTreeMap<Arc<str>, i32>,
    pub(super) generation: i32,
}

impl Members {
    /// A group without members that has come to this generation.
    pub(super) fn at(generation: i32) -> Self {
        Self { generation, ..Self::default() }
    }

    /// Adds a member; the generation rises.
    pub(super) fn join(&mut self, id: Arc<str>, topic: Arc<str>, session_timeout: Duration, now: Duration) {
        let member = Member {
            topic,
            last_seen: now,
            session_timeout,
            is_polling: false,
            target: BTreeSet::new(),
            owned: BTreeSet::new(),
            leaving: BTreeSet::new(),
            told: BTreeSet::new(),
            events: VecDeque::new(),
        };
        self.live.insert(id, member);
        self.rebalance();
    }

    /// Removes a member in good order.
    pub(super) fn leave(&mut self, id: &str) {
        self.lost.remove(id);
        if self.live.remove(id).is_some() {
            self.rebalance();
        }
    }

    /// Removes members that were silent for too long; answers whether there were any.
    pub(super) fn expire(&mut self, now: Duration) -> bool {
        let is_silent = |member: &Member| {
            !member.is_polling && now.saturating_sub(member.last_seen) > member.session_timeout
        };
        let silent: Vec<Arc<str>> =
            self.live.iter().filter(|(_, member)| is_silent(member)).map(|(id, _)| Arc::clone(id)).collect();
        for id in &silent {
            if let Some(member) = self.live.remove(id) {
                let held = member.owned.union(&member.leaving).copied().collect();
                self.lost.insert(Arc::clone(id), held);
            }
        }
        if !silent.is_empty() {
            self.rebalance();
        }
        !silent.is_empty()
    }

    /// Says how many partitions a topic has; a change is a rebalance. Answers whether there was one.
    pub(super) fn set_partitions(&mut self, topic: &Arc<str>, count: i32) -> bool {
        if self.partitions.get(topic).copied().unwrap_or(0) == count {
            return false;
        }
        self.partitions.insert(Arc::clone(topic), count);
        self.rebalance();
        true
    }

    /// A member polls: answers what it was told before, and takes what is queued. `None` when it is not a member.
    pub(super) fn poll(&mut self, id: &str, now: Duration) -> Option<Vec<GroupEvent>> {
        let member = self.live.get_mut(id)?;
        member.last_seen = now;
        let told = std::mem::take(&mut member.told);
        member.leaving.retain(|partition| !told.contains(partition));
        if !told.is_empty() {
            self.hand_out();
        }
        self.take_events(id)
    }

    /// Says whether a member waits inside of a poll from now on.
    pub(super) fn set_polling(&mut self, id: &str, is_polling: bool, now: Duration) {
        if let Some(member) = self.live.get_mut(id) {
            member.is_polling = is_polling;
            member.last_seen = now;
        }
    }

    /// What is queued for a member, which has been told of it now.
    fn take_events(&mut self, id: &str) -> Option<Vec<GroupEvent>> {
        let member = self.live.get_mut(id)?;
        let events: Vec<GroupEvent> = member.events.drain(..).collect();
        for event in &events {
            if let GroupEvent::Revoked(partitions) = event {
                member.told.extend(partitions.iter().map(|partition| partition.0));
            }
        }
        Some(events)
    }

    /// What a member that was removed lost, once.
    pub(super) fn take_lost(&mut self, id: &str) -> Option<Vec<Partition>> {
        self.lost.remove(id).map(|held| held.into_iter().map(Partition).collect())
    }

    /// Why `id` may not speak for the group now; `None` when it may.
    pub(super) fn objection(&self, id: &str, generation: i32) -> Option<String> {
        if id.is_empty() && generation < 0 {
            let is_empty = self.live.is_empty();
            return (!is_empty)
                .then(|| "the group has members, and the committer is none of them".to_owned());
        }
        if !self.live.contains_key(id) {
            return Some(format!("{id:?} is not a member of the group any more"));
        }
        (generation != self.generation)
            .then(|| format!("generation {generation} is over, the group is at {}", self.generation))
    }

    /// Whether something is queued for this member.
    pub(super) fn has_events(&self, id: &str) -> bool {
        self.live.get(id).is_some_and(|member| !member.events.is_empty())
    }

    /// Whether `id` is a member.
    pub(super) fn is_live(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    /// The members' ids.
    pub(super) fn ids(&self) -> Vec<String> {
        self.live.keys().map(ToString::to_string).collect()
    }

    fn rebalance(&mut self) {
        self.generation += 1;
        let topics: BTreeSet<Arc<str>> = self.live.values().map(|member| Arc::clone(&member.topic)).collect();
        for topic in topics {
            let current: BTreeMap<Arc<str>, BTreeSet<i32>> = self
                .live
                .iter()
                .filter(|(_, member)| member.topic == topic)
                .map(|(id, member)| (Arc::clone(id), member.target.clone()))
                .collect();
            let count = self.partitions.get(&topic).copied().unwrap_or(0);
            for (id, target) in balance(count, &current) {
                self.live.get_mut(&id).expect("only live members were balanced").target = target;
            }
        }
        self.hand_out();
    }

    /// Queues what differs between targets and what is held, as far as partitions are free.
    fn hand_out(&mut self) {
        for member in self.live.values_mut() {
            let gone: BTreeSet<i32> = member.owned.difference(&member.target).copied().collect();
            if !gone.is_empty() {
                member.owned.retain(|partition| !gone.contains(partition));
                member.events.push_back(GroupEvent::Revoked(gone.iter().copied().map(Partition).collect()));
                member.leaving.extend(gone);
            }
        }
        let mut held: BTreeSet<(Arc<str>, i32)> = BTreeSet::new();
        for member in self.live.values() {
            let all = member.owned.iter().chain(&member.leaving);
            held.extend(all.map(|partition| (Arc::clone(&member.topic), *partition)));
        }
        for member in self.live.values_mut() {
            let is_free = |partition: &i32| !held.contains(&(Arc::clone(&member.topic), *partition));
            let fresh: BTreeSet<i32> =
                member.target.difference(&member.owned).copied().filter(is_free).collect();
            if !fresh.is_empty() {
                member.events.push_back(GroupEvent::Assigned(fresh.iter().copied().map(Partition).collect()));
                member.owned.extend(fresh);
            }
        }
    }
}
