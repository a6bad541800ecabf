//! What the leader must decide, from what is written and who lives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::copies::CopyRules;
use super::records::{Announcement, Incarnation, Key, Owner, Phase, Row, encode};
use super::table::{Circumstances, Decision, Memory, OwnerFate, RowAction, Wanted, decide, step};
use super::view::View;
use crate::record::{Partition, TaskId};

#[test]
fn every_step_of_a_row_is_the_one_in_the_table() {
    use OwnerFate as F;
    use RowAction as A;
    use Wanted as W;
    let (granted, revoking) = (Some(Phase::Granted), Some(Phase::Revoking));
    let table = [
        (None, F::Released, None, A::Keep),
        (None, F::Released, Some(W::Another), A::Grant),
        (granted, F::Current, None, A::Keep),
        (granted, F::Current, Some(W::Owner), A::Keep),
        (granted, F::Current, Some(W::Another), A::Revoke),
        (granted, F::Released, None, A::Keep),
        (granted, F::Released, Some(W::Owner), A::Grant),
        (granted, F::Released, Some(W::Another), A::Grant),
        (granted, F::Gone, None, A::Keep),
        (granted, F::Gone, Some(W::Owner), A::Fence),
        (granted, F::Gone, Some(W::Another), A::Fence),
        (granted, F::Fenced, None, A::Keep),
        (granted, F::Fenced, Some(W::Another), A::Grant),
        (revoking, F::Current, None, A::Keep),
        (revoking, F::Current, Some(W::Owner), A::Keep),
        (revoking, F::Current, Some(W::Another), A::Keep),
        (revoking, F::Released, None, A::Keep),
        (revoking, F::Released, Some(W::Another), A::Grant),
        (revoking, F::Gone, Some(W::Another), A::Fence),
        (revoking, F::Fenced, Some(W::Another), A::Grant),
    ];
    for (phase, fate, wanted, action) in table {
        assert_eq!(step(phase, fate, wanted), action, "{phase:?} {fate:?} {wanted:?}");
    }
}

/// A control topic with who lives: what the tests play with.
struct Stage {
    view: View,
    live: BTreeSet<String>,
    memory: Memory,
    now: Duration,
    delay: Duration,
    tasks: Vec<TaskId>,
    /// Without stateful tasks unless a test says otherwise.
    rules: CopyRules,
}

fn member(name: &str) -> Announcement {
    Announcement {
        incarnation: Incarnation {
            instance: name.into(),
            process: format!("{name}-run"),
            member: format!("{name}-id"),
            count: 0,
        },
        endpoint: None,
        version: "1".into(),
        transactional_ids: vec![format!("{name}-0")],
        threads: 1,
        fingerprint: "f".into(),
        applied: 0,
        holds: Vec::new(),
        copies: BTreeMap::new(),
        is_leaving: false,
    }
}

impl Stage {
    fn new(tasks: i32) -> Self {
        let tasks = (0..tasks).map(|n| TaskId { sub_topology: 0, partition: Partition(n) }).collect();
        let (view, live, memory) = (View::default(), BTreeSet::new(), Memory::default());
        let (now, delay, rules) = (Duration::ZERO, Duration::ZERO, CopyRules::default());
        Self { view, live, memory, now, delay, tasks, rules }
    }

    /// All tasks have stores; a copy may be ten records behind.
    fn stateful(tasks: i32, standbys: usize, warm_ups_max: usize) -> Self {
        let stage = Self::new(tasks);
        let stateful = stage.tasks.iter().copied().collect();
        Self { rules: CopyRules { stateful, standbys, warm_ups_max, lag_max: 10 }, ..stage }
    }

    fn says(&mut self, said: &Announcement) {
        let key = Key::Member(said.incarnation.instance.clone()).encode();
        self.view.take(key.as_bytes(), Some(&encode(said))).expect("a record of this version");
    }

    fn joins(&mut self, said: &Announcement) {
        self.live.insert(said.incarnation.member.clone());
        self.says(said);
    }

    fn decide(&mut self) -> Decision {
        let facts = Circumstances {
            tasks: &self.tasks,
            fingerprint: "f",
            live: &self.live,
            now: self.now,
            delay: self.delay,
            copies: &self.rules,
        };
        decide(&self.view, &facts, &mut self.memory)
    }

