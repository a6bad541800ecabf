//! Batch consumption: one call brings many records, which are handed on as borrowed bytes and freed at once.

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::ptr;
use std::slice;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client::{Client, NativeError, millis};
use crate::record::Headers;
use std::sync::Arc;

use super::super::signals::Signals;

/// A consumer with its queue: all its partitions' records, and its errors, come through it.
pub(in super::super) struct FetchQueue {
    queue: *mut rd::rd_kafka_queue_t,
    batch: Vec<*mut rd::rd_kafka_message_t>,
    client: Client,
}

// SAFETY: the queue is thread-safe; the batch is empty between calls.
unsafe impl Send for FetchQueue {}

/// A fetched record, or an event of its partition where `error` says so. Lives during the hand-over only.
pub(in super::super) struct Fetched<'a> {
    native: *mut rd::rd_kafka_message_t,
    life: PhantomData<&'a ()>,
}

impl<'a> Fetched<'a> {
    fn message(&self) -> &'a rd::rd_kafka_message_t {
        // SAFETY: a `Fetched` is made for the time of one hand-over, within which the message is live.
        unsafe { &*self.native }
    }

    /// What identifies the topic within this consumer for as long as it is assigned; 0 for an event of no topic.
    pub(in super::super) fn topic_key(&self) -> usize {
        self.message().rkt as usize
    }

    pub(in super::super) fn topic(&self) -> Option<&'a str> {
        let topic = self.message().rkt;
        if topic.is_null() {
            return None;
        }
        // SAFETY: a message holds its topic, whose name is a C string that lives as long.
        unsafe { CStr::from_ptr(rd::rd_kafka_topic_name(topic)) }.to_str().ok()
    }

    pub(in super::super) fn partition(&self) -> i32 {
        self.message().partition
    }

    pub(in super::super) fn offset(&self) -> i64 {
        self.message().offset
    }

    pub(in super::super) fn error(&self) -> Option<RDKafkaErrorCode> {
        match self.message().err {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            code => Some(code.into()),
        }
    }

    pub(in super::super) fn timestamp(&self) -> i64 {
        // SAFETY: the message is live; the kind of timestamp is not asked for.
        unsafe { rd::rd_kafka_message_timestamp(self.native, ptr::null_mut()) }
    }

    pub(in super::super) fn key(&self) -> Option<&'a [u8]> {
        let message = self.message();
        // SAFETY: librdkafka's length belongs to its pointer; both live as long as the message.
        (!message.key.is_null())
            .then(|| unsafe { slice::from_raw_parts(message.key.cast(), message.key_len) })
    }

    /// The value; of an event, its text.
    pub(in super::super) fn value(&self) -> Option<&'a [u8]> {
        let message = self.message();
        // SAFETY: as for the key.
        (!message.payload.is_null())
            .then(|| unsafe { slice::from_raw_parts(message.payload.cast(), message.len) })
    }

    pub(in super::super) fn headers(&self) -> Headers {
        let mut headers = Headers::default();
        let mut native = ptr::null_mut();
        // SAFETY: the message is live; names and values are copied while it is.
        unsafe {
            let code = rd::rd_kafka_message_headers(self.native, &raw mut native);
            if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return headers;
            }
            for index in 0.. {
                let (mut name, mut value, mut len): (*const c_char, _, usize) = (ptr::null(), ptr::null(), 0);
                let code =
                    rd::rd_kafka_header_get_all(native, index, &raw mut name, &raw mut value, &raw mut len);
                if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    break;
                }
                let bytes = (!value.is_null()).then(|| slice::from_raw_parts(value.cast::<u8>(), len));
                headers.push(CStr::from_ptr(name).to_string_lossy(), bytes.map(Bytes::copy_from_slice));
            }
        }
        headers
    }
}

impl FetchQueue {
    pub(in super::super) fn new(config: &ClientConfig, signals: Arc<Signals>) -> Result<Self, KafkaError> {
        let client = Client::consumer(config, signals)?;
        // SAFETY: the handle is live; the queue is destroyed before it (see `drop`). The main queue is led into the
        // consumer's, so that error callbacks are served by the same call that brings records.
        let queue = unsafe {
            rd::rd_kafka_poll_set_consumer(client.ptr());
            rd::rd_kafka_queue_get_consumer(client.ptr())
        };
        if queue.is_null() {
            return Err(KafkaError::ClientCreation("a consumer needs a group".to_owned()));
        }
        Ok(Self { queue, batch: Vec::new(), client })
    }

    pub(in super::super) fn client(&self) -> &Client {
        &self.client
    }

