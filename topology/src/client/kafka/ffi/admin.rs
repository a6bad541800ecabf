//! Administrative requests that rdkafka does not offer: offsets by specification and isolation, a group's offsets, and
//! a group's members under every protocol. Each waits for its answer on a queue of its own.

use std::ffi::{CString, c_char};
use std::ptr;
use std::slice;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{NativeError, millis, text};
use crate::client::traits::CommittedOffset;
use crate::record::TopicPartition;

type Handle = *mut rd::rd_kafka_t;

/// Which offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum OffsetSpec {
    Earliest,
    /// One past the last record; under read committed, one past the last stable one.
    Latest,
    /// The first record of this time (Unix milliseconds) or later.
    AtTime(i64),
}

/// A queue, the options and the answer of one request.
struct Request {
    queue: *mut rd::rd_kafka_queue_t,
    options: *mut rd::rd_kafka_AdminOptions_t,
    event: *mut rd::rd_kafka_event_t,
}

impl Request {
    /// # Safety
    /// `rk` must be live for as long as the request.
    unsafe fn new(rk: Handle, op: rd::rd_kafka_admin_op_t, timeout: Duration) -> Self {
        let mut reason = [0 as c_char; 256];
        // SAFETY: the handle is live; queue and options are destroyed in `drop`.
        unsafe {
            let queue = rd::rd_kafka_queue_new(rk);
            let options = rd::rd_kafka_AdminOptions_new(rk, op);
            let limit = millis(timeout).clamp(1, 3_600_000);
            rd::rd_kafka_AdminOptions_set_request_timeout(options, limit, reason.as_mut_ptr(), reason.len());
            Self { queue, options, event: ptr::null_mut() }
        }
    }

