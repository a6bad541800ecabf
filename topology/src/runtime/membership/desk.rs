//! A member's own affairs: what it is to the others, what it holds, and what it says about that. Pure state over the two
//! machines of [`holding`](super::holding); the control thread carries its words out. Knows threads by number only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::holding::{Holding, Standing, StandingEvent, TaskAction, TaskEvent};
use super::records::{Announcement, Incarnation, Phase};
use super::view::View;
use crate::record::TaskId;

/// One grant of one task to one thread. What belongs to an earlier grant is told apart by the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) task: TaskId,
    pub(crate) ticket: u64,
    /// The losses of membership before it: [`Gate::metadata`](super::Gate::metadata) lets nothing pass that has another
    /// count than the present.
    pub(crate) losses: u64,
}

/// What a thread is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Start,
    Revoke,
    Lose,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    holding: Holding,
    grant: Grant,
    thread: usize,
    /// Since when it is being given up.
    asked: Option<Duration>,
    /// The thread of this instance that it goes to.
    moves: Option<usize>,
}

/// How often it is told how far copies are that are not near yet.
const TELL_COPIES_AFTER: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct Desk {
    /// What stays the same in every announcement.
    profile: Announcement,
    standing: Standing,
    held: BTreeMap<TaskId, Held>,
    threads: Vec<bool>,
    /// New threads of which the others have not heard yet.
    hired: BTreeSet<usize>,
    /// Threads that are to end when their tasks are with others.
    retired: BTreeSet<usize>,
    tickets: u64,
    /// What is said differs from what was said last.
    is_news: bool,
    /// When it was said last how far the copies are.
    told_copies: Duration,
}