    /// Decides, and writes what was decided; gives (task, phase, owner).
    fn turn(&mut self) -> Vec<(i32, Phase, String)> {
        let decision = self.decide();
        assert!(decision.fence.is_empty(), "{decision:?}");
        let told = |(task, row): (&TaskId, &Row)| {
            (task.partition.0, row.phase, row.owner.incarnation.instance.clone())
        };
        let words = decision.rows.iter().map(told).collect();
        for (task, row) in &decision.rows {
            self.view.take(Key::Task(*task).encode().as_bytes(), Some(&encode(row)));
        }
        for (task, copies) in &decision.copies {
            self.view.take(Key::Copies(*task).encode().as_bytes(), Some(&encode(copies)));
        }
        words
    }

    /// Who is to have a copy of this task's stores.
    fn copies(&self, partition: i32) -> Vec<&str> {
        let task = TaskId { sub_topology: 0, partition: Partition(partition) };
        self.view
            .copies
            .get(&task)
            .into_iter()
            .flat_map(|copies| &copies.instances)
            .map(String::as_str)
            .collect()
    }

    /// Says how far its copies are.
    fn has_copies(&mut self, said: &mut Announcement, lags: &[(i32, i64)]) {
        said.copies = lags.iter().map(|(partition, lag)| (format!("0_{partition}"), *lag)).collect();
        self.says(said);
    }

    /// Applies the newest epoch and holds these tasks.
    fn holds(&mut self, said: &mut Announcement, tasks: &[i32]) {
        said.applied = self.view.epoch;
        said.holds = tasks.iter().map(|n| format!("0_{n}")).collect();
        self.says(said);
    }
}

#[test]
fn a_task_changes_hands_only_after_its_owner_has_let_it_go() {
    let mut stage = Stage::new(2);
    let (mut a, b) = (member("a"), member("b"));
    stage.joins(&a);
    assert_eq!(stage.turn(), [(0, Phase::Granted, "a".into()), (1, Phase::Granted, "a".into())]);
    stage.holds(&mut a, &[0, 1]);
    assert!(stage.turn().is_empty());
    stage.joins(&b);
    assert_eq!(stage.turn(), [(1, Phase::Revoking, "a".into())]);
    assert!(stage.turn().is_empty(), "it waits");
    stage.holds(&mut a, &[0, 1]);
    assert!(stage.turn().is_empty(), "heard is not let go");
    stage.holds(&mut a, &[0]);
    assert_eq!(stage.turn(), [(1, Phase::Granted, "b".into())]);
    assert!(stage.turn().is_empty());
}

#[test]
fn an_announcement_from_before_the_grant_lets_nothing_go() {
    let mut stage = Stage::new(1);
    let (a, b) = (member("a"), member("b"));
    stage.joins(&a);
    stage.turn();
    // Written before the grant was read: it does not hold the task because it does not know of it.
    stage.joins(&a);
    stage.joins(&b);
    assert!(stage.turn().is_empty());
}

#[test]
fn a_member_that_is_gone_is_fenced_before_its_tasks_go_on() {
    let mut stage = Stage::new(1);
    let (a, b) = (member("a"), member("b"));
    stage.joins(&a);
    stage.turn();
    stage.joins(&b);
    stage.live.remove("a-id");
    let decision = stage.decide();
    assert!(decision.rows.is_empty());
    assert_eq!(decision.fence.len(), 1);
    assert_eq!(decision.fence[&a.incarnation], BTreeSet::from(["a-0".to_owned()]));
    stage.memory.fenced.insert(a.incarnation.clone());
    assert_eq!(stage.turn(), [(0, Phase::Granted, "b".into())]);
    assert_eq!(stage.decide().forget, ["a"]);
}

#[test]
fn a_crashed_instance_has_the_delay_to_come_back() {
    let mut stage = Stage::new(1);
    stage.delay = Duration::from_secs(10);
    let (a, b) = (member("a"), member("b"));
    stage.joins(&a);
    stage.turn();
    stage.joins(&b);
    stage.live.remove("a-id");
    assert!(stage.turn().is_empty());
    stage.now = Duration::from_secs(9);
    assert!(stage.turn().is_empty());
    let mut again = member("a");
    again.incarnation.process = "a-run-2".into();
    again.incarnation.member = "a-id-2".into();
    stage.joins(&again);
    // Its new process has fenced the old one by itself.
    let decision = stage.decide();
    assert_eq!(decision.fence.get(&a.incarnation), Some(&BTreeSet::new()));
    stage.memory.fenced.insert(a.incarnation.clone());
    assert_eq!(stage.turn(), [(0, Phase::Granted, "a".into())]);
}

