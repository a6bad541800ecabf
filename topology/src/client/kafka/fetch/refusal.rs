//! What brokers' error codes mean for a reader. Must not know who asked.

use super::messages::Refusal;
use crate::client::error::ClientError;

impl Refusal {
    pub(super) const OFFSET_OUT_OF_RANGE: Self = Self(1);
    pub(super) const UNKNOWN_MEMBER: Self = Self(25);
    pub(super) const GROUP_NOT_FOUND: Self = Self(69);

    /// Mended by asking again, perhaps somebody else.
    pub(super) fn is_passing(self) -> bool {
        // Leaders and coordinators that change or are not there, brokers that start, storage that fails over, offsets in
        // an open transaction, and throttling.
        matches!(self.0, 5 | 6 | 7 | 8 | 9 | 13 | 14 | 15 | 16 | 56 | 74 | 75 | 78 | 88 | 89)
    }

    /// There is no such topic or partition, or the broker has not heard of it yet.
    pub(super) fn is_missing(self) -> bool {
        matches!(self.0, 3 | 100)
    }

    pub(super) fn error(self, operation: &'static str, topic: &str) -> ClientError {
        let reason = match self.0 {
            2 => "the broker found a damaged record batch",
            16 => "the broker is not the coordinator",
            17 => "the topic's name is not valid",
            14 | 15 => "its coordinator is starting",
            29 => "this user may not read it (operation Read on the topic)",
            30 => "this user may not read the group (operation Read on the group)",
            88 => "an open transaction carries offsets of the group",
            31 => "this user may not do this to the cluster (operation ClusterAction)",
            53 => "this user may not see the transaction (operation Describe on the transactional id)",
            35 => "the broker does not speak this version of the request",
            87 => "the broker found an invalid record",
            _ => "the broker refused",
        };
        let reason = format!("{topic}: {reason} (error {})", self.0);
        match self.0 {
            3 | 100 => ClientError::UnknownTopic { topic: topic.to_owned() },
            29 | 30 | 31 | 53 => ClientError::Denied { operation, reason },
            _ if self.is_passing() => ClientError::Unavailable { operation, reason },
            _ => ClientError::Fatal { operation, reason },
        }
    }
}
