//! What the two sides of a foreign-key join send each other, and how it is written: subscriptions of rows to foreign keys,
//! the answers to them, and the keys under which subscriptions are kept. Bytes as in Kafka Streams since 3.7.

use super::options::SharedSerde;
use crate::record::Partition;
use crate::serde::{Serde, SerdeError};

/// The hash of the row that a subscription is for; `None` when the row was deleted.
pub(crate) type RowHash = Option<[u64; 2]>;

/// What the foreign side is to do with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// Forget it and say nothing: another one says what there is to say.
    DeleteSilently = 0,
    /// Forget it and answer that there is no foreign row.
    DeleteAndAnswer = 1,
    /// Keep it and answer, also where there is no foreign row.
    Answer = 2,
    /// Keep it and answer where there is a foreign row.
    AnswerIfFound = 3,
}

impl Instruction {
    fn of(byte: u8) -> Option<Self> {
        [Self::DeleteSilently, Self::DeleteAndAnswer, Self::Answer, Self::AnswerIfFound]
            .get(usize::from(byte))
            .copied()
    }
}

/// A row that asks for the value of its foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription<K> {
    pub(crate) hash: RowHash,
    pub(crate) instruction: Instruction,
    /// The row's key.
    pub(crate) primary: K,
    /// The row's partition, to which the answer goes.
    pub(crate) partition: Partition,
}

/// The foreign value of a row, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer<V> {
    pub(crate) hash: RowHash,
    pub(crate) value: Option<V>,
    /// Where it is sent; not written.
    pub(crate) partition: Partition,
}

/// What subscriptions are kept under: those of one foreign key stand together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Combined<F, K> {
    pub(crate) foreign: F,
    pub(crate) primary: K,
}

/// The version of what is written; the highest bit says that there is no hash.
const SUBSCRIPTION_VERSION: u8 = 1;
const ANSWER_VERSION: u8 = 0;
const NO_HASH: u8 = 0x80;

fn put_head(version: u8, instruction: Option<Instruction>, hash: RowHash, out: &mut Vec<u8>) {
    out.push(if hash.is_none() { version | NO_HASH } else { version });
    out.extend(instruction.map(|instruction| instruction as u8));
    for half in hash.into_iter().flatten() {
        out.extend_from_slice(&half.to_be_bytes());
    }
}

/// The hash at the front of `bytes`, unless the version's byte says that there is none.
fn read_hash(version: u8, bytes: &[u8]) -> Option<(RowHash, &[u8])> {
    if version & NO_HASH != 0 {
        return Some((None, bytes));
    }
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    let (second, rest) = rest.split_first_chunk::<8>()?;
    Some((Some([u64::from_be_bytes(*first), u64::from_be_bytes(*second)]), rest))
}

fn malformed(format: &'static str) -> SerdeError {
    SerdeError::Malformed { format, reason: "the bytes end too early, or are of another version".to_owned() }
}

/// Writes subscriptions; the row's key by `0`.
pub(crate) struct SubscriptionSerde<K>(pub(crate) SharedSerde<K>);