#[test]
fn a_restarted_instance_waits_for_no_session_timeout() {
    let mut stage = Stage::new(1);
    let a = member("a");
    stage.joins(&a);
    stage.turn();
    let mut again = member("a");
    again.incarnation.process = "a-run-2".into();
    again.incarnation.member = "a-id-2".into();
    stage.joins(&again);
    assert!(stage.live.contains("a-id"), "the group still believes in the dead one");
    assert_eq!(stage.decide().fence.get(&a.incarnation), Some(&BTreeSet::new()));
}

#[test]
fn a_loss_that_was_survived_needs_no_fence() {
    let mut stage = Stage::new(1);
    let mut a = member("a");
    stage.joins(&a);
    stage.turn();
    stage.live.remove("a-id");
    a.incarnation.member = "a-id-2".into();
    a.incarnation.count = 1;
    stage.joins(&a);
    assert_eq!(stage.turn(), [(0, Phase::Granted, "a".into())]);
    assert_eq!(stage.view.table.values().map(|row| row.owner.incarnation.count).collect::<Vec<_>>(), [1]);
}

#[test]
fn who_leaves_with_empty_hands_is_succeeded_at_once() {
    let mut stage = Stage::new(1);
    let (mut a, b) = (member("a"), member("b"));
    stage.joins(&a);
    stage.turn();
    stage.joins(&b);
    a.is_leaving = true;
    stage.says(&a);
    assert_eq!(stage.turn(), [(0, Phase::Granted, "b".into())]);
}

#[test]
fn another_version_keeps_what_it_has_and_gets_nothing_new() {
    let mut stage = Stage::new(2);
    let (mut a, b) = (member("a"), member("b"));
    stage.joins(&a);
    stage.turn();
    stage.holds(&mut a, &[0, 1]);
    a.fingerprint = "other".into();
    stage.says(&a);
    stage.joins(&b);
    assert!(stage.turn().is_empty());
    stage.holds(&mut a, &[0]);
    assert_eq!(stage.turn(), [(1, Phase::Granted, "b".into())]);
}