    /// Hands on at most `max` records and events. The native call waits until it has `max` or the time is over: ask
    /// for one with a timeout, and for many without. Returns how many came.
    pub(in super::super) fn take(
        &mut self,
        max: usize,
        timeout: Duration,
        mut each: impl FnMut(&Fetched<'_>),
    ) -> usize {
        self.batch.resize(max.max(self.batch.len()), ptr::null_mut());
        // SAFETY: the array holds at least `max` places; the queue is live.
        let count = unsafe {
            rd::rd_kafka_consume_batch_queue(self.queue, millis(timeout), self.batch.as_mut_ptr(), max)
        };
        let count = usize::try_from(count).unwrap_or(0);
        for &native in &self.batch[..count] {
            each(&Fetched { native, life: PhantomData });
            // SAFETY: the message is ours since the call above, and nothing keeps a borrow of it.
            unsafe { rd::rd_kafka_message_destroy(native) };
        }
        count
    }

    pub(in super::super) fn assign(&self, partitions: &TopicPartitionList) -> Result<(), NativeError> {
        // SAFETY: both are live; the list is copied by the call.
        NativeError::code(unsafe { rd::rd_kafka_assign(self.client.ptr(), partitions.ptr()) })
    }

    /// Moves positions and waits until the fetchers have taken them over. `false` when one would not: it has stopped.
    pub(in super::super) fn seek(
        &self,
        partitions: &TopicPartitionList,
        timeout: Duration,
    ) -> Result<bool, NativeError> {
        // SAFETY: both are live; the call writes each partition's outcome into the list.
        NativeError::take(unsafe {
            rd::rd_kafka_seek_partitions(self.client.ptr(), partitions.ptr(), millis(timeout))
        })?;
        Ok(partitions.elements().iter().all(|place| place.error().is_ok()))
    }

    pub(in super::super) fn pause(&self, partitions: &TopicPartitionList) -> Result<(), NativeError> {
        // SAFETY: both are live.
        NativeError::code(unsafe { rd::rd_kafka_pause_partitions(self.client.ptr(), partitions.ptr()) })
    }

    pub(in super::super) fn resume(&self, partitions: &TopicPartitionList) -> Result<(), NativeError> {
        // SAFETY: both are live.
        NativeError::code(unsafe { rd::rd_kafka_resume_partitions(self.client.ptr(), partitions.ptr()) })
    }

    /// Commits in the name of nobody: for a group without members, which refuses it otherwise.
    pub(in super::super) fn commit(&self, offsets: &TopicPartitionList) -> Result<(), NativeError> {
        // SAFETY: both are live; the call waits for the answer.
        NativeError::code(unsafe { rd::rd_kafka_commit(self.client.ptr(), offsets.ptr(), 0) })
    }

    /// One past the last record or control record taken since the last assignment or seek.
    pub(in super::super) fn passed(&self, topic: &CString, partition: i32) -> Option<i64> {
        // SAFETY: the list is made, read and destroyed here; the topic is a C string.
        unsafe {
            let list = rd::rd_kafka_topic_partition_list_new(1);
            let place = rd::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition);
            rd::rd_kafka_position(self.client.ptr(), list);
            let offset = (*place).offset;
            rd::rd_kafka_topic_partition_list_destroy(list);
            (offset >= 0).then_some(offset)
        }
    }

    /// The high watermark that the last fetch of the partition brought.
    pub(in super::super) fn high_watermark(&self, topic: &CString, partition: i32) -> Option<i64> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the topic is a C string, and the two places live during the call.
        let code = unsafe {
            rd::rd_kafka_get_watermark_offsets(
                self.client.ptr(),
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        (NativeError::code(code).is_ok() && high >= 0).then_some(high)
    }

    /// How many partitions the topic has; `None` when it does not exist.
    pub(in super::super) fn partitions_of(
        &self,
        topic: &CString,
        timeout: Duration,
    ) -> Result<Option<i32>, NativeError> {
        // SAFETY: topic and metadata are made, read and destroyed here.
        unsafe {
            let handle = rd::rd_kafka_topic_new(self.client.ptr(), topic.as_ptr(), ptr::null_mut());
            let mut metadata = ptr::null();
            let code =
                rd::rd_kafka_metadata(self.client.ptr(), 0, handle, &raw mut metadata, millis(timeout));
            rd::rd_kafka_topic_destroy(handle);
            NativeError::code(code)?;
            let mut count = None;
            if (*metadata).topic_cnt > 0 {
                let found = &*(*metadata).topics;
                count = (found.err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR)
                    .then_some(found.partition_cnt);
            }
            rd::rd_kafka_metadata_destroy(metadata);
            Ok(count)
        }
    }
}

impl Drop for FetchQueue {
    fn drop(&mut self) {
        // SAFETY: destroyed once, and before the client, which is a later field.
        unsafe { rd::rd_kafka_queue_destroy(self.queue) };
    }
}