impl<K: 'static> Serde<Subscription<K>> for SubscriptionSerde<K> {
    fn serialize(&self, topic: &str, it: &Subscription<K>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        put_head(SUBSCRIPTION_VERSION, Some(it.instruction), it.hash, out);
        self.0.serialize(topic, &it.primary, out)?;
        out.extend_from_slice(&it.partition.0.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<Subscription<K>, SerdeError> {
        let parts = || {
            let [version, instruction, rest @ ..] = bytes else { return None };
            let instruction = Instruction::of(*instruction)?;
            let (hash, rest) = read_hash(*version, rest)?;
            let (key, partition) = rest.split_last_chunk::<4>()?;
            let known = version & !NO_HASH == SUBSCRIPTION_VERSION;
            known.then(|| (hash, instruction, key, Partition(i32::from_be_bytes(*partition))))
        };
        let (hash, instruction, key, partition) = parts().ok_or_else(|| malformed("subscription"))?;
        Ok(Subscription { hash, instruction, primary: self.0.deserialize(topic, key)?, partition })
    }
}

/// Writes answers; the foreign value by `0`.
pub(crate) struct AnswerSerde<V>(pub(crate) SharedSerde<V>);

impl<V: 'static> Serde<Answer<V>> for AnswerSerde<V> {
    fn serialize(&self, topic: &str, it: &Answer<V>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        put_head(ANSWER_VERSION, None, it.hash, out);
        it.value.as_ref().map_or(Ok(()), |value| self.0.serialize(topic, value, out))
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<Answer<V>, SerdeError> {
        let (version, rest) = bytes.split_first().ok_or_else(|| malformed("answer"))?;
        let known = version & !NO_HASH == ANSWER_VERSION;
        let parts = read_hash(*version, rest).filter(|_| known).ok_or_else(|| malformed("answer"))?;
        let (hash, value) = parts;
        let value = if value.is_empty() { None } else { Some(self.0.deserialize(topic, value)?) };
        Ok(Answer { hash, value, partition: Partition(-1) })
    }
}

/// Writes the keys of subscriptions: the foreign key behind its length, then the row's.
pub(crate) struct CombinedSerde<F, K> {
    pub(crate) foreign: SharedSerde<F>,
    pub(crate) primary: SharedSerde<K>,
}

impl<F: 'static, K: 'static> CombinedSerde<F, K> {
    /// What the keys of all subscriptions to a foreign key begin with.
    pub(crate) fn prefix(&self, topic: &str, foreign: &F, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        self.foreign.serialize(topic, foreign, out)?;
        let length = i32::try_from(out.len() - start - 4).map_err(|_| malformed("foreign key"))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

impl<F: 'static, K: 'static> Serde<Combined<F, K>> for CombinedSerde<F, K> {
    fn serialize(&self, topic: &str, it: &Combined<F, K>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.prefix(topic, &it.foreign, out)?;
        self.primary.serialize(topic, &it.primary, out)
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<Combined<F, K>, SerdeError> {
        let parts = || {
            let (length, rest) = bytes.split_first_chunk::<4>()?;
            rest.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)
        };
        let (foreign, primary) = parts().ok_or_else(|| malformed("key of a subscription"))?;
        let (foreign, primary) =
            (self.foreign.deserialize(topic, foreign)?, self.primary.deserialize(topic, primary)?);
        Ok(Combined { foreign, primary })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::serde::StringSerde;

    fn text() -> SharedSerde<String> {
        Arc::new(StringSerde)
    }

    fn bytes_of<T>(serde: &impl Serde<T>, value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        serde.serialize("t", value, &mut bytes).expect("text serializes");
        bytes
    }

    #[test]
    fn a_subscription_is_version_instruction_hash_key_and_partition() {
        // SubscriptionWrapperSerde of new SubscriptionWrapper<>({1, 2}, PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE, "k", 1, 3).
        let serde = SubscriptionSerde(text());
        let mut it = Subscription {
            hash: Some([1, 2]),
            instruction: Instruction::Answer,
            primary: "k".to_owned(),
            partition: Partition(3),
        };
        let hash = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
        assert_eq!(bytes_of(&serde, &it), [&[1, 2][..], &hash, b"k", &[0, 0, 0, 3]].concat());
        assert_eq!(serde.deserialize("t", &bytes_of(&serde, &it)).expect("it reads back"), it);
        it.hash = None;
        assert_eq!(bytes_of(&serde, &it), [&[0x81, 2][..], b"k", &[0, 0, 0, 3]].concat());
        assert_eq!(serde.deserialize("t", &bytes_of(&serde, &it)).expect("it reads back"), it);
    }

    #[test]
    fn an_answer_is_version_hash_and_value_or_nothing() {
        let serde = AnswerSerde(text());
        let it = Answer { hash: None, value: Some("v".to_owned()), partition: Partition(-1) };
        assert_eq!(bytes_of(&serde, &it), [0x80, b'v']);
        assert_eq!(serde.deserialize("t", &[0x80, b'v']).expect("it reads back"), it);
        let nothing = serde.deserialize("t", &[0x80]).expect("no value is an answer too");
        assert_eq!(nothing.value, None);
    }

    #[test]
    fn the_key_of_a_subscription_is_the_foreign_keys_length_and_both_keys() {
        let serde = CombinedSerde { foreign: text(), primary: text() };
        let it = Combined { foreign: "ab".to_owned(), primary: "k".to_owned() };
        assert_eq!(bytes_of(&serde, &it), [0, 0, 0, 2, b'a', b'b', b'k']);
        assert_eq!(serde.deserialize("t", &bytes_of(&serde, &it)).expect("it reads back"), it);
    }
}
