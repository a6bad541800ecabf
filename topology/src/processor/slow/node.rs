//! The node that hands records to a desk and forwards what comes back, on its task's thread. Knows the order of results,
//! timeouts and attempts; must not know who does the work.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::completion::{Completion, Done, Mailbox, guarded};
use super::desk_work::Errand;
use super::policy::{AsyncOrder, Policy};
use super::unfinished::Origin;
use super::workplace::{Desk, Terms, Work};
use crate::error::ProcessError;
use crate::processor::arena::Hop;
use crate::processor::env::Env;
use crate::processor::node::{Node, take};
use crate::processor::policy::ErrorPolicy;
use crate::record::{Headers, Record};
use crate::time::Timestamp;

/// Begins a call that is completed elsewhere.
pub(crate) type Begin<K, V, VO> = Arc<dyn Fn(Record<K, V>, Completion<VO>) + Send + Sync>;

/// How a record gets to whoever works on it.
pub(crate) enum Way<K, V, VO> {
    /// Its piece is left at the desk.
    Desk(Work),
    /// The task's own thread begins the call.
    Direct(Begin<K, V, VO>),
}

impl<K, V, VO> Clone for Way<K, V, VO> {
    fn clone(&self) -> Self {
        match self {
            Self::Desk(work) => Self::Desk(Arc::clone(work)),
            Self::Direct(begin) => Self::Direct(Arc::clone(begin)),
        }
    }
}

/// An attempt took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("the call has not ended within {0:?}; raise its timeout, or look why it takes so long")]
struct TimedOut(Duration);

/// How far the work on a record is.
enum Phase<VO> {
    /// It waits for a place.
    Waiting,
    Running {
        since: Duration,
    },
    /// The last attempt failed, and the next one is not yet due.
    Resting {
        until: Duration,
    },
    Over(Result<VO, ProcessError>),
}

/// A record that is unfinished here.
struct Slot<K, V, VO> {
    key: K,
    /// Until its last attempt has begun.
    value: Option<V>,
    timestamp: Timestamp,
    headers: Headers,
    origin: Origin,
    lane: u64,
    /// Attempts begun so far.
    attempt: u32,
    phase: Phase<VO>,
}

struct Meters {
    seconds: metrics::Histogram,
    retries: metrics::Counter,
    timeouts: metrics::Counter,
}

/// See the module.
pub(crate) struct SlowNode<K, V, VO> {
    name: Arc<str>,
    terms: Terms,
    policy: Policy,
    way: Way<K, V, VO>,
    /// Records whose numbers are equal go on in their order; by [`AsyncOrder::Key`] alone.
    lane_of: fn(&K) -> u64,
    mailbox: Arc<Mailbox<VO>>,
    /// Set up when the task begins.
    desk: Option<Arc<dyn Desk>>,
    meters: Option<Meters>,
    slots: BTreeMap<u64, Slot<K, V, VO>>,
    next: u64,
    /// Those that wait for a place.
    waiting: VecDeque<u64>,
    /// Those whose work is over, until they may go on.
    over: VecDeque<u64>,
    /// The unfinished records of each lane, in their order.
    lanes: BTreeMap<u64, VecDeque<u64>>,
    /// Nothing is due by time before this.
    next_due: Duration,
    is_full: bool,
}