impl Desk {
    pub(crate) fn new(profile: Announcement) -> Self {
        let threads = vec![true; profile.threads];
        let (standing, held) = (Standing::default(), BTreeMap::new());
        let (hired, retired, told_copies) = (BTreeSet::new(), BTreeSet::new(), Duration::ZERO);
        let (tickets, is_news) = (0, false);
        Self { profile, standing, held, threads, hired, retired, tickets, is_news, told_copies }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    fn on(&mut self, event: StandingEvent) {
        let (standing, is_news) = self.standing.on(event);
        self.standing = standing;
        self.is_news |= is_news;
    }

    /// The group has this member, under this id; whether that is news.
    pub(crate) fn joined(&mut self, member: &str, losses: u64) -> bool {
        let is_news = self.standing == Standing::Outside;
        if is_news {
            member.clone_into(&mut self.profile.incarnation.member);
            self.profile.incarnation.count = losses;
            self.on(StandingEvent::Joined);
        }
        is_news
    }

    /// The group has lost this member: everything is given up.
    pub(crate) fn lost(&mut self, now: Duration) -> Vec<(usize, Word, Grant)> {
        self.on(StandingEvent::Lost);
        let tasks: Vec<TaskId> = self.held.keys().copied().collect();
        let words = tasks.into_iter().filter_map(|task| self.task(task, TaskEvent::Lost, now)).collect();
        self.settle_loss();
        words
    }

    pub(crate) fn stopped(&mut self) {
        self.on(StandingEvent::Stopped);
    }

    /// A row was read.
    pub(crate) fn row(&mut self, task: TaskId, view: &View, now: Duration) -> Option<(usize, Word, Grant)> {
        let event = match view.table.get(&task) {
            Some(row) if row.owner.incarnation == self.profile.incarnation => match row.phase {
                Phase::Granted if self.standing == Standing::Member => TaskEvent::Granted,
                Phase::Granted => return None,
                Phase::Revoking => TaskEvent::Revoked,
            },
            Some(_) | None => TaskEvent::Elsewhere,
        };
        // Asked for what it does not have, it says so.
        self.is_news |= event == TaskEvent::Revoked && !self.held.contains_key(&task);
        self.task(task, event, now)
    }

    /// A thread has given a task up. Nothing of it is open any more.
    pub(crate) fn given_up(&mut self, grant: Grant) -> Option<(usize, Word, Grant)> {
        let held = self.held.get_mut(&grant.task).filter(|held| held.grant.ticket == grant.ticket)?;
        if let (Some(thread), Holding::Held) = (held.moves, held.holding) {
            self.held.remove(&grant.task);
            // The thread that it was to go to may be about to end by now.
            let thread = if self.threads[thread] { thread } else { self.lightest(grant.task) };
            return Some(self.start(grant.task, thread));
        }
        if held.holding.on(TaskEvent::GivenUp).0 == Holding::None {
            self.held.remove(&grant.task);
            self.is_news = true;
            self.settle_loss();
        }
        None
    }

    /// Everything is given up: the threads have ended.
    pub(crate) fn all_given_up(&mut self) {
        self.held.clear();
    }

    /// The instance fails: whatever its threads still can give up in good order, they shall.
    pub(crate) fn revoke_all(&mut self, now: Duration) -> Vec<(usize, Word, Grant)> {
        self.on(StandingEvent::Stopped);
        let tasks: Vec<TaskId> = self.held.keys().copied().collect();
        tasks.into_iter().filter_map(|task| self.task(task, TaskEvent::Revoked, now)).collect()
    }

    /// Whether a thread that runs has a task.
    pub(crate) fn is_busy(&self) -> bool {
        self.held.values().any(|held| self.threads[held.thread])
    }

    /// A thread has ended; it gets no more tasks. What it had, nobody gives up.
    pub(crate) fn thread_ended(&mut self, thread: usize) {
        if let Some(runs) = self.threads.get_mut(thread) {
            *runs = false;
        }
    }

    /// A thread begins, which writes under this transactional id. It gets tasks when that has been heard.
    pub(crate) fn hire(&mut self, thread: usize, id: Option<String>) {
        if self.threads.len() <= thread {
            self.threads.resize(thread + 1, false);
        }
        self.hired.insert(thread);
        self.profile.threads += 1;
        let ids = &mut self.profile.transactional_ids;
        ids.extend(id.filter(|id| !ids.contains(id)));
        self.is_news = true;
    }

    /// What this instance has said stands in the control topic.
    pub(crate) fn heard(&mut self, said: &Announcement) {
        if said.transactional_ids == self.profile.transactional_ids && said.threads == self.profile.threads {
            for thread in std::mem::take(&mut self.hired) {
                self.threads[thread] = true;
            }
        }
    }

    /// A thread is to end: it gets no more tasks, and those it has go to others.
    pub(crate) fn retire(&mut self, thread: usize) {
        self.hired.remove(&thread);
        self.threads[thread] = false;
        self.retired.insert(thread);
        self.profile.threads -= 1;
        self.is_news = true;
    }

    /// The tasks of threads that are to end, as far as nothing else happens to them.
    pub(crate) fn empty_retired(&mut self, now: Duration) -> Vec<(usize, Word, Grant)> {
        let mut words = Vec::new();
        if self.retired.is_empty() || self.standing != Standing::Member {
            return words;
        }
        let tasks: Vec<TaskId> = self.held.keys().copied().collect();
        for task in tasks {
            let to = self.lightest(task);
            let Some(held) = self.held.get_mut(&task) else { continue };
            if self.retired.contains(&held.thread) && held.holding == Holding::Held && held.moves.is_none() {
                held.moves = Some(to);
                held.asked = Some(now);
                words.push((held.thread, Word::Revoke, held.grant));
            }
        }
        words
    }

    /// The threads that are to end and have nothing any more; each is told once.
    pub(crate) fn take_idle_retired(&mut self) -> Vec<usize> {
        let idle: Vec<usize> =
            self.retired.iter().copied().filter(|&thread| self.load(thread) == 0).collect();
        self.retired.retain(|thread| !idle.contains(thread));
        idle
    }

    fn settle_loss(&mut self) {
        if self.standing == Standing::Losing && self.held.is_empty() {
            self.on(StandingEvent::Emptied);
        }
    }

    fn task(&mut self, task: TaskId, event: TaskEvent, now: Duration) -> Option<(usize, Word, Grant)> {
        let before = self.held.get(&task).map_or(Holding::None, |held| held.holding);
        let (after, action) = before.on(event);
        if action == TaskAction::Start {
            return Some(self.start(task, self.lightest(task)));
        }
        let held = self.held.get_mut(&task)?;
        held.holding = after;
        let word = match action {
            TaskAction::Revoke => Word::Revoke,
            TaskAction::Lose => Word::Lose,
            TaskAction::Start | TaskAction::Nothing => return None,
        };
        held.asked.get_or_insert(now);
        Some((held.thread, word, held.grant))
    }

    fn start(&mut self, task: TaskId, thread: usize) -> (usize, Word, Grant) {
        self.tickets += 1;
        let grant = Grant { task, ticket: self.tickets, losses: self.profile.incarnation.count };
        let held = Held { holding: Holding::Held, grant, thread, asked: None, moves: None };
        self.held.insert(task, held);
        (thread, Word::Start, grant)
    }

    fn load(&self, thread: usize) -> usize {
        self.held.values().filter(|held| held.thread == thread).count()
    }

    fn lightest(&self, task: TaskId) -> usize {
        let alike = |thread: usize| {
            let of = |(other, held): &(&TaskId, &Held)| {
                held.thread == thread && other.sub_topology == task.sub_topology
            };
            self.held.iter().filter(of).count()
        };
        let running = (0..self.threads.len()).filter(|&thread| self.threads[thread]);
        running.min_by_key(|&thread| (alike(thread), self.load(thread))).unwrap_or(0)
    }

    /// A task to be moved from the fullest thread to the emptiest, when nothing else moves and they differ by more than
    /// one. No other instance needs to know.
    pub(crate) fn even_out(&mut self, now: Duration) -> Option<(usize, Word, Grant)> {
        let is_quiet = |held: &Held| held.holding == Holding::Held && held.moves.is_none();
        if self.standing != Standing::Member || !self.held.values().all(is_quiet) {
            return None;
        }
        let running = || (0..self.threads.len()).filter(|&thread| self.threads[thread]);
        let fullest = running().max_by_key(|&thread| self.load(thread))?;
        let emptiest = running().min_by_key(|&thread| self.load(thread))?;
        if self.load(fullest) < self.load(emptiest) + 2 {
            return None;
        }
        let held = self.held.values_mut().rev().find(|held| held.thread == fullest)?;
        // Where it goes is settled now: who is lightest by another measure when it comes may be who it came from.
        held.moves = Some(emptiest);
        held.asked = Some(now);
        Some((held.thread, Word::Revoke, held.grant))
    }

    /// A task that was to be given up before `since` and still is not.
    pub(crate) fn overdue(&self, since: Duration) -> Option<(TaskId, usize)> {
        let late = self.held.iter().find(|(_, held)| held.asked.is_some_and(|asked| asked < since));
        late.map(|(task, held)| (*task, held.thread))
    }

    /// How many tasks it has; nothing while one changes hands or membership is not settled.
    pub(crate) fn settled(&self) -> Option<usize> {
        let is_quiet = self.held.values().all(|held| held.holding == Holding::Held && held.moves.is_none());
        (self.standing == Standing::Member && is_quiet).then_some(self.held.len())
    }

    /// The copies of stores that are kept here, with how many records each is behind. What others would do anything about is
    /// said at once: which there are, and which are near. How far the others are is said once in a while.
    pub(crate) fn copies(&mut self, lags: &BTreeMap<TaskId, i64>, near: i64, now: Duration) {
        let said = &self.profile.copies;
        let is_told = |(task, lag): (&TaskId, &i64)| {
            said.get(&task.to_string()).is_some_and(|told| (*told <= near) == (*lag <= near))
        };
        let is_same = said.len() == lags.len() && lags.iter().all(is_told);
        let is_far = lags.values().any(|lag| *lag > near);
        if is_same && !(is_far && now.saturating_sub(self.told_copies) >= TELL_COPIES_AFTER) {
            return;
        }
        self.profile.copies = lags.iter().map(|(task, lag)| (task.to_string(), *lag)).collect();
        self.told_copies = now;
        self.is_news = true;
    }

    /// The tasks it may have something open for.
    pub(crate) fn held(&self) -> BTreeSet<TaskId> {
        self.held.keys().copied().collect()
    }

    /// What is to be said now, when it differs from before.
    pub(crate) fn news(&mut self, view: &View) -> Option<Announcement> {
        let speaks = matches!(self.standing, Standing::Member | Standing::Leaving);
        if !speaks || self.profile.incarnation.member.is_empty() || !std::mem::take(&mut self.is_news) {
            return None;
        }
        Some(Announcement {
            applied: view.epoch,
            holds: self.held.keys().map(ToString::to_string).collect(),
            is_leaving: self.standing == Standing::Leaving,
            ..self.profile.clone()
        })
    }

    /// What was said did not arrive: it is said again.
    pub(crate) fn say_again(&mut self) {
        self.is_news = true;
    }

    pub(crate) fn incarnation(&self) -> &Incarnation {
        &self.profile.incarnation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Partition;

    fn task(sub_topology: u32, partition: i32) -> TaskId {
        TaskId { sub_topology, partition: Partition(partition) }
    }

    /// A member of two threads, the first of which has three tasks, and the second one.
    fn uneven() -> Desk {
        let incarnation =
            Incarnation { instance: "i".into(), process: "p".into(), member: String::new(), count: 0 };
        let mut desk = Desk::new(Announcement {
            incarnation,
            endpoint: None,
            version: String::new(),
            transactional_ids: Vec::new(),
            threads: 2,
            fingerprint: String::new(),
            applied: 0,
            holds: Vec::new(),
            copies: BTreeMap::new(),
            is_leaving: false,
        });
        desk.joined("m", 0);
        for (task, thread) in [(task(0, 0), 0), (task(0, 1), 0), (task(1, 1), 0), (task(1, 0), 1)] {
            desk.start(task, thread);
        }
        desk
    }

    #[test]
    fn a_task_that_moves_between_threads_arrives_at_the_emptiest_though_its_likes_are_there() {
        let mut desk = uneven();
        let (thread, word, grant) = desk.even_out(Duration::ZERO).expect("three against one");
        assert_eq!((thread, word, grant.task), (0, Word::Revoke, task(1, 1)));
        let (thread, word, grant) = desk.given_up(grant).expect("it goes on");
        assert_eq!((thread, word, grant.task), (1, Word::Start, task(1, 1)));
        assert_eq!(desk.even_out(Duration::ZERO), None, "two against two");
    }

    #[test]
    fn a_task_on_its_way_to_a_thread_that_is_to_end_goes_to_another() {
        let mut desk = uneven();
        let (_, _, grant) = desk.even_out(Duration::ZERO).expect("three against one");
        desk.retire(1);
        let (thread, word, grant) = desk.given_up(grant).expect("it goes on");
        assert_eq!((thread, word, grant.task), (0, Word::Start, task(1, 1)));
    }
}
