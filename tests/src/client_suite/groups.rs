//! Membership: who gets which partitions, in which order they change hands, and whose commits count. Must not know
//! protocols.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick::TopicPartition;
use candlewick::client::{ClientError, Group, GroupEvent, Isolation, Log, ProducerError};

use super::fixture::{PATIENCE, Writer, admin, at, eventually, topic, unique};

const SESSION: Duration = Duration::from_secs(10);

/// A member and what it was told to own.
struct Member {
    group: Box<dyn Group>,
    owned: BTreeSet<i32>,
}

impl Member {
    fn new(log: &Arc<dyn Log>, group: &str, topic: &str) -> Self {
        let group = log.group(group, topic, SESSION).expect("a membership");
        Self { group, owned: BTreeSet::new() }
    }

    /// Polls once and follows the events. What is told to be revoked is let go of at the next poll, as it would be by a
    /// member that finishes its work first.
    fn poll(&mut self, others: &[&BTreeSet<i32>]) {
        for event in self.group.poll(Duration::from_millis(50)).expect("a poll") {
            match event {
                GroupEvent::Assigned(added) => {
                    for partition in added.iter().map(|one| one.0) {
                        let is_taken = others.iter().any(|other| other.contains(&partition));
                        assert!(!is_taken, "partition {partition} was given to two members");
                        assert!(self.owned.insert(partition), "partition {partition} was given twice");
                    }
                }
                GroupEvent::Revoked(gone) => {
                    for partition in gone {
                        assert!(self.owned.remove(&partition.0), "{partition} was revoked but not owned");
                    }
                }
                GroupEvent::Lost(_) => self.owned.clear(),
            }
        }
    }
}

/// Polls two members until they own `left` and `right` partitions.
fn settle(first: &mut Member, second: &mut Member, counts: (usize, usize)) {
    let deadline = Instant::now() + PATIENCE;
    let mut calm = 0;
    while calm < 3 {
        assert!(Instant::now() < deadline, "{:?} and {:?} are not {counts:?}", first.owned, second.owned);
        first.poll(&[&second.owned]);
        second.poll(&[&first.owned]);
        let is_settled = (first.owned.len(), second.owned.len()) == counts
            && first.group.metadata().is_ok()
            && second.group.metadata().is_ok();
        calm = if is_settled { calm + 1 } else { 0 };
    }
}

/// Polls a member until it owns all partitions and no further generation is on its way.
fn settle_alone(member: &mut Member, count: usize) {
    let mut calm = 0;
    eventually("one member owns all partitions", || {
        member.poll(&[]);
        let is_settled = member.owned.len() == count && member.group.metadata().is_ok();
        calm = if is_settled { calm + 1 } else { 0 };
        (calm == 3).then_some(())
    });
}

/// Commits offset 1 of the topic's partition 0 with this member's metadata of this moment.
fn commit_now(log: &Arc<dyn Log>, group: &str, topic: &str, member: &mut Member) {
    eventually("a commit of a current member is accepted", || {
        member.poll(&[]);
        let metadata = member.group.metadata().ok()?;
        let mut consumer = log.consumer(group, Isolation::ReadCommitted).expect("a consumer");
        consumer.commit(&[(TopicPartition::new(topic, 0), at(1))], &metadata).ok()
    });
}

/// One member gets all partitions, and its commits count, for partitions of other topics too.
pub fn single_member_gets_everything(log: &Arc<dyn Log>) {
    let (control, data, group) = (topic(log, "control", 4), topic(log, "data", 1), unique("group"));
    let mut member = Member::new(log, &group, &control);
    settle_alone(&mut member, 4);
    assert_eq!(member.owned, (0..4).collect());
    let metadata = member.group.metadata().expect("it is current");
    assert!(metadata.generation >= 0 && !metadata.member.is_empty() && *metadata.group == *group);
    commit_now(log, &group, &data, &mut member);
    let id = TopicPartition::new(&*data, 0);
    assert_eq!(admin(log).group_offsets(&group, PATIENCE).expect("offsets"), [(id.clone(), at(1))]);
    let members = admin(log).group_members(&group, PATIENCE).expect("members");
    assert_eq!(members, [member.group.metadata().expect("it is current").member.to_string()]);
    let mut writer = Writer::transactional(log, &unique("txn"));
    writer.begin();
    let metadata = member.group.metadata().expect("it is current");
    writer.0.send_offsets(&[(id.clone(), at(2))], &metadata, PATIENCE).expect("it is current");
    writer.commit();
    let mut consumer = log.consumer(&group, Isolation::ReadCommitted).expect("a consumer");
    assert_eq!(consumer.committed(&[id], PATIENCE).expect("offsets"), [Some(at(2))]);
    member.group.leave(PATIENCE).expect("it leaves");
}

/// A second member gets half, and no partition before the first has let go of it.
pub fn partitions_move_only_after_their_owner_let_go(log: &Arc<dyn Log>) {
    let (control, group) = (topic(log, "control", 4), unique("group"));
    let mut first = Member::new(log, &group, &control);
    settle_alone(&mut first, 4);
    let mut second = Member::new(log, &group, &control);
    settle(&mut first, &mut second, (2, 2));
    let all: BTreeSet<i32> = first.owned.union(&second.owned).copied().collect();
    assert_eq!(all, (0..4).collect());
    let ids = admin(log).group_members(&group, PATIENCE).expect("members");
    assert_eq!(ids.len(), 2);
    first.group.leave(PATIENCE).expect("it leaves");
    second.group.leave(PATIENCE).expect("it leaves");
}

