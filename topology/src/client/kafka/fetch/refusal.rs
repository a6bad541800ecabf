//! What brokers' error codes mean for a reader. Must not know who asked.

use super::super::permission::lacking;
use super::messages::Refusal;
use crate::client::error::ClientError;

impl Refusal {
    pub(super) const OFFSET_OUT_OF_RANGE: Self = Self(1);
    pub(super) const UNKNOWN_MEMBER: Self = Self(25);
    pub(super) const TRANSACTIONAL_ID_DENIED: Self = Self(53);
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

    /// The error for what was asked about a topic, a group or a transactional id; `who` is whom the brokers take this client
    /// for.
    pub(super) fn error(self, operation: &'static str, about: &str, who: &str) -> ClientError {
        let reason = match self.0 {
            2 => "the broker found a damaged record batch",
            16 => "the broker is not the coordinator",
            17 => "the topic's name is not valid",
            14 | 15 => "its coordinator is starting",
            29 => return denied(operation, lacking(who, "Read", "topic", about)),
            30 => return denied(operation, lacking(who, "Read", "group", about)),
            31 => return denied(operation, lacking(who, "ClusterAction", "cluster", "kafka-cluster")),
            53 => return denied(operation, lacking(who, "Describe", "transactional id", about)),
            88 => "an open transaction carries offsets of the group",
            35 => "the broker does not speak this version of the request",
            87 => "the broker found an invalid record",
            _ => "the broker refused",
        };
        let reason = format!("{about}: {reason} (error {})", self.0);
        match self.0 {
            3 | 100 => ClientError::UnknownTopic { topic: about.to_owned() },
            _ if self.is_passing() => ClientError::Unavailable { operation, reason },
            _ => ClientError::Fatal { operation, reason },
        }
    }
}

fn denied(operation: &'static str, reason: String) -> ClientError {
    ClientError::Denied { operation, reason }
}
