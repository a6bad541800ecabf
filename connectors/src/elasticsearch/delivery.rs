//! Documents that wait for their request, and the requests. Owns what is pending and the judgement of answers; must not
//! know offsets that are committed, or membership.

use std::time::{Duration, Instant};

use bytes::Bytes;
use candlewick::client::Log;
use candlewick::{Headers, Partition, RawRecord, Timestamp, TopicPartition};

use super::bulk::{Answer, BulkItem, Verdict};
use super::client::Client;
use super::config::ElasticsearchConfig;
use super::dead_letter::DeadLetters;
use super::error::ElasticsearchError;
use super::refused::RefusedRecords;
use super::status::SharedStatus;

/// A document and the record it was made from, should it become a dead letter.
struct Pending {
    item: BulkItem,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Headers,
    timestamp: Timestamp,
}

/// What one request came to.
pub(super) enum Attempt {
    /// Nothing is pending any more, and dead letters are safe.
    Empty,
    /// Some of it is done; go on at once.
    Progress,
    /// Not now; the reason is a sentence.
    Again(String),
}

/// Documents on their way.
pub(super) struct Delivery {
    pending: Vec<Pending>,
    bytes: usize,
    oldest: Option<Instant>,
    refused: RefusedRecords,
    /// How many documents a request may hold after one was too large; grows back.
    documents_max: usize,
    pub(super) dead_letters: DeadLetters,
}

impl Delivery {
    pub(super) fn new(config: &ElasticsearchConfig) -> Self {
        Self {
            pending: Vec::new(),
            bytes: 0,
            oldest: None,
            refused: config.refused,
            documents_max: config.bulk_documents_max.max(1),
            dead_letters: DeadLetters::new(config.dead_letter_topic()),
        }
    }

