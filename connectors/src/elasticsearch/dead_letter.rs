//! Records that will never become documents, as records of a topic of their own: raw bytes, and headers that say where
//! from and why. Owns the producer for them; must not know why a record is refused.

use std::time::Duration;

use bytes::Bytes;
use candlewick::client::{
    Log, NewTopic, OutgoingRecord, Producer, ProducerError, ProducerSettings, TopicHandle,
};
use candlewick::{Headers, Partition, RawRecord, TopicPartition};

use super::error::ElasticsearchError;

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes dead letters. The topic is made when the first one is written.
pub(super) struct DeadLetters {
    topic: String,
    open: Option<(Box<dyn Producer>, TopicHandle)>,
    unflushed: bool,
}

impl DeadLetters {
    pub(super) fn new(topic: String) -> Self {
        Self { topic, open: None, unflushed: false }
    }

    /// Puts a record into the topic; it is safe there after [`flush`](Self::flush).
    pub(super) fn put(
        &mut self,
        log: &dyn Log,
        source: &TopicPartition,
        record: &RawRecord<'_>,
        error: &str,
    ) -> Result<(), ElasticsearchError> {
        let (producer, topic) = match &mut self.open {
            Some((producer, topic)) => (producer, *topic),
            empty => {
                let (producer, topic) = empty.insert(open(log, &self.topic)?);
                (producer, *topic)
            }
        };
        let headers = headers(source, record, error);
        let letter = OutgoingRecord {
            topic,
            partition: Partition(0),
            key: record.key,
            value: record.value,
            headers: &headers,
            timestamp: record.timestamp,
        };
        self.unflushed = true;
        loop {
            match producer.send(letter) {
                Ok(()) => return Ok(()),
                Err(ProducerError::QueueFull) => producer.flush(PATIENCE)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until all dead letters are written.
    pub(super) fn flush(&mut self) -> Result<(), ElasticsearchError> {
        if let (true, Some((producer, _))) = (self.unflushed, &mut self.open) {
            producer.flush(PATIENCE)?;
            self.unflushed = false;
        }
        Ok(())
    }
}

fn open(log: &dyn Log, topic: &str) -> Result<(Box<dyn Producer>, TopicHandle), ElasticsearchError> {
    let mut admin = log.admin()?;
    if admin.describe(&[topic], PATIENCE)?.into_iter().flatten().next().is_none() {
        // A dead letter waits for a person, who may come late.
        let config = [("retention.ms".to_string(), "-1".to_string())].into();
        let new = NewTopic { name: topic.to_string(), partitions: 1, replication: -1, config };
        admin.create(&[new], PATIENCE)?;
    }
    let mut producer = log.producer(&ProducerSettings::default())?;
    let handle = producer.topic(topic)?;
    Ok((producer, handle))
}

/// The record's own headers, then where it comes from and why it is here.
fn headers(source: &TopicPartition, record: &RawRecord<'_>, error: &str) -> Headers {
    let mut headers = record.headers.clone();
    let mut put = |name: &'static str, text: String| headers.push(name, Some(Bytes::from(text)));
    put("candlewick.topic", source.topic.to_string());
    put("candlewick.partition", source.partition.to_string());
    put("candlewick.offset", record.offset.to_string());
    put("candlewick.operator", "elasticsearch".to_string());
    put("candlewick.error", error.to_string());
    headers
}

#[cfg(test)]
mod tests {
    use candlewick::Timestamp;

    use super::*;

    #[test]
    fn headers_name_topic_partition_offset_operator_and_error_behind_the_records_own() {
        let mut own = Headers::default();
        own.push("trace", Some(Bytes::from_static(b"7")));
        let record = RawRecord { offset: 42, timestamp: Timestamp(0), key: None, value: None, headers: &own };
        let headers = headers(&TopicPartition::new("candles", 3), &record, "no number");
        let shown: Vec<_> = headers
            .iter()
            .map(|header| (header.name.to_string(), header.value.clone().map(|value| value.to_vec())))
            .collect();
        let expected = [
            ("trace", "7"),
            ("candlewick.topic", "candles"),
            ("candlewick.partition", "3"),
            ("candlewick.offset", "42"),
            ("candlewick.operator", "elasticsearch"),
            ("candlewick.error", "no number"),
        ];
        let expected = expected.map(|(name, value)| (name.to_string(), Some(value.as_bytes().to_vec())));
        assert_eq!(shown, expected);
    }
}