impl<K, V, VO> SlowNode<K, V, VO>
where
    K: Clone + Send + 'static,
    V: Clone + Send + 'static,
    VO: Clone + Send + 'static,
{
    pub(crate) fn new(
        name: Arc<str>,
        terms: Terms,
        policy: Policy,
        way: Way<K, V, VO>,
        lane_of: fn(&K) -> u64,
    ) -> Self {
        Self {
            name,
            terms,
            policy,
            way,
            lane_of,
            mailbox: Arc::default(),
            desk: None,
            meters: None,
            slots: BTreeMap::new(),
            next: 0,
            waiting: VecDeque::new(),
            over: VecDeque::new(),
            lanes: BTreeMap::new(),
            next_due: Duration::MAX,
            is_full: false,
        }
    }

    /// Begins what there are places for.
    fn begin_waiting(&mut self, now: Duration) {
        let desk = Arc::clone(self.desk.as_ref().expect("a task's nodes are begun before its first record"));
        while let Some(&number) = self.waiting.front() {
            let Some(place) = desk.places().take() else { return };
            self.waiting.pop_front();
            let slot = self.slots.get_mut(&number).expect("what waits is unfinished");
            slot.attempt += 1;
            slot.phase = Phase::Running { since: now };
            if let Some(timeout) = self.policy.timeout {
                self.next_due = self.next_due.min(now + timeout);
            }
            let is_last = slot.attempt >= self.policy.retry.attempts_max;
            let value = if is_last { slot.value.take() } else { slot.value.clone() };
            let record = Record {
                key: slot.key.clone(),
                value: value.expect("it is kept until the last attempt"),
                timestamp: slot.timestamp,
                headers: slot.headers.clone(),
            };
            let done = Completion::new(&self.mailbox, number, slot.attempt, place);
            match &self.way {
                Way::Desk(_) => desk.submit(Box::new(Errand { record, done })),
                Way::Direct(begin) => {
                    // What is dropped in a panic tells that there is no result; the panic itself says more.
                    let begun = guarded(|| {
                        begin(record, done);
                        Ok(())
                    });
                    if let Err(error) = begun {
                        let attempt = self.slots[&number].attempt;
                        self.ended(Done { number, attempt, result: Err(error) }, now);
                    }
                }
            }
        }
    }

    /// Takes in what came of an attempt; of one that was given up long ago nothing more is wanted.
    fn ended(&mut self, done: Done<VO>, now: Duration) {
        let Some(slot) = self.slots.get_mut(&done.number) else { return };
        let Phase::Running { since } = slot.phase else { return };
        if slot.attempt != done.attempt {
            return;
        }
        if let Some(meters) = &self.meters {
            meters.seconds.record(now.saturating_sub(since));
        }
        match done.result {
            Err(error) if slot.attempt < self.policy.retry.attempts_max => {
                let until = now + self.policy.retry.wait_after(slot.attempt);
                tracing::debug!(node = %self.name, attempt = slot.attempt, %error, "a slow call is tried again");
                slot.phase = Phase::Resting { until };
                self.next_due = self.next_due.min(until);
                if let Some(meters) = &self.meters {
                    meters.retries.increment(1);
                }
            }
            result => {
                slot.phase = Phase::Over(result);
                self.over.push_back(done.number);
            }
        }
    }

    /// Gives up attempts that take too long, and lets those try again that have waited long enough.
    fn look_at_times(&mut self, now: Duration) {
        if now < self.next_due {
            return;
        }
        self.next_due = Duration::MAX;
        let mut late = Vec::new();
        for (&number, slot) in &mut self.slots {
            let due = match (&slot.phase, self.policy.timeout) {
                (Phase::Running { since }, Some(timeout)) => *since + timeout,
                (Phase::Resting { until }, _) => *until,
                _ => continue,
            };
            if due > now {
                self.next_due = self.next_due.min(due);
            } else if let Phase::Resting { .. } = slot.phase {
                slot.phase = Phase::Waiting;
                self.waiting.push_back(number);
            } else {
                late.push((number, slot.attempt));
            }
        }
        for (number, attempt) in late {
            if let Some(meters) = &self.meters {
                meters.timeouts.increment(1);
            }
            let result = Err(TimedOut(self.policy.timeout.unwrap_or_default()).into());
            self.ended(Done { number, attempt, result }, now);
        }
    }

    /// The next record that may go on.
    fn next_to_go(&mut self, order: AsyncOrder) -> Option<u64> {
        match order {
            AsyncOrder::None => self.over.pop_front(),
            AsyncOrder::Partition => {
                self.over.clear();
                let (&number, slot) = self.slots.first_key_value()?;
                matches!(slot.phase, Phase::Over(_)).then_some(number)
            }
            AsyncOrder::Key => loop {
                // The lane of what has just ended, for as long as its head is over.
                let lane = self.slots.get(self.over.front()?).map(|slot| slot.lane);
                let head = lane.and_then(|lane| self.lanes.get(&lane)?.front().copied());
                match head {
                    Some(head) if matches!(self.slots[&head].phase, Phase::Over(_)) => return Some(head),
                    _ => drop(self.over.pop_front()),
                }
            },
        }
    }

    /// Forwards a record's result, or asks the handler about its error.
    fn go_on(
        &mut self,
        number: u64,
        errors: Option<&ErrorPolicy>,
        hop: &mut Hop<'_>,
    ) -> Result<(), ProcessError> {
        let slot = self.slots.remove(&number).expect("it was found among the unfinished");
        if let Some(lane) = self.lanes.get_mut(&slot.lane) {
            lane.pop_front();
            match lane.front() {
                // It may have waited for this one alone.
                Some(&next) => self.over.push_front(next),
                None => drop(self.lanes.remove(&slot.lane)),
            }
        }
        let Slot { key, timestamp, headers, origin, phase: Phase::Over(result), .. } = slot else {
            unreachable!("only what is over goes on");
        };
        let before = hop.env.current();
        hop.env.set_origin(origin);
        let outcome = match result {
            Ok(value) => hop.pass(&mut Some(Record { key, value, timestamp, headers })),
            Err(mut error) => {
                error.name_node(&self.name);
                // Its tries are over: what is said about others is not waited for.
                let failures = std::mem::replace(&mut hop.env.failures, u32::MAX);
                let outcome = hop.env.skip(error, errors).map_err(ProcessError::without_retry);
                hop.env.failures = failures;
                outcome
            }
        };
        let dead = hop.env.dead_letter.take();
        hop.env.unfinished.finish(origin, dead);
        hop.env.set_origin(before);
        outcome
    }

    fn show_room(&mut self, env: &mut Env) {
        let is_full = self.slots.len() >= self.policy.room;
        if is_full != self.is_full {
            self.is_full = is_full;
            env.unfinished.became_full(is_full);
        }
    }
}

