//! librdkafka's errors, sorted by what the runtime must do about them.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::ffi::NativeError;
use super::permission::{lacking, refused};
use super::signals::Signals;
use crate::client::error::{ClientError, ProducerError};

/// Whether the group says that the member is not who it was: ordinary while instances come and go.
pub(super) fn not_current(code: Code) -> bool {
    matches!(
        code,
        Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::RebalanceInProgress
            | Code::FencedMemberEpoch
            | Code::StaleMemberEpoch
            | Code::FencedInstanceId
            | Code::AssignmentLost
    )
}

fn passing(code: Code) -> bool {
    matches!(
        code,
        Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::WaitingForCoordinator
            | Code::WaitCache
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::NotController
            | Code::OffsetNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::KafkaStorageError
            | Code::NotEnoughReplicas
            | Code::UnstableOffsetCommit
            | Code::ThrottlingQuotaExceeded
            | Code::RebootstrapRequired
    )
}

fn denied(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
    )
}

pub(super) fn unknown_topic(code: Code) -> bool {
    matches!(
        code,
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId
    )
}

/// An error of a call; `about` names the topic or the group that it was about, if any.
pub(super) fn client_error(
    operation: &'static str,
    code: Code,
    text: &str,
    about: Option<&str>,
    signals: &Signals,
) -> ClientError {
    let reason = text.to_owned();
    match about {
        Some(topic) if unknown_topic(code) => ClientError::UnknownTopic { topic: topic.to_owned() },
        _ if not_current(code) || code == Code::NonEmptyGroup => ClientError::NotCurrent { reason },
        _ if passing(code) => ClientError::Unavailable { operation, reason: signals.why(text) },
        _ if denied(code) => {
            let known = about.and_then(|name| refused(signals.who(), code, operation, name));
            ClientError::Denied { operation, reason: known.unwrap_or(reason) }
        }
        _ => ClientError::Fatal { operation, reason },
    }
}

pub(super) fn from_native(operation: &'static str, error: &NativeError, signals: &Signals) -> ClientError {
    client_error(operation, error.code, &error.text, None, signals)
}

pub(super) fn from_rdkafka(operation: &'static str, error: &KafkaError, signals: &Signals) -> ClientError {
    match error.rdkafka_error_code() {
        Some(code) => client_error(operation, code, &error.to_string(), None, signals),
        None => ClientError::Fatal { operation, reason: error.to_string() },
    }
}

fn fenced(code: Code) -> bool {
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}

/// An error of a transactional call. `fatal` is the producer's own fatal error, if it has one; `id` its transactional id.
pub(super) fn transaction_error(
    operation: &'static str,
    error: &NativeError,
    fatal: Option<(Code, String)>,
    (id, signals): (Option<&str>, &Signals),
) -> ProducerError {
    // All further errors of the transaction are of this one's making.
    if let Some(topic) = signals.denied() {
        return record_denied(&topic, signals);
    }
    let code = fatal.as_ref().map_or(error.code, |(code, _)| *code);
    if matches!(code, Code::TransactionalIdAuthorizationFailed | Code::GroupAuthorizationFailed) {
        let known = id.filter(|_| code == Code::TransactionalIdAuthorizationFailed);
        let known = known.and_then(|id| refused(signals.who(), code, operation, id));
        return ProducerError::Denied { operation, reason: known.unwrap_or_else(|| error.text.clone()) };
    }
    if fenced(error.code) || fatal.as_ref().is_some_and(|(code, _)| fenced(*code)) {
        return ProducerError::Fenced;
    }
    if let Some((_, reason)) = fatal {
        return ProducerError::Fatal { reason };
    }
    let reason = error.text.clone();
    match error {
        _ if not_current(error.code) => ProducerError::NotCurrent { reason },
        NativeError { abort: true, .. } => ProducerError::Abortable { reason },
        NativeError { retriable: true, .. } => ProducerError::Timeout { operation },
        _ if passing(error.code) => ProducerError::Timeout { operation },
        _ => ProducerError::Fatal { reason: format!("{operation}: {reason}") },
    }
}

/// The topic may not be written to.
pub(super) fn record_denied(topic: &str, signals: &Signals) -> ProducerError {
    let operation = "writing records";
    let reason = lacking(signals.who(), "Write", "topic", topic);
    ProducerError::Denied { operation, reason }
}

/// The failure of one record.
pub(super) fn record_error(
    topic: &str,
    code: Code,
    text: &str,
    transactional: bool,
    signals: &Signals,
) -> ProducerError {
    let reason = text.to_owned();
    match code {
        Code::TopicAuthorizationFailed => record_denied(topic, signals),
        Code::QueueFull => ProducerError::QueueFull,
        _ if fenced(code) => ProducerError::Fenced,
        Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidMessage
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidTopic
        | Code::PolicyViolation
        | Code::InvalidArgument => ProducerError::Rejected { topic: topic.to_owned(), reason },
        _ if unknown_topic(code) => ProducerError::Rejected { topic: topic.to_owned(), reason },
        _ if transactional => ProducerError::Abortable { reason: format!("a record for {topic}: {reason}") },
        _ => ProducerError::Fatal { reason: format!("a record for {topic} was not written: {reason}") },
    }
}
