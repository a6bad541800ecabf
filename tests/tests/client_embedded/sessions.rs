//! Sessions and timeouts by a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use candlewick::client::{
    ClientError, EmbeddedLog, EmbeddedSettings, Group, GroupEvent, Isolation, Log, ProducerError,
};
use candlewick::{ManualClock, Partition, Timestamp, TopicPartition};
use candlewick_tests::client_suite::fixture::{PATIENCE, Writer, admin, at, topic, watermarks};

const SESSION: Duration = Duration::from_secs(10);

fn log_with_clock() -> (Arc<EmbeddedLog>, Arc<dyn Log>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
    let settings = EmbeddedSettings { clock: Arc::clone(&clock) as _, ..EmbeddedSettings::default() };
    let log = EmbeddedLog::in_memory_with(settings);
    (Arc::clone(&log), log, clock)
}

fn poll(group: &mut Box<dyn Group>) -> Vec<GroupEvent> {
    group.poll(Duration::ZERO).expect("a poll")
}

fn partitions(numbers: impl IntoIterator<Item = i32>) -> Vec<Partition> {
    numbers.into_iter().map(Partition).collect()
}

#[test]
fn partition_is_withheld_until_its_owner_polls_after_the_revocation() {
    let (_, log, _) = log_with_clock();
    let control = topic(&log, "control", 2);
    let mut first = log.group("group", &control, SESSION).expect("a membership");
    let mut second = log.group("group", &control, SESSION).expect("a membership");
    assert_eq!(poll(&mut first), [GroupEvent::Assigned(partitions([0, 1]))]);
    let before = first.metadata().expect("it is current");
    assert_eq!(poll(&mut second), []);
    assert!(first.metadata().is_err(), "a change waits to be polled");
    assert_eq!(poll(&mut first), [GroupEvent::Revoked(partitions([1]))]);
    assert_eq!(poll(&mut second), [], "the owner has not answered yet");
    let metadata = first.metadata().expect("it may commit what it gives up");
    assert!(metadata.generation > before.generation);
    assert_eq!(poll(&mut first), []);
    assert_eq!(poll(&mut second), [GroupEvent::Assigned(partitions([1]))]);
    assert!(first.metadata().is_ok() && second.metadata().is_ok());
}

#[test]
fn silent_member_is_lost_and_joins_again_under_another_name() {
    let (_, log, clock) = log_with_clock();
    let control = topic(&log, "control", 2);
    let id = TopicPartition::new(&*control, 0);
    let mut silent = log.group("group", &control, SESSION).expect("a membership");
    let mut other = log.group("group", &control, SESSION).expect("a membership");
    assert_eq!(poll(&mut silent), [GroupEvent::Assigned(partitions([0, 1]))]);
    poll(&mut other);
    assert_eq!(poll(&mut silent), [GroupEvent::Revoked(partitions([1]))]);
    let metadata = silent.metadata().expect("it is current");
    clock.advance_millis(9_000);
    poll(&mut other);
    clock.advance_millis(2_000);
    assert_eq!(poll(&mut other), [GroupEvent::Assigned(partitions([0, 1]))]);
    let members = admin(&log).group_members("group", PATIENCE).expect("members");
    assert_eq!(members.len(), 1);

    assert!(matches!(silent.metadata(), Err(ClientError::NotCurrent { .. })));
    let mut consumer = log.consumer("group", Isolation::ReadCommitted).expect("a consumer");
    let refused = consumer.commit(&[(id.clone(), at(1))], &metadata);
    assert!(matches!(refused, Err(ClientError::NotCurrent { .. })), "{refused:?}");
    let mut writer = Writer::transactional(&log, "writer");
    writer.begin();
    let refused = writer.0.send_offsets(&[(id, at(1))], &metadata, PATIENCE);
    assert!(matches!(refused, Err(ProducerError::NotCurrent { .. })), "{refused:?}");

    assert_eq!(poll(&mut silent), [GroupEvent::Lost(partitions([0, 1]))]);
    assert_eq!(poll(&mut silent), []);
    assert_eq!(poll(&mut other), [GroupEvent::Revoked(partitions([1]))]);
    assert_eq!(poll(&mut other), []);
    assert_eq!(poll(&mut silent), [GroupEvent::Assigned(partitions([1]))]);
    let again = silent.metadata().expect("it is current");
    assert_ne!(again.member, metadata.member);
}

#[test]
fn transaction_is_aborted_when_its_timeout_has_passed_by_the_clock() {
    let (embedded, log, clock) = log_with_clock();
    let topic = topic(&log, "timeout", 1);
    let mut writer = Writer::unregistered(&log, "writer", Duration::from_secs(10));
    writer.register().expect("the id is free");
    writer.begin();
    writer.send(&topic, 0, "k", "v");
    writer.flush();
    clock.advance_millis(9_999);
    embedded.look_after().expect("nothing fails");
    assert_eq!(watermarks(&log, &topic, 0).stable, 0);
    clock.advance_millis(2);
    embedded.look_after().expect("nothing fails");
    assert_eq!(watermarks(&log, &topic, 0).stable, 2);
    assert!(matches!(writer.try_commit(), Err(ProducerError::Fenced)));
}
