//! A store of a task that a topic of somebody else's fills: the topic is its changelog.

use std::sync::Arc;

use super::global_store::filler;
use super::operation::process::ProcessorStores;
use super::options::Consumed;
use super::source::Source;
use super::{Data, StreamsBuilder};
use crate::plan::{AutoOffsetReset, TopicRef};
use crate::processor::Processor;
use crate::record::RecordRun;
use crate::state::{SourceTopic, StoreBuilder};
use crate::time::Timestamp;

pub(super) fn read_only_store<K: Data, V: Data, S: 'static, P: Processor<K, V, (), ()>>(
    builder: &StreamsBuilder,
    topic: &str,
    mut consumed: Consumed<K, V>,
    store: StoreBuilder<S>,
    supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
) {
    let (source, name) = builder.kept_names(consumed.name.as_ref());
    let (kept, reader, policy) = (Arc::<str>::from(store.name()), consumed.reader(), consumed.policy);
    let read = Arc::new(move |run: &RecordRun| readable(&reader, run));
    // What is restored begins where the topic does; what is read must not begin behind it.
    consumed.reset = Some(AutoOffsetReset::Earliest);
    let source = builder.add_named_source(source, vec![TopicRef::External(topic.into())], consumed);
    let mut filler = filler(name, vec![source], vec![Arc::clone(&kept)], supplier);
    filler.policy = policy;
    let mut graph = builder.graph.borrow_mut();
    graph.add_store(store.restored_from(SourceTopic { topic: topic.into(), read }).into());
    let filler = graph.add(filler);
    graph.read_only.push((filler, kept));
}

/// The records that the processor was given, as they lie in the topic: what could not be read was left to a handler.
fn readable<K: Data, V: Data>(source: &Source<K, V>, run: &RecordRun) -> RecordRun {
    let mut rows = RecordRun::new(run.source.clone());
    let mut partition_time = Timestamp::UNKNOWN;
    for raw in run.iter() {
        let Ok(record) = source.read(&run.source.topic, raw, partition_time) else { continue };
        if record.timestamp.0 >= 0 && raw.key.is_some() {
            partition_time = partition_time.max(record.timestamp);
            rows.push(raw.offset, record.timestamp, raw.key, raw.value, record.headers);
        }
    }
    rows
}
