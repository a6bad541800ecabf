//! `candlewick dlq`: what is in an application's dead letter topic, and the way back to where it came from. A letter is the
//! record as it was read, with headers that tell where and why (KIP-1034); these headers do not go back with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use candlewick::client::{
    CommittedOffset, GroupMetadata, Isolation, Log, OutgoingRecord, PolledBatch, ProducerError,
    ProducerSettings, StartAt,
};
use candlewick::{Headers, Partition, RawRecord, RecordRun, Timestamp, TopicPartition};

use crate::cli::{DlqAction, DlqOptions, DlqSource};
use crate::error::CommandError;
use crate::log::{self, TIMEOUT};

/// What all headers begin with that a dead letter was given.
const TOLD: &str = "__streams.errors.";
/// Letters that are sent back in one transaction.
const BATCH: usize = 1_000;

/// Lists, shows or replays dead letters.
///
/// # Errors
/// When the log refuses, the topic is not there, or a letter is not where it is looked for.
pub fn dlq(options: &DlqOptions) -> Result<(), CommandError> {
    match &options.action {
        DlqAction::List(source) => list(&Letters::open(source)?),
        DlqAction::Show { source, place } => show(&Letters::open(source)?, *place),
        DlqAction::Replay { source, dry_run, again } => replay(&Letters::open(source)?, *dry_run, *again),
    }
}

/// The dead letters of an application.
struct Letters {
    log: Arc<dyn Log>,
    topic: Arc<str>,
    /// The group under which it is kept how far letters were sent back.
    group: String,
    from: Option<String>,
    partitions: i32,
}

/// Where a letter came from and why.
struct Told<'a> {
    source: Option<TopicPartition>,
    offset: String,
    reason: String,
    raw: RawRecord<'a>,
}

impl<'a> Told<'a> {
    fn of(raw: RawRecord<'a>) -> Self {
        let text = |name: &str| {
            let header = raw.headers.last(&format!("{TOLD}{name}"));
            header
                .and_then(|header| header.value.as_ref())
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let partition = text("partition").and_then(|number| number.parse().ok());
        let source = text("topic").zip(partition);
        Self {
            source: source.map(|(topic, partition)| TopicPartition::new(topic, partition)),
            offset: text("offset").unwrap_or_else(|| "?".to_owned()),
            reason: text("message").unwrap_or_default(),
            raw,
        }
    }

    fn came_from(&self) -> String {
        match &self.source {
            Some(source) => format!("{source}@{}", self.offset),
            None => "somewhere that is not told".to_owned(),
        }
    }
}

impl Letters {
    fn open(source: &DlqSource) -> Result<Self, CommandError> {
        let id = &source.application_id;
        let topic: Arc<str> = source.topic.clone().unwrap_or_else(|| format!("{id}-dead-letters")).into();
        let log = log::open(&source.log, id)?;
        let found = log.admin()?.describe(&[&topic], TIMEOUT)?.into_iter().flatten().next();
        let Some(description) = found else {
            let reason = format!(
                "there is no topic {topic}: an application makes it at its start; name another application with \
                 --application-id, or the topic itself with --topic"
            );
            return Err(CommandError::Usage(reason));
        };
        let group = format!("{topic}-replay");
        Ok(Self { log, topic, group, from: source.from.clone(), partitions: description.partitions })
    }

    fn all(&self) -> Vec<TopicPartition> {
        (0..self.partitions).map(|number| TopicPartition::new(Arc::clone(&self.topic), number)).collect()
    }

    fn wants(&self, told: &Told<'_>) -> bool {
        let from = told.source.as_ref().map(|source| &*source.topic);
        self.from.as_deref().is_none_or(|wanted| from == Some(wanted))
    }