impl<K, V, VO> Node for SlowNode<K, V, VO>
where
    K: Clone + Send + 'static,
    V: Clone + Send + 'static,
    VO: Clone + Send + 'static,
{
    fn init(&mut self, hop: Hop<'_>) -> Result<(), ProcessError> {
        let nobody: Work = Arc::new(|_| {});
        let work = match &self.way {
            Way::Desk(work) => work,
            Way::Direct(_) => &nobody,
        };
        let node = hop.node();
        self.desk = Some(hop.env.unfinished.workplace.desk(&self.name, self.terms, work));
        hop.env.unfinished.add_node(node);
        let label = [("node", self.name.to_string())];
        self.meters = Some(Meters {
            seconds: metrics::histogram!("candlewick_slow_seconds", &label),
            retries: metrics::counter!("candlewick_slow_retries_total", &label),
            timeouts: metrics::counter!("candlewick_slow_timeouts_total", &label),
        });
        Ok(())
    }

    fn process(&mut self, slot: &mut dyn Any, hop: Hop<'_>) -> Result<(), ProcessError> {
        let Record { key, value, timestamp, headers } = take::<K, V>(slot);
        let (number, origin, lane) = (self.next, hop.env.current(), (self.lane_of)(&key));
        self.next += 1;
        hop.env.unfinished.begin(origin);
        if self.policy.order == AsyncOrder::Key {
            self.lanes.entry(lane).or_default().push_back(number);
        }
        let (value, phase) = (Some(value), Phase::Waiting);
        self.slots.insert(number, Slot { key, value, timestamp, headers, origin, lane, attempt: 0, phase });
        self.waiting.push_back(number);
        self.begin_waiting(hop.env.unfinished.workplace.now());
        self.show_room(hop.env);
        Ok(())
    }

    fn pump(&mut self, errors: Option<&ErrorPolicy>, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        if self.slots.is_empty() {
            return Ok(());
        }
        let now = hop.env.unfinished.workplace.now();
        if let Some(desk) = &self.desk {
            desk.settle();
        }
        for done in self.mailbox.take() {
            self.ended(done, now);
        }
        self.look_at_times(now);
        self.begin_waiting(now);
        let order = match hop.env.unfinished.workplace.is_orderly() {
            true => AsyncOrder::Partition,
            false => self.policy.order,
        };
        while let Some(number) = self.next_to_go(order) {
            let outcome = self.go_on(number, errors, &mut hop);
            self.show_room(hop.env);
            outcome?;
        }
        Ok(())
    }
}
