//! A group member's metadata that can be read: rdkafka's own type is opaque.

use std::ffi::CStr;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};

use super::client::{NativeError, millis, text};
use super::produce::ProducerClient;

/// Who a consumer's member was when this was taken.
pub(in super::super) struct MemberSnapshot(*mut rd::rd_kafka_consumer_group_metadata_t);

// SAFETY: the object is immutable once made.
unsafe impl Send for MemberSnapshot {}
// SAFETY: as above.
unsafe impl Sync for MemberSnapshot {}

impl MemberSnapshot {
    /// Nothing when the client is in no group.
    pub(in super::super) fn of<C: ClientContext>(client: &Client<C>) -> Option<Self> {
        // SAFETY: the handle is live; the object is ours and destroyed in `drop`.
        let native = unsafe { rd::rd_kafka_consumer_group_metadata(client.native_ptr()) };
        (!native.is_null()).then_some(Self(native))
    }

    /// Nobody of this group: accepted while the group has no members.
    pub(in super::super) fn outsider(group: &CStr) -> Self {
        // SAFETY: the name is copied; the object is ours and destroyed in `drop`.
        Self(unsafe { rd::rd_kafka_consumer_group_metadata_new(group.as_ptr()) })
    }

    /// The member's id, empty before it has joined.
    pub(in super::super) fn member(&self) -> String {
        // SAFETY: the object is live and owns the string, which is copied.
        unsafe { text(rd::rd_kafka_consumer_group_metadata_member_id(self.0)) }
    }

    /// The generation or member epoch, negative before it has joined.
    pub(in super::super) fn generation(&self) -> i32 {
        // SAFETY: the object is live.
        unsafe { rd::rd_kafka_consumer_group_metadata_generation_id(self.0) }
    }

    pub(in super::super) fn send_offsets(
        &self,
        producer: &ProducerClient,
        offsets: &TopicPartitionList,
        timeout: Duration,
    ) -> Result<(), NativeError> {
        // SAFETY: all three objects are live during the call, which copies what it needs.
        NativeError::take(unsafe {
            rd::rd_kafka_send_offsets_to_transaction(
                producer.client().ptr(),
                offsets.ptr(),
                self.0,
                millis(timeout),
            )
        })
    }
}

impl Drop for MemberSnapshot {
    fn drop(&mut self) {
        // SAFETY: made by `of`, destroyed once.
        unsafe { rd::rd_kafka_consumer_group_metadata_destroy(self.0) };
    }
}

/// How many operations wait in the consumer's queue.
pub(in super::super) fn pending<C: ClientContext>(client: &Client<C>) -> usize {
    // SAFETY: the handle is live; the queue reference is released here.
    unsafe {
        let queue = rd::rd_kafka_queue_get_consumer(client.native_ptr());
        if queue.is_null() {
            return 0;
        }
        let length = rd::rd_kafka_queue_length(queue);
        rd::rd_kafka_queue_destroy(queue);
        length
    }
}