    /// Hands every run of letters to `take`, partition by partition, from `start` to what is the end now.
    fn read(
        &self,
        start: impl Fn(&TopicPartition) -> Option<i64>,
        mut take: impl FnMut(&RecordRun) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let mut consumer = self.log.consumer(&self.group, Isolation::ReadCommitted)?;
        let mut admin = self.log.admin()?;
        let mut batch = PolledBatch::default();
        for partition in self.all() {
            let marks = admin.watermarks(&partition, TIMEOUT)?;
            let from = start(&partition).unwrap_or(marks.low).max(marks.low);
            if from >= marks.stable {
                continue;
            }
            consumer.assign(&[(partition.clone(), StartAt::Offset(from))])?;
            while consumer.position(&partition).is_none_or(|at| at < marks.stable) {
                consumer.poll(BATCH, TIMEOUT, &mut batch)?;
                batch.runs.iter().try_for_each(&mut take)?;
            }
        }
        Ok(())
    }
}

fn list(letters: &Letters) -> Result<(), CommandError> {
    let mut count = 0_usize;
    letters.read(
        |_| None,
        |run| {
            for told in run.iter().map(Told::of).filter(|told| letters.wants(told)) {
                count += 1;
                let (number, offset) = (run.source.partition, told.raw.offset);
                println!("{number}@{offset}\tfrom {}\t{}", told.came_from(), one_line(&told.reason));
            }
            Ok(())
        },
    )?;
    println!("{count} dead letter(s) in {}", letters.topic);
    Ok(())
}

fn show(letters: &Letters, (partition, offset): (i32, i64)) -> Result<(), CommandError> {
    let mut text = String::new();
    letters.read(
        |of| if of.partition.0 == partition { Some(offset) } else { Some(i64::MAX) },
        |run| {
            if let Some(raw) = run.iter().find(|raw| raw.offset == offset) {
                text = described(&Told::of(raw));
            }
            Ok(())
        },
    )?;
    if text.is_empty() {
        let reason = format!("there is no letter at {partition}@{offset} of {}", letters.topic);
        return Err(CommandError::Usage(reason));
    }
    print!("{text}");
    Ok(())
}

fn described(told: &Told<'_>) -> String {
    let mut text = format!("from    {}\n", told.came_from());
    let _ = writeln!(text, "why     {}", told.reason);
    let _ = writeln!(text, "time    {} ms since 1970", told.raw.timestamp);
    for header in told.raw.headers.iter() {
        let value = header.value.as_deref();
        let _ = writeln!(text, "header  {}: {}", header.name, shown(value));
    }
    let _ = writeln!(text, "key     {}", shown(told.raw.key));
    let _ = writeln!(text, "value   {}", shown(told.raw.value));
    text
}

/// Bytes as text where they are text, and as hexadecimal digits otherwise.
fn shown(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|letter| letter.is_control() && letter != '\n') => text.to_owned(),
        _ => bytes.iter().fold(format!("{} bytes: ", bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A letter on its way back.
struct Returned {
    to: TopicPartition,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Headers,
    timestamp: Timestamp,
}

fn replay(letters: &Letters, dry_run: bool, again: bool) -> Result<(), CommandError> {
    let mut consumer = letters.log.consumer(&letters.group, Isolation::ReadCommitted)?;
    let partitions = letters.all();
    let done = consumer.committed(&partitions, TIMEOUT)?;
    let done: BTreeMap<TopicPartition, i64> = partitions
        .into_iter()
        .zip(done)
        .filter_map(|(partition, done)| Some((partition, done?.offset)))
        .collect();
    let verb = if dry_run { "would send" } else { "sent" };
    let (mut sent, mut lost) = (0_usize, 0_usize);
    let mut sender = if dry_run { None } else { Some(Sender::new(letters)?) };
    letters.read(
        |partition| if again { None } else { done.get(partition).copied() },
        |run| {
            let mut back = Vec::new();
            for told in run.iter().map(Told::of).filter(|told| letters.wants(told)) {
                let Some(to) = told.source.clone() else {
                    lost += 1;
                    continue;
                };
                println!("{verb} {}@{} back to {to}", run.source.partition, told.raw.offset);
                sent += 1;
                let raw = told.raw;
                let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                let headers = raw.headers.iter().filter(|header| !header.name.starts_with(TOLD));
                let mut kept = Headers::default();
                headers.for_each(|header| kept.push(&*header.name, header.value.clone()));
                let (key, value, timestamp) = (bytes(raw.key), bytes(raw.value), raw.timestamp);
                back.push(Returned { to, key, value, headers: kept, timestamp });
            }
            let end = run.iter().last().map_or(0, |raw| raw.offset + 1);
            // Of some letters only it cannot be said how far they were sent back.
            let reached = letters.from.is_none().then(|| (run.source.clone(), end));
            sender.as_mut().map_or(Ok(()), |sender| sender.send(&back, reached))
        },
    )?;
    println!("{verb} {sent} dead letter(s) of {} back to where they came from", letters.topic);
    if lost > 0 {
        println!("{lost} do not tell where they came from, and stay where they are");
    }
    Ok(())
}

/// Writes letters back and remembers how far it got, in one transaction each time: a letter goes back once.
struct Sender {
    producer: Box<dyn candlewick::client::Producer>,
    group: String,
}

impl Sender {
    fn new(letters: &Letters) -> Result<Self, CommandError> {
        let settings =
            ProducerSettings { transactional_id: Some(letters.group.clone()), ..ProducerSettings::default() };
        let mut producer = letters.log.producer(&settings)?;
        producer.init_transactions(TIMEOUT)?;
        Ok(Self { producer, group: letters.group.clone() })
    }

    fn send(
        &mut self,
        back: &[Returned],
        reached: Option<(TopicPartition, i64)>,
    ) -> Result<(), CommandError> {
        self.producer.begin_transaction()?;
        for letter in back {
            let topic = self.producer.topic(&letter.to.topic)?;
            let record = OutgoingRecord {
                topic,
                partition: Partition(letter.to.partition.0),
                key: letter.key.as_deref(),
                value: letter.value.as_deref(),
                headers: &letter.headers,
                timestamp: letter.timestamp,
            };
            while let Err(error) = self.producer.send(record) {
                let ProducerError::QueueFull = error else { return Err(error.into()) };
                self.producer.flush(TIMEOUT)?;
            }
        }
        if let Some((partition, offset)) = reached {
            // Nobody else is in this group.
            let group = Arc::from(&*self.group);
            let nobody = GroupMetadata { group, member: "".into(), generation: -1, native: None };
            let reached = CommittedOffset { offset, metadata: String::new() };
            self.producer.send_offsets(&[(partition, reached)], &nobody, TIMEOUT)?;
        }
        Ok(self.producer.commit_transaction(TIMEOUT)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_text_where_they_are_text() {
        assert_eq!(shown(None), "null");
        assert_eq!(shown(Some("prix: 5 €".as_bytes())), "prix: 5 €");
        assert_eq!(shown(Some(&[0, 0, 0, 255])), "4 bytes: 000000ff");
        assert_eq!(shown(Some(b"a\0")), "2 bytes: 6100");
    }

    #[test]
    fn a_letter_tells_where_it_came_from() {
        let mut run = RecordRun::new(TopicPartition::new("dead", 0));
        let mut headers = Headers::default();
        for (name, value) in
            [("topic", "trades"), ("partition", "3"), ("offset", "17"), ("message", "too\nshort")]
        {
            headers.push(format!("{TOLD}{name}"), Some(value.to_owned().into()));
        }
        run.push(1, Timestamp(5), None, Some(b"x"), headers);
        run.push(2, Timestamp(5), None, Some(b"x"), Headers::default());
        let told: Vec<Told<'_>> = run.iter().map(Told::of).collect();
        assert_eq!(
            (told[0].came_from(), one_line(&told[0].reason)),
            ("trades-3@17".into(), "too short".into())
        );
        assert!(told[1].source.is_none());
    }
}
