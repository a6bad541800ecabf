//! Offsets that groups keep. Must not know transactions.

use std::sync::Arc;

use candlewick::TopicPartition;
use candlewick::client::{CommittedOffset, Isolation, Log};

use super::fixture::{PATIENCE, admin, at, outsider, topic, unique};

/// Offsets come back with the committer's own text; what was never committed is `None`.
pub fn committed_offsets_come_back_with_their_text(log: &Arc<dyn Log>) {
    let (topic, group) = (topic(log, "text", 2), unique("group"));
    let ids = [TopicPartition::new(&*topic, 0), TopicPartition::new(&*topic, 1)];
    let mut consumer = log.consumer(&group, Isolation::ReadCommitted).expect("a consumer");
    assert_eq!(consumer.committed(&ids, PATIENCE).expect("offsets"), [None, None]);
    assert_eq!(consumer.committed(&[], PATIENCE).expect("who asks for nothing gets nothing"), []);
    let first = CommittedOffset { offset: 7, metadata: "AgAAAY5a2Z8=".to_owned() };
    consumer.commit(&[(ids[0].clone(), first.clone())], &outsider(&group)).expect("nobody objects");
    assert_eq!(consumer.committed(&ids, PATIENCE).expect("offsets"), [Some(first), None]);
    consumer
        .commit(&[(ids[0].clone(), at(3)), (ids[1].clone(), at(9))], &outsider(&group))
        .expect("no objection");
    assert_eq!(consumer.committed(&ids, PATIENCE).expect("offsets"), [Some(at(3)), Some(at(9))]);
}

/// Two groups keep different offsets of one partition.
pub fn groups_commit_apart(log: &Arc<dyn Log>) {
    let id = TopicPartition::new(topic(log, "apart", 1), 0);
    let groups = [unique("group"), unique("group")];
    for (offset, group) in (5..).zip(&groups) {
        let mut consumer = log.consumer(group, Isolation::ReadCommitted).expect("a consumer");
        consumer.commit(&[(id.clone(), at(offset))], &outsider(group)).expect("nobody objects");
    }
    for (offset, group) in (5..).zip(&groups) {
        let mut consumer = log.consumer(group, Isolation::ReadCommitted).expect("a consumer");
        let committed = consumer.committed(std::slice::from_ref(&id), PATIENCE).expect("offsets");
        assert_eq!(committed, [Some(at(offset))]);
        assert_eq!(admin(log).group_offsets(group, PATIENCE).expect("offsets"), [(id.clone(), at(offset))]);
    }
}

/// An administrator sets offsets of a group without members, and deletes it.
pub fn administrator_sets_and_deletes_a_groups_offsets(log: &Arc<dyn Log>) {
    let (topic, group) = (topic(log, "reset", 2), unique("group"));
    let ids = [TopicPartition::new(&*topic, 0), TopicPartition::new(&*topic, 1)];
    let mut consumer = log.consumer(&group, Isolation::ReadCommitted).expect("a consumer");
    consumer.commit(&[(ids[0].clone(), at(40)), (ids[1].clone(), at(41))], &outsider(&group)).expect("fine");
    let mut admin = admin(log);
    admin.set_group_offsets(&group, &[(ids[0].clone(), 12)], PATIENCE).expect("the group has no members");
    let mut offsets = admin.group_offsets(&group, PATIENCE).expect("offsets");
    offsets.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(offsets, [(ids[0].clone(), at(12)), (ids[1].clone(), at(41))]);
    assert_eq!(admin.group_members(&group, PATIENCE).expect("members"), Vec::<String>::new());
    admin.delete_group(&group, PATIENCE).expect("the group has no members");
    assert_eq!(admin.group_offsets(&group, PATIENCE).expect("offsets"), []);
    admin.delete_group(&group, PATIENCE).expect("a missing group is fine");
}