#[test]
fn an_older_row_read_late_does_not_come_back() {
    let mut view = View::default();
    let row = |epoch| Row {
        epoch,
        phase: Phase::Granted,
        owner: Owner { incarnation: member("a").incarnation, transactional_ids: Vec::new() },
    };
    for epoch in [2, 1] {
        view.take(b"task/0_0", Some(&encode(&row(epoch))));
    }
    assert_eq!(view.table.values().map(|row| row.epoch).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_task_with_stores_moves_when_a_copy_of_them_is_near_and_not_before() {
    let mut stage = Stage::stateful(2, 0, 1);
    let (mut a, mut b) = (member("a"), member("b"));
    stage.joins(&a);
    stage.turn();
    stage.holds(&mut a, &[0, 1]);
    stage.joins(&b);
    assert!(stage.turn().is_empty(), "it runs where it is");
    assert_eq!((stage.copies(0), stage.copies(1)), (vec![], vec!["b"]));
    stage.has_copies(&mut b, &[(1, 11)]);
    assert!(stage.turn().is_empty(), "too far behind");
    stage.has_copies(&mut b, &[(1, 10)]);
    assert_eq!(stage.turn(), [(1, Phase::Revoking, "a".into())]);
    assert!(stage.turn().is_empty());
    assert_eq!(stage.copies(1), ["b"], "it is needed until it is taken over");
    stage.holds(&mut a, &[0]);
    assert_eq!(stage.turn(), [(1, Phase::Granted, "b".into())]);
    assert!(stage.copies(1).is_empty());
}

#[test]
fn no_more_tasks_warm_up_at_a_time_than_are_allowed() {
    let mut stage = Stage::stateful(8, 0, 2);
    let (a, mut b) = (member("a"), member("b"));
    stage.joins(&a);
    stage.turn();
    stage.joins(&b);
    stage.turn();
    assert_eq!((0..8).filter(|task| stage.copies(*task) == ["b"]).collect::<Vec<_>>(), [4, 5]);
    stage.has_copies(&mut b, &[(4, 0), (5, 500)]);
    assert_eq!(stage.turn(), [(4, Phase::Revoking, "a".into())]);
    assert_eq!((0..8).filter(|task| stage.copies(*task) == ["b"]).collect::<Vec<_>>(), [4, 5, 6]);
}

#[test]
fn the_nearest_copy_takes_over_without_waiting_for_the_owner_to_come_back() {
    let mut stage = Stage::stateful(1, 2, 2);
    stage.delay = Duration::from_secs(10);
    let (mut a, mut b, mut c) = (member("a"), member("b"), member("c"));
    stage.joins(&a);
    stage.turn();
    stage.holds(&mut a, &[0]);
    stage.joins(&b);
    stage.joins(&c);
    stage.turn();
    assert_eq!(stage.copies(0), ["b", "c"]);
    stage.has_copies(&mut b, &[(0, 9)]);
    stage.has_copies(&mut c, &[(0, 3)]);
    stage.live.remove("a-id");
    assert_eq!(stage.decide().fence.len(), 1);
    stage.memory.fenced.insert(a.incarnation.clone());
    assert_eq!(stage.turn(), [(0, Phase::Granted, "c".into())]);
    assert_eq!(stage.copies(0), ["b"]);
}

#[test]
fn who_gives_a_task_up_keeps_a_copy_of_it() {
    let mut stage = Stage::stateful(2, 1, 2);
    let (mut a, mut b, c) = (member("a"), member("b"), member("c"));
    stage.joins(&a);
    stage.turn();
    stage.holds(&mut a, &[0, 1]);
    assert!(stage.copies(0).is_empty(), "there is nobody else");
    stage.joins(&b);
    stage.turn();
    stage.has_copies(&mut b, &[(0, 0), (1, 0)]);
    assert_eq!(stage.turn().len(), 1);
    stage.joins(&c);
    stage.holds(&mut a, &[0]);
    assert_eq!(stage.turn(), [(1, Phase::Granted, "b".into())]);
    assert_eq!(stage.copies(1), ["a"]);
}

#[test]
fn a_copy_stays_until_the_one_in_its_place_is_near() {
    let mut stage = Stage::stateful(4, 1, 2);
    let (mut a, mut b, mut c) = (member("a"), member("b"), member("c"));
    // Hardly a task moves: it has most of the threads.
    a.threads = 4;
    stage.joins(&a);
    stage.turn();
    stage.holds(&mut a, &[0, 1, 2, 3]);
    stage.joins(&b);
    stage.turn();
    let of = |stage: &Stage, name: &str| (0..4).filter(|task| stage.copies(*task).contains(&name)).count();
    assert_eq!(of(&stage, "b"), 4);
    stage.has_copies(&mut b, &[(0, 0), (1, 0), (2, 0), (3, 0)]);
    stage.joins(&c);
    for _ in 0..3 {
        let moved = stage.decide().rows.len();
        stage.turn();
        assert!(moved <= 1);
    }
    let both = (0..4).filter(|task| stage.copies(*task) == ["b", "c"]).count();
    assert!(both >= 1, "{:?}", stage.view.copies);
    let lags: Vec<(i32, i64)> =
        (0..4).filter(|task| stage.copies(*task).contains(&"c")).map(|task| (task, 0)).collect();
    stage.has_copies(&mut c, &lags);
    stage.turn();
    assert_eq!((0..4).filter(|task| stage.copies(*task) == ["b", "c"]).count(), 0, "{:?}", stage.view.copies);
}

#[test]
fn copies_read_late_do_not_come_back() {
    let mut view = View::default();
    for (epoch, name) in [(2, "new"), (1, "old")] {
        let copies = super::records::Copies { epoch, instances: vec![name.to_owned()] };
        view.take(b"copies/0_0", Some(&encode(&copies)));
    }
    assert_eq!(view.copies_of("new").len(), 1);
    assert!(view.copies_of("old").is_empty());
    assert_eq!(view.epoch, 2);
    let none: BTreeMap<TaskId, Row> = BTreeMap::new();
    assert_eq!(view.table, none);
}
