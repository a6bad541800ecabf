//! Production by topic handle, and delivery reports without an allocation each.

use std::ffi::{CString, c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::super::signals::Signals;
use super::client::{Client, Hooks, NativeError, millis, text};
use crate::record::Headers;

/// What the delivery reports have said so far.
#[derive(Default)]
pub(in super::super) struct Delivery {
    /// One past the last acknowledged offset, by topic number and partition; negative where there is none.
    acknowledged: Vec<Vec<i64>>,
    /// How many records that were.
    count: u64,
    /// The first failure since it was last taken: topic number and error.
    failure: Option<(usize, RDKafkaErrorCode)>,
}

impl Delivery {
    fn report(&mut self, topic: usize, partition: i32, offset: i64) {
        self.count += 1;
        let partition = usize::try_from(partition).unwrap_or(0);
        if self.acknowledged.len() <= topic {
            self.acknowledged.resize_with(topic + 1, Vec::new);
        }
        let partitions = &mut self.acknowledged[topic];
        if partitions.len() <= partition {
            partitions.resize(partition + 1, -1);
        }
        let place = &mut partitions[partition];
        *place = (*place).max(offset + 1);
    }
}

pub(super) unsafe extern "C" fn on_delivery(
    _: *mut rd::rd_kafka_t,
    message: *const rd::rd_kafka_message_t,
    hooks: *mut c_void,
) {
    // SAFETY: the opaque is the handle's hooks. This runs only inside a call that the producer's owner makes through
    // `&mut ProducerClient`, so nobody else reaches the delivery state. The message is live during the call.
    unsafe {
        let hooks = &*hooks.cast::<Hooks>();
        let delivery = &mut *hooks.delivery.get();
        let message = &*message;
        let topic = message._private as usize;
        match message.err {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => {
                delivery.report(topic, message.partition, message.offset);
            }
            // Thrown away by an abort: asked for, not a failure.
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PURGE_QUEUE
            | rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PURGE_INFLIGHT => {}
            code => {
                delivery.failure.get_or_insert((topic, code.into()));
            }
        }
    }
}

/// A topic of one producer, resolved.
pub(in super::super) struct Topic(*mut rd::rd_kafka_topic_t);

/// A producer handle.
pub(in super::super) struct ProducerClient {
    topics: Vec<Topic>,
    client: Client,
}

// SAFETY: topic handles are thread-safe, and are released before their client.
unsafe impl Send for ProducerClient {}

impl ProducerClient {
    pub(in super::super) fn new(config: &ClientConfig, signals: Arc<Signals>) -> Result<Self, KafkaError> {
        Ok(Self { topics: Vec::new(), client: Client::producer(config, signals)? })
    }

    pub(in super::super) fn client(&self) -> &Client {
        &self.client
    }

    /// Resolves a topic; its number is its place in the order of these calls.
    pub(in super::super) fn topic(&mut self, name: &CString) -> Result<usize, NativeError> {
        // SAFETY: the client is live; the handle is released in `drop`, before the client.
        let topic = unsafe { rd::rd_kafka_topic_new(self.client.ptr(), name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            // SAFETY: reads the last error of this thread.
            return Err(NativeError::code(unsafe { rd::rd_kafka_last_error() }).expect_err("the call failed"));
        }
        self.topics.push(Topic(topic));
        Ok(self.topics.len() - 1)
    }

    /// Asks a broker for a topic, waiting at most `timeout` for the answer, which is not looked at. Every answer about
    /// topics makes librdkafka ask for its producer id again, if it has none.
    pub(in super::super) fn ask_for(&self, topic: usize, timeout: Duration) {
        let mut answer = ptr::null();
        // SAFETY: client and topic are live; the answer is destroyed here when there is one.
        unsafe {
            let (client, topic) = (self.client.ptr(), self.topics[topic].0);
            rd::rd_kafka_metadata(client, 0, topic, &raw mut answer, millis(timeout));
            if !answer.is_null() {
                rd::rd_kafka_metadata_destroy(answer);
            }
        }
    }

    /// Puts a record into the queue; key, value and headers are copied.
    pub(in super::super) fn send(
        &mut self,
        topic: usize,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        headers: &Headers,
    ) -> Result<(), NativeError> {
        let bytes = |bytes: Option<&[u8]>| {
            bytes.map_or((ptr::null_mut(), 0), |b| (b.as_ptr().cast_mut().cast::<c_void>(), b.len()))
        };
        let ((key, key_len), (value, value_len)) = (bytes(key), bytes(value));
        let native = if headers.is_empty() { ptr::null_mut() } else { native_headers(headers) };
        let handle = self.topics[topic].0;
        // SAFETY: every tag is followed by the C type that librdkafka's documentation names for it, and the list ends
        // with END. Key and value are copied (F_COPY); headers are taken over when the call succeeds.
        let code = unsafe {
            use rd::rd_kafka_vtype_t as tag;
            rd::rd_kafka_producev(
                self.client.ptr(),
                tag::RD_KAFKA_VTYPE_RKT,
                handle,
                tag::RD_KAFKA_VTYPE_PARTITION,
                partition,
                tag::RD_KAFKA_VTYPE_MSGFLAGS,
                rd::RD_KAFKA_MSG_F_COPY as c_int,
                tag::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                tag::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                tag::RD_KAFKA_VTYPE_OPAQUE,
                topic as *mut c_void,
                tag::RD_KAFKA_VTYPE_TIMESTAMP,
                timestamp,
                tag::RD_KAFKA_VTYPE_HEADERS,
                native,
                tag::RD_KAFKA_VTYPE_END,
            )
        };
        let sent = NativeError::code(code);
        if sent.is_err() && !native.is_null() {
            // SAFETY: a failed call leaves the headers to us.
            unsafe { rd::rd_kafka_headers_destroy(native) };
        }
        sent
    }

    /// Serves what waits, or comes within a time: delivery reports and errors.
    pub(in super::super) fn poll(&mut self, timeout: Duration) {
        // SAFETY: the handle is live; delivery callbacks run now, under `&mut self`.
        unsafe { rd::rd_kafka_poll(self.client.ptr(), millis(timeout)) };
    }

    /// Whether everything sent has its delivery report.
    pub(in super::super) fn is_empty(&self) -> bool {
        // SAFETY: the handle is live.
        unsafe { rd::rd_kafka_outq_len(self.client.ptr()) == 0 }
    }

    /// How many records were acknowledged so far.
    pub(in super::super) fn acknowledged_count(&self) -> u64 {
        // SAFETY: the delivery callback runs only under `&mut self`, so not now.
        unsafe { (*(*self.client.hooks()).delivery.get()).count }
    }

    pub(in super::super) fn flush(&mut self, timeout: Duration) -> Result<(), NativeError> {
        // SAFETY: as for `poll`.
        NativeError::code(unsafe { rd::rd_kafka_flush(self.client.ptr(), millis(timeout)) })
    }

    /// Throws away what has not been written.
    pub(in super::super) fn purge(&mut self) {
        let flags = rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: as for `poll`.
        unsafe { rd::rd_kafka_purge(self.client.ptr(), flags) };
    }

    pub(in super::super) fn acknowledged(&self, topic: usize, partition: usize) -> Option<i64> {
        // SAFETY: the delivery callback runs only under `&mut self`, so not now.
        let delivery = unsafe { &*(*self.client.hooks()).delivery.get() };
        delivery.acknowledged.get(topic)?.get(partition).copied().filter(|offset| *offset >= 0)
    }

    /// The first failed delivery since the last call.
    pub(in super::super) fn take_failure(&mut self) -> Option<(usize, RDKafkaErrorCode)> {
        // SAFETY: as above, and `&mut self` keeps everybody else away.
        unsafe { (*(*self.client.hooks()).delivery.get()).failure.take() }
    }

    pub(in super::super) fn fatal_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        let mut reason = [0; 512];
        // SAFETY: the handle is live and the buffer as long as is said.
        unsafe {
            let code = rd::rd_kafka_fatal_error(self.client.ptr(), reason.as_mut_ptr(), reason.len());
            let none = code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
            (!none).then(|| (code.into(), text(reason.as_ptr())))
        }
    }

    pub(in super::super) fn init_transactions(&mut self, timeout: Duration) -> Result<(), NativeError> {
        // SAFETY: the handle is live; callbacks run under `&mut self`. The same holds for the next three.
        NativeError::take(unsafe { rd::rd_kafka_init_transactions(self.client.ptr(), millis(timeout)) })
    }

    pub(in super::super) fn begin_transaction(&mut self) -> Result<(), NativeError> {
        // SAFETY: see `init_transactions`.
        NativeError::take(unsafe { rd::rd_kafka_begin_transaction(self.client.ptr()) })
    }

    pub(in super::super) fn commit_transaction(&mut self, timeout: Duration) -> Result<(), NativeError> {
        // SAFETY: see `init_transactions`.
        NativeError::take(unsafe { rd::rd_kafka_commit_transaction(self.client.ptr(), millis(timeout)) })
    }

    pub(in super::super) fn abort_transaction(&mut self, timeout: Duration) -> Result<(), NativeError> {
        // SAFETY: see `init_transactions`.
        NativeError::take(unsafe { rd::rd_kafka_abort_transaction(self.client.ptr(), millis(timeout)) })
    }
}

fn native_headers(headers: &Headers) -> *mut rd::rd_kafka_headers_t {
    // SAFETY: the new list is ours; names and values are copied by the call, with their lengths.
    unsafe {
        let native = rd::rd_kafka_headers_new(4);
        for header in headers.iter() {
            let (value, len) = match &header.value {
                Some(bytes) => (bytes.as_ptr().cast::<c_void>(), bytes.len() as isize),
                None => (ptr::null(), 0),
            };
            rd::rd_kafka_header_add(
                native,
                header.name.as_ptr().cast(),
                header.name.len() as isize,
                value,
                len,
            );
        }
        native
    }
}

impl Drop for ProducerClient {
    fn drop(&mut self) {
        // Records that nobody waited for are not written; the owner flushes what it wants kept.
        self.purge();
        for topic in self.topics.drain(..) {
            // SAFETY: each handle is released once, before the client, which is a later field.
            unsafe { rd::rd_kafka_topic_destroy(topic.0) };
        }
    }
}