    /// Waits for the answer. librdkafka ends a request by itself when its time is over, so this waits a little longer.
    fn wait(&mut self, timeout: Duration) -> Result<(), NativeError> {
        // SAFETY: the queue is live; the event is destroyed in `drop`.
        unsafe {
            self.event = rd::rd_kafka_queue_poll(self.queue, millis(timeout + Duration::from_secs(2)));
            if self.event.is_null() {
                return NativeError::code(rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT);
            }
            NativeError::code(rd::rd_kafka_event_error(self.event)).map_err(|mut error| {
                error.text = text(rd::rd_kafka_event_error_string(self.event));
                error
            })
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        // SAFETY: each was made by us and is destroyed once.
        unsafe {
            if !self.event.is_null() {
                rd::rd_kafka_event_destroy(self.event);
            }
            rd::rd_kafka_AdminOptions_destroy(self.options);
            rd::rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// The offsets of these partitions, in the order asked; `None` where no record answers a time.
pub(in super::super) fn list_offsets(
    client: &impl AsHandle,
    partitions: &[(&TopicPartition, OffsetSpec)],
    committed_only: bool,
    timeout: Duration,
) -> Result<Vec<Result<Option<i64>, NativeError>>, NativeError> {
    let mut list = TopicPartitionList::new();
    for (partition, spec) in partitions {
        let offset = match spec {
            OffsetSpec::Earliest => Offset::Beginning,
            OffsetSpec::Latest => Offset::End,
            OffsetSpec::AtTime(time) => Offset::Offset((*time).max(0)),
        };
        let mut place = list.add_partition(&partition.topic, partition.partition.0);
        place.set_offset(offset).expect("these three have a number in librdkafka");
    }
    // SAFETY: the handle is live during the call; results are read while the event that owns them is.
    unsafe {
        let mut request =
            Request::new(client.handle(), rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, timeout);
        if committed_only {
            let level = rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
            NativeError::take(rd::rd_kafka_AdminOptions_set_isolation_level(request.options, level))?;
        }
        rd::rd_kafka_ListOffsets(client.handle(), list.ptr(), request.options, request.queue);
        request.wait(timeout)?;
        let result = rd::rd_kafka_event_ListOffsets_result(request.event);
        let mut count = 0;
        let infos = rd::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        let infos = if infos.is_null() { &[] } else { slice::from_raw_parts(infos, count) };
        let found: Vec<_> = infos
            .iter()
            .map(|info| &*rd::rd_kafka_ListOffsetsResultInfo_topic_partition(*info))
            .map(|place| {
                let offset =
                    NativeError::code(place.err).map(|()| (place.offset >= 0).then_some(place.offset));
                (text(place.topic), place.partition, offset)
            })
            .collect();
        let answer = |wanted: &TopicPartition| {
            let same = found
                .iter()
                .find(|(topic, number, _)| topic.as_str() == &*wanted.topic && *number == wanted.partition.0);
            same.map_or_else(
                || {
                    NativeError::code(rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
                        .map(|()| None)
                },
                |(_, _, offset)| offset.clone(),
            )
        };
        Ok(partitions.iter().map(|(partition, _)| answer(partition)).collect())
    }
}

/// What a group has committed for these partitions, or for all. `stable` refuses offsets that an open transaction may
/// still change: the error is `UnstableOffsetCommit`.
pub(in super::super) fn group_offsets(
    client: &impl AsHandle,
    group: &CString,
    partitions: Option<&TopicPartitionList>,
    stable: bool,
    timeout: Duration,
) -> Result<Vec<(TopicPartition, CommittedOffset)>, NativeError> {
    // SAFETY: the handle is live; the specification is destroyed after the call that copies it; results are read while
    // the event that owns them is live.
    unsafe {
        let op = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
        let mut request = Request::new(client.handle(), op, timeout);
        let error = rd::rd_kafka_AdminOptions_set_require_stable_offsets(request.options, i32::from(stable));
        NativeError::take(error)?;
        let list = partitions.map_or(ptr::null_mut(), TopicPartitionList::ptr);
        let mut wanted = rd::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), list);
        rd::rd_kafka_ListConsumerGroupOffsets(
            client.handle(),
            &raw mut wanted,
            1,
            request.options,
            request.queue,
        );
        rd::rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
        request.wait(timeout)?;
        let result = rd::rd_kafka_event_ListConsumerGroupOffsets_result(request.event);
        let mut count = 0;
        let groups = rd::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
        if count == 0 {
            return Ok(Vec::new());
        }
        let error = rd::rd_kafka_group_result_error(*groups);
        if !error.is_null() {
            return Err(NativeError::read(error));
        }
        let list = rd::rd_kafka_group_result_partitions(*groups);
        if list.is_null() {
            return Ok(Vec::new());
        }
        let places = slice::from_raw_parts((*list).elems, usize::try_from((*list).cnt).unwrap_or(0));
        let mut offsets = Vec::with_capacity(places.len());
        for place in places {
            NativeError::code(place.err)?;
            if place.offset < 0 {
                continue;
            }
            let bytes: &[u8] = match place.metadata.is_null() {
                true => &[],
                false => slice::from_raw_parts(place.metadata.cast(), place.metadata_size),
            };
            let metadata = String::from_utf8_lossy(bytes).into_owned();
            let partition = TopicPartition::new(text(place.topic), place.partition);
            offsets.push((partition, CommittedOffset { offset: place.offset, metadata }));
        }
        Ok(offsets)
    }
}

/// The ids of a group's members, of the classic and of the `consumer` protocol; empty for a group that is not there.
pub(in super::super) fn describe_members(
    client: &impl AsHandle,
    group: &CString,
    timeout: Duration,
) -> Result<Vec<String>, NativeError> {
    // SAFETY: the handle is live; the name lives during the call; results are read while the event is live.
    unsafe {
        let op = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let mut request = Request::new(client.handle(), op, timeout);
        let mut name = group.as_ptr();
        rd::rd_kafka_DescribeConsumerGroups(
            client.handle(),
            &raw mut name,
            1,
            request.options,
            request.queue,
        );
        request.wait(timeout)?;
        let result = rd::rd_kafka_event_DescribeConsumerGroups_result(request.event);
        let mut count = 0;
        let groups = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if count == 0 {
            return Ok(Vec::new());
        }
        let group = *groups;
        let error = rd::rd_kafka_ConsumerGroupDescription_error(group);
        if !error.is_null() {
            let error = NativeError::read(error);
            let missing = error.code == rdkafka::error::RDKafkaErrorCode::GroupIdNotFound;
            return if missing { Ok(Vec::new()) } else { Err(error) };
        }
        let members = rd::rd_kafka_ConsumerGroupDescription_member_count(group);
        Ok((0..members)
            .map(|index| rd::rd_kafka_ConsumerGroupDescription_member(group, index))
            .map(|member| text(rd::rd_kafka_MemberDescription_consumer_id(member)))
            .collect())
    }
}

/// Takes everything out of a client's main queue, handing on the texts of errors. rdkafka's administrator never does,
/// and it would grow while a broker is away.
pub(in super::super) fn drain_main_queue(client: &impl AsHandle, mut error: impl FnMut(i32, &str)) {
    // SAFETY: the handle is live; the queue reference and each event are released here.
    unsafe {
        let queue = rd::rd_kafka_queue_get_main(client.handle());
        loop {
            let event = rd::rd_kafka_queue_poll(queue, 0);
            if event.is_null() {
                break;
            }
            if rd::rd_kafka_event_type(event) == rd::RD_KAFKA_EVENT_ERROR {
                let code = rd::rd_kafka_event_error(event) as i32;
                error(code, &text(rd::rd_kafka_event_error_string(event)));
            }
            rd::rd_kafka_event_destroy(event);
        }
        rd::rd_kafka_queue_destroy(queue);
    }
}

/// Anything with a live librdkafka handle.
pub(in super::super) trait AsHandle {
    fn handle(&self) -> Handle;
}

impl<C: rdkafka::ClientContext> AsHandle for rdkafka::client::Client<C> {
    fn handle(&self) -> Handle {
        self.native_ptr()
    }
}

impl AsHandle for super::Client {
    fn handle(&self) -> Handle {
        self.ptr()
    }
}