/// When a member leaves, the others take over what it had and keep what they have.
pub fn partitions_of_a_leaver_go_to_those_who_stay(log: &Arc<dyn Log>) {
    let (control, group) = (topic(log, "control", 4), unique("group"));
    let mut first = Member::new(log, &group, &control);
    settle_alone(&mut first, 4);
    let mut second = Member::new(log, &group, &control);
    settle(&mut first, &mut second, (2, 2));
    first.group.leave(PATIENCE).expect("it leaves");
    settle_alone(&mut second, 4);
    let ids = admin(log).group_members(&group, PATIENCE).expect("members");
    assert_eq!(ids.len(), 1);
    second.group.leave(PATIENCE).expect("it leaves");
}

/// Metadata from before another member joined is refused; fetched anew it is accepted.
pub fn metadata_of_an_old_generation_is_refused(log: &Arc<dyn Log>) {
    let (control, group) = (topic(log, "control", 4), unique("group"));
    let mut first = Member::new(log, &group, &control);
    settle_alone(&mut first, 4);
    let old = first.group.metadata().expect("it is current");
    let mut second = Member::new(log, &group, &control);
    settle(&mut first, &mut second, (2, 2));
    let offsets = [(TopicPartition::new(&*control, 0), at(1))];
    let mut consumer = log.consumer(&group, Isolation::ReadCommitted).expect("a consumer");
    let error = consumer.commit(&offsets, &old).expect_err("the generation is over");
    assert!(matches!(error, ClientError::NotCurrent { .. }), "{error}");
    let mut writer = Writer::transactional(log, &unique("txn"));
    writer.begin();
    let error = writer.0.send_offsets(&offsets, &old, PATIENCE).expect_err("the generation is over");
    assert!(matches!(error, ProducerError::NotCurrent { .. }), "{error}");
    writer.abort();
    let metadata = first.group.metadata().expect("it is current");
    consumer.commit(&offsets, &metadata).expect("it is current");
    first.group.leave(PATIENCE).expect("it leaves");
    second.group.leave(PATIENCE).expect("it leaves");
}

/// A member that says nothing any more is taken out in its name, and its partitions go to the others long before its
/// session is over. Taking it out again changes nothing.
pub fn member_whose_process_has_ended_is_taken_out_at_once(log: &Arc<dyn Log>) {
    let (control, group) = (topic(log, "control", 2), unique("group"));
    let mut silent = Member::new(log, &group, &control);
    settle_alone(&mut silent, 2);
    let dead = silent.group.metadata().expect("it is current").member;
    let began = Instant::now();
    assert!(admin(log).remove_member(&group, &dead, PATIENCE).expect("asked"), "this client can");
    let mut next = Member::new(log, &group, &control);
    settle_alone(&mut next, 2);
    assert!(began.elapsed() < SESSION / 2, "{:?}", began.elapsed());
    assert!(admin(log).remove_member(&group, &dead, PATIENCE).expect("asked"));
    next.poll(&[]);
    assert!(next.group.metadata().is_ok(), "the others stay as they are");
    next.group.leave(PATIENCE).expect("it leaves");
}

/// A membership that was never polled has no metadata to commit with.
pub fn metadata_before_joining_is_refused(log: &Arc<dyn Log>) {
    let (control, group) = (topic(log, "control", 1), unique("group"));
    let member = Member::new(log, &group, &control);
    let error = member.group.metadata().expect_err("it has not joined");
    assert!(matches!(error, ClientError::NotCurrent { .. }), "{error}");
}

/// A transaction that carries offsets of a member that has left is refused; its producer goes on after an abort.
pub fn transaction_of_a_member_that_left_is_refused(log: &Arc<dyn Log>) {
    let (control, group) = (topic(log, "control", 2), unique("group"));
    let id = TopicPartition::new(&*control, 0);
    let mut leaver = Member::new(log, &group, &control);
    settle_alone(&mut leaver, 2);
    let metadata = leaver.group.metadata().expect("it is current");
    leaver.group.leave(PATIENCE).expect("it leaves");
    let mut stayer = Member::new(log, &group, &control);
    settle_alone(&mut stayer, 2);
    let mut writer = Writer::transactional(log, &unique("txn"));
    writer.begin();
    let error = writer.0.send_offsets(&[(id.clone(), at(9))], &metadata, PATIENCE).expect_err("it has left");
    assert!(matches!(error, ProducerError::NotCurrent { .. }), "{error}");
    writer.abort();
    stayer.poll(&[]);
    writer.begin();
    let metadata = stayer.group.metadata().expect("it is current");
    writer.0.send_offsets(&[(id.clone(), at(3))], &metadata, PATIENCE).expect("it is current");
    writer.commit();
    let mut consumer = log.consumer(&group, Isolation::ReadCommitted).expect("a consumer");
    assert_eq!(consumer.committed(&[id], PATIENCE).expect("offsets"), [Some(at(3))]);
    stayer.group.leave(PATIENCE).expect("it leaves");
}

/// An administrator cannot set offsets or delete the group while it has members.
pub fn offsets_of_a_group_with_members_are_not_set_from_outside(log: &Arc<dyn Log>) {
    let (control, group) = (topic(log, "control", 1), unique("group"));
    let mut member = Member::new(log, &group, &control);
    settle_alone(&mut member, 1);
    let offsets = [(TopicPartition::new(&*control, 0), 1)];
    let error = admin(log).set_group_offsets(&group, &offsets, PATIENCE).expect_err("it has a member");
    assert!(matches!(error, ClientError::NotCurrent { .. }), "{error}");
    let error = admin(log).delete_group(&group, PATIENCE).expect_err("it has a member");
    assert!(matches!(error, ClientError::NotCurrent { .. }), "{error}");
    member.group.leave(PATIENCE).expect("it leaves");
    eventually("the offsets can be set when the member is gone", || {
        admin(log).set_group_offsets(&group, &offsets, PATIENCE).ok()
    });
}
