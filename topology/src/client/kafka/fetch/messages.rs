//! The four requests of a reader and their answers, in the newest versions before Kafka's compact encodings; brokers from
//! 2.3 to 4.x answer them (Kafka's protocol guide; KIP-98, KIP-227, KIP-320). Must not know connections or positions.

use super::wire::{Malformed, Reader, Writer};
use crate::client::traits::Isolation;

/// Which request, by the protocol's number, and in which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Api {
    pub(super) key: i16,
    pub(super) version: i16,
    pub(super) name: &'static str,
    /// In the compact encodings, with tagged fields (KIP-482).
    pub(super) is_compact: bool,
}

impl Api {
    pub(super) const fn plain(name: &'static str, key: i16, version: i16) -> Self {
        Self { key, version, name, is_compact: false }
    }

    pub(super) const fn compact(name: &'static str, key: i16, version: i16) -> Self {
        Self { key, version, name, is_compact: true }
    }
}

pub(super) const FETCH: Api = Api::plain("Fetch", 1, 11);
pub(super) const LIST_OFFSETS: Api = Api::plain("ListOffsets", 2, 4);
pub(super) const METADATA: Api = Api::plain("Metadata", 3, 7);
pub(super) const API_VERSIONS: Api = Api::plain("ApiVersions", 18, 0);

/// Asked for instead of a time.
pub(super) const LATEST: i64 = -1;
pub(super) const EARLIEST: i64 = -2;

/// A broker's error for a request or a partition; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) i16);

impl Refusal {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        let code = reader.i16()?;
        Ok((code != 0).then_some(Self(code)))
    }
}

/// Begins a request: its length is filled in by [`finish`].
pub(super) fn begin(api: Api, correlation: i32, client_id: &str) -> Writer {
    let mut writer = Writer::default();
    writer.i32(0);
    writer.i16(api.key);
    writer.i16(api.version);
    writer.i32(correlation);
    writer.text(client_id);
    if api.is_compact {
        writer.no_tags();
    }
    writer
}

/// The request as it is sent.
pub(super) fn finish(mut writer: Writer) -> Vec<u8> {
    let len = u32::try_from(writer.0.len() - 4).expect("a request is small");
    writer.0[..4].copy_from_slice(&len.to_be_bytes());
    writer.0
}

/// Checks that the broker speaks the versions used here; the error is a sentence.
pub(super) fn check_versions(reader: &mut Reader<'_>) -> Result<Result<(), String>, Malformed> {
    if let Some(Refusal(code)) = Refusal::read(reader)? {
        return Ok(Err(format!("the broker does not tell its versions (error {code})")));
    }
    for _ in 0..reader.count()? {
        let (key, low, high) = (reader.i16()?, reader.i16()?, reader.i16()?);
        for api in [FETCH, LIST_OFFSETS, METADATA] {
            if api.key == key && !(low..=high).contains(&api.version) {
                let Api { name, version, .. } = api;
                return Ok(Err(format!("the broker speaks {name} {low} to {high} and not {version}")));
            }
        }
    }
    Ok(Ok(()))
}

/// Whether the broker knows this request at all. One that does not hangs up at it.
pub(super) fn knows(reader: &mut Reader<'_>, api: Api) -> Result<bool, Malformed> {
    Refusal::read(reader)?;
    let mut is_known = false;
    for _ in 0..reader.count()? {
        is_known |= reader.i16()? == api.key;
        reader.i16()?;
        reader.i16()?;
    }
    Ok(is_known)
}

pub(super) fn write_metadata<'a>(writer: &mut Writer, topics: impl ExactSizeIterator<Item = &'a str>) {
    writer.count(topics.len());
    for topic in topics {
        writer.text(topic);
    }
    // No topic is made by asking for it.
    writer.i8(0);
}

/// The same of every topic.
pub(super) fn write_all_metadata(writer: &mut Writer) {
    writer.i32(-1);
    writer.i8(0);
}

/// A broker's address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BrokerAddress<'a> {
    pub(super) id: i32,
    pub(super) host: &'a str,
    pub(super) port: i32,
}

/// Who leads a partition; negative while nobody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    pub(super) broker: i32,
    pub(super) epoch: i32,
}

/// A topic's partitions by number, or why there are none.
pub(super) type TopicLeaders = Result<Vec<(i32, Leader)>, Refusal>;

/// Brokers, and the topics asked for.
pub(super) type Metadata<'a> = (Vec<BrokerAddress<'a>>, Vec<(&'a str, TopicLeaders)>);

pub(super) fn read_metadata<'a>(reader: &mut Reader<'a>) -> Result<Metadata<'a>, Malformed> {
    reader.i32()?;
    let mut brokers = Vec::new();
    for _ in 0..reader.count()? {
        let (id, host, port) = (reader.i32()?, reader.text()?, reader.i32()?);
        reader.text_or_null()?;
        brokers.push(BrokerAddress { id, host, port });
    }
    reader.text_or_null()?;
    reader.i32()?;
    let mut topics = Vec::new();
    for _ in 0..reader.count()? {
        let refusal = Refusal::read(reader)?;
        let name = reader.text()?;
        reader.i8()?;
        let mut partitions = Vec::new();
        for _ in 0..reader.count()? {
            // A partition's error says what its leader says too.
            reader.i16()?;
            let (number, broker, epoch) = (reader.i32()?, reader.i32()?, reader.i32()?);
            for _ in 0..3 {
                reader.skip_i32s()?;
            }
            partitions.push((number, Leader { broker, epoch }));
        }
        topics.push((name, refusal.map_or(Ok(partitions), Err)));
    }
    Ok((brokers, topics))
}