    /// Adds a document.
    pub(super) fn push(&mut self, item: BulkItem, record: &RawRecord<'_>) {
        self.bytes += item.lines.len();
        self.oldest.get_or_insert_with(Instant::now);
        self.pending.push(Pending {
            item,
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
            headers: record.headers.clone(),
            timestamp: record.timestamp,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether a request is due: full by count or bytes, or old enough.
    pub(super) fn is_due(&self, config: &ElasticsearchConfig) -> bool {
        self.is_full(config) || self.oldest.is_some_and(|oldest| oldest.elapsed() >= config.linger)
    }

    pub(super) fn is_full(&self, config: &ElasticsearchConfig) -> bool {
        self.pending.len() >= config.bulk_documents_max.max(1) || self.bytes >= config.bulk_bytes_max
    }

    /// How long the input may be waited for before a request is due.
    pub(super) fn patience(&self, config: &ElasticsearchConfig, most: Duration) -> Duration {
        self.oldest.map_or(most, |oldest| config.linger.saturating_sub(oldest.elapsed()).min(most))
    }

    /// Forgets what came from a partition that belongs to another member now.
    pub(super) fn drop_partition(&mut self, partition: Partition) {
        self.pending.retain(|pending| pending.item.source.partition != partition);
        self.settle();
    }

    /// Sends one request and judges its answer.
    pub(super) fn attempt(
        &mut self,
        client: &Client,
        config: &ElasticsearchConfig,
        log: &dyn Log,
        status: &SharedStatus,
        timeout: Duration,
    ) -> Result<Attempt, ElasticsearchError> {
        let count = self.request_len(config);
        if count == 0 {
            self.dead_letters.flush()?;
            return Ok(Attempt::Empty);
        }
        let items: Vec<BulkItem> = self.pending[..count].iter().map(|pending| pending.item.clone()).collect();
        let began = Instant::now();
        let answer = client.bulk(&config.index, &items, timeout);
        let took = began.elapsed();
        let outcome = self.judged(answer, count, config, log, status);
        status.count_request(took, self.pending.len());
        outcome
    }

    /// What follows from the answer to a request of the first `count` documents.
    fn judged(
        &mut self,
        answer: Answer,
        count: usize,
        config: &ElasticsearchConfig,
        log: &dyn Log,
        status: &SharedStatus,
    ) -> Result<Attempt, ElasticsearchError> {
        match answer {
            Answer::Items(verdicts) => {
                self.documents_max = (self.documents_max * 2).min(config.bulk_documents_max.max(1));
                self.sort_out(verdicts, log, status)
            }
            Answer::Split(reason) if count == 1 => self.sort_out(vec![Verdict::Dead(reason)], log, status),
            Answer::Split(_) => {
                self.documents_max = count.div_ceil(2);
                Ok(Attempt::Progress)
            }
            Answer::Again(reason) => {
                status.count_retries(1);
                let url = config.url.clone();
                Ok(Attempt::Again(ElasticsearchError::Unavailable { url, reason }.to_string()))
            }
            Answer::Denied(reason) => {
                status.count_retries(1);
                let url = config.url.clone();
                Ok(Attempt::Again(ElasticsearchError::Denied { url, reason }.to_string()))
            }
        }
    }

    /// How many of the pending documents go into one request.
    fn request_len(&self, config: &ElasticsearchConfig) -> usize {
        let mut bytes = 0;
        let fitting = self.pending.iter().take(self.documents_max).take_while(|pending| {
            bytes += pending.item.lines.len();
            bytes <= config.bulk_bytes_max
        });
        fitting.count().max(usize::from(!self.pending.is_empty()))
    }

    /// Forgets what is done, writes dead letters, and keeps what must be sent again, in its order.
    fn sort_out(
        &mut self,
        verdicts: Vec<Verdict>,
        log: &dyn Log,
        status: &SharedStatus,
    ) -> Result<Attempt, ElasticsearchError> {
        let rest = self.pending.split_off(verdicts.len());
        let judged = std::mem::replace(&mut self.pending, Vec::with_capacity(rest.len()));
        let (mut again, mut count, mut failed) = (None, 0, None);
        for (pending, verdict) in judged.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Done => status.count_done(pending.item.deletes),
                Verdict::Again(reason) => {
                    again.get_or_insert(reason);
                    count += 1;
                    self.pending.push(pending);
                }
                // After a failure to write one, the others are kept: nothing is lost.
                Verdict::Dead(_) if failed.is_some() => self.pending.push(pending),
                Verdict::Dead(reason) => match self.bury(&pending, &reason, log, status) {
                    Ok(()) => {}
                    Err(error) => {
                        failed = Some(error);
                        self.pending.push(pending);
                    }
                },
            }
        }
        self.pending.extend(rest);
        self.settle();
        if let Some(error) = failed {
            return Err(error);
        }
        status.count_retries(count);
        let sentence = |reason| format!("Elasticsearch does not take {count} documents at present: {reason}");
        Ok(again.map_or(Attempt::Progress, |reason| Attempt::Again(sentence(reason))))
    }

    fn bury(
        &mut self,
        pending: &Pending,
        reason: &str,
        log: &dyn Log,
        status: &SharedStatus,
    ) -> Result<(), ElasticsearchError> {
        let record = RawRecord {
            offset: pending.item.offset,
            timestamp: pending.timestamp,
            key: pending.key.as_deref(),
            value: pending.value.as_deref(),
            headers: &pending.headers,
        };
        self.bury_record(&pending.item.source, &record, reason, log, status)
    }

    /// Does about a record that will never be a document what was chosen, and says so.
    pub(super) fn bury_record(
        &mut self,
        source: &TopicPartition,
        record: &RawRecord<'_>,
        reason: &str,
        log: &dyn Log,
        status: &SharedStatus,
    ) -> Result<(), ElasticsearchError> {
        let offset = record.offset;
        match self.refused {
            RefusedRecords::DeadLetter => {
                self.dead_letters.put(log, source, record, reason)?;
                status.count_dead_letter();
                tracing::warn!(%source, offset, reason, "the record became a dead letter");
            }
            RefusedRecords::Skip => {
                status.count_skipped();
                tracing::warn!(%source, offset, reason, "the record was left out");
            }
            RefusedRecords::Fail => {
                let (partition, reason) = (source.to_string(), reason.to_owned());
                return Err(ElasticsearchError::Record { partition, offset, reason });
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.bytes = self.pending.iter().map(|pending| pending.item.lines.len()).sum();
        if self.pending.is_empty() {
            self.oldest = None;
        }
    }
}