fn isolation(isolation: Isolation) -> i8 {
    match isolation {
        Isolation::ReadUncommitted => 0,
        Isolation::ReadCommitted => 1,
    }
}

/// What is asked of one partition in a question for offsets.
pub(super) struct OffsetQuestion<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) epoch: i32,
    /// [`LATEST`], [`EARLIEST`] or a time.
    pub(super) at: i64,
}

/// Each question stands in an array of its own topic: the protocol allows a topic to come twice.
pub(super) fn write_list_offsets<'a>(
    writer: &mut Writer,
    level: Isolation,
    questions: impl ExactSizeIterator<Item = OffsetQuestion<'a>>,
) {
    writer.i32(-1);
    writer.i8(isolation(level));
    writer.count(questions.len());
    for question in questions {
        writer.text(question.topic);
        writer.count(1);
        writer.i32(question.partition);
        writer.i32(question.epoch);
        writer.i64(question.at);
    }
}

/// A partition's answer: its offset, `None` where no record has that time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OffsetAnswer<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) found: Result<Option<i64>, Refusal>,
}

pub(super) fn read_list_offsets<'a>(reader: &mut Reader<'a>) -> Result<Vec<OffsetAnswer<'a>>, Malformed> {
    reader.i32()?;
    let mut answers = Vec::new();
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            let partition = reader.i32()?;
            let refusal = Refusal::read(reader)?;
            let (_time, offset, _epoch) = (reader.i64()?, reader.i64()?, reader.i32()?);
            let found = refusal.map_or(Ok((offset >= 0).then_some(offset)), Err);
            answers.push(OffsetAnswer { topic, partition, found });
        }
    }
    Ok(answers)
}

/// How a fetch waits and what it may bring.
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchLimits {
    pub(super) isolation: Isolation,
    pub(super) wait_ms: i32,
    pub(super) bytes_min: i32,
    pub(super) bytes_max: i32,
    pub(super) partition_bytes_max: i32,
}

/// What a fetch asks of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchPlace<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) epoch: i32,
    pub(super) offset: i64,
}

/// A fetch outside of any fetch session: it names all its partitions.
pub(super) fn write_fetch<'a>(
    writer: &mut Writer,
    limits: &FetchLimits,
    places: impl ExactSizeIterator<Item = FetchPlace<'a>>,
) {
    writer.i32(-1);
    writer.i32(limits.wait_ms);
    writer.i32(limits.bytes_min);
    writer.i32(limits.bytes_max);
    writer.i8(isolation(limits.isolation));
    writer.i32(0);
    writer.i32(-1);
    writer.count(places.len());
    for place in places {
        writer.text(place.topic);
        writer.count(1);
        writer.i32(place.partition);
        writer.i32(place.epoch);
        writer.i64(place.offset);
        writer.i64(-1);
        writer.i32(limits.partition_bytes_max);
    }
    writer.count(0);
    writer.text("");
}

/// A transaction that was aborted: its records from this offset on, up to its marker, were never said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Aborted {
    pub(super) first_offset: i64,
    pub(super) producer: i64,
}

/// What a fetch brought of one partition.
#[derive(Debug)]
pub(super) struct FetchedPartition<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) refusal: Option<Refusal>,
    pub(super) high: i64,
    pub(super) stable: i64,
    pub(super) aborted: Vec<Aborted>,
    pub(super) records: &'a [u8],
}

pub(super) fn read_fetch<'a>(
    reader: &mut Reader<'a>,
) -> Result<Result<Vec<FetchedPartition<'a>>, Refusal>, Malformed> {
    reader.i32()?;
    if let Some(refusal) = Refusal::read(reader)? {
        return Ok(Err(refusal));
    }
    reader.i32()?;
    let mut fetched = Vec::new();
    for _ in 0..reader.count()? {
        let topic = reader.text()?;
        for _ in 0..reader.count()? {
            let partition = reader.i32()?;
            let refusal = Refusal::read(reader)?;
            let (high, stable, _start) = (reader.i64()?, reader.i64()?, reader.i64()?);
            let mut aborted = Vec::new();
            for _ in 0..reader.count()? {
                let (producer, first_offset) = (reader.i64()?, reader.i64()?);
                aborted.push(Aborted { first_offset, producer });
            }
            reader.i32()?;
            let records = reader.bytes()?;
            fetched.push(FetchedPartition { topic, partition, refusal, high, stable, aborted, records });
        }
    }
    Ok(Ok(fetched))
}
