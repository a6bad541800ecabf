//! `join_self`: a stream joined with itself over one store, with the results and the order of a join over two.

use std::marker::PhantomData;
use std::sync::Arc;

use super::stream_join::{JoinNames, by_key, keep, side_store};
use crate::dsl::options::SharedSerde;
use crate::dsl::{Data, JoinWindows, KStream, StoreKey, StreamJoined};
use crate::error::ProcessError;
use crate::plan::{MakeNode, NodeRole};
use crate::processor::{Context, DropReason, Processor, Typed};
use crate::record::Record;
use crate::state::{Entry, StoreHandle, WindowStore};
use crate::time::Timestamp;

impl<'b, K: StoreKey, V: Data> KStream<'b, K, V> {
    /// Joins each pair of records of one key that lie within `windows`, and each record with itself. Gives what
    /// [`join_stream`](Self::join_stream) with the same stream gives, and keeps each record once instead of twice.
    ///
    /// ```
    /// use candlewick::{Consumed, JoinWindows, Produced, StreamJoined, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_millis(10));
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .join_self(|_, one, other| format!("{one} {other}"), within, StreamJoined::named("pairs"))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2, 50] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of records at 1, 2 and 50:
    /// assert_eq!(values, ["1 1", "2 1", "1 2", "2 2", "50 50"]);
    /// ```
    pub fn join_self<O: Data>(
        self,
        joiner: impl Fn(&K, &V, &V) -> O + Send + Sync + 'static,
        windows: JoinWindows,
        joined: StreamJoined<K, V, V>,
    ) -> KStream<'b, K, O> {
        let builder = self.builder;
        let topic = joined.nodes().map(|name| Arc::from(format!("{name}-left")));
        let stream = by_key(self, (&joined.key, &joined.left), topic, true);
        let names = JoinNames::of_inner(builder, &joined);
        let store = Arc::clone(&names.left_store);
        builder.add_store(side_store(&store, (&joined.key, &joined.left), windows, &joined));
        let kept = keep(stream, &names.keep_left, &store, (&joined.key, &joined.left));
        let (joiner, key, value) = (Arc::new(joiner), joined.key, joined.left);
        let store_name = Arc::clone(&store);
        let make: MakeNode = Box::new(move |wiring| {
            Box::new(Typed::new(SelfJoin {
                store: wiring.store(&store_name),
                windows,
                observed: Timestamp::UNKNOWN,
                observed_key: format!("{}-observed", wiring.node.name).into(),
                key: Arc::clone(&key),
                value: Arc::clone(&value),
                joiner: Arc::clone(&joiner),
                found: Vec::new(),
                types: PhantomData,
            }))
        });
        let role = NodeRole::Processor { make };
        let node = builder.add_node::<Record<K, V>, Record<K, O>>(names.merge, vec![kept], role, vec![store]);
        KStream::new(builder, node, false)
    }
}

struct SelfJoin<F, K, V, O> {
    store: StoreHandle<WindowStore<K, V>>,
    windows: JoinWindows,
    observed: Timestamp,
    observed_key: Arc<str>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    joiner: Arc<F>,
    found: Vec<(Timestamp, Entry<V>)>,
    types: PhantomData<fn() -> O>,
}

impl<F, K: StoreKey, V: Data, O: Data> SelfJoin<F, K, V, O> {
    fn fetch(
        &mut self,
        record: &Record<K, V>,
        (before, after): (i64, i64),
        cx: &mut Context<'_, K, O>,
    ) -> Result<(), ProcessError> {
        let from = record.timestamp.minus_millis(before).max(Timestamp(0));
        let to = record.timestamp.plus_millis(after).max(Timestamp(0));
        self.found.clear();
        Ok(cx.store(self.store).fetch(&record.key, from, to, &mut self.found)?)
    }
}

impl<F, K, V, O> Processor<K, V, K, O> for SelfJoin<F, K, V, O>
where
    F: Fn(&K, &V, &V) -> O + Send + Sync + 'static,
    K: StoreKey,
    V: Data,
    O: Data,
{
    fn init(&mut self, cx: &mut Context<'_, K, O>) -> Result<(), ProcessError> {
        self.observed = cx.recall(&self.observed_key).map_or(Timestamp::UNKNOWN, Timestamp);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut Context<'_, K, O>) -> Result<(), ProcessError> {
        if self.key.is_null(&record.key) {
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        }
        if self.value.is_null(&record.value) {
            cx.drop_record(DropReason::NullValue);
            return Ok(());
        }
        let (time, windows) = (record.timestamp, self.windows);
        self.observed = self.observed.max(time);
        let retention = windows.size_ms() + windows.grace;
        // A record that its own store would refuse does not meet itself.
        let mut itself = (time > self.observed.minus_millis(retention).plus_millis(1))
            .then(|| (self.joiner)(&record.key, &record.value, &record.value));
        let joiner = Arc::clone(&self.joiner);
        let send = |value: O, timestamp: Timestamp, cx: &mut Context<'_, K, O>| {
            let (key, headers) = (record.key.clone(), record.headers.clone());
            cx.forward(Record { key, value, timestamp, headers })
        };
        self.fetch(&record, (windows.before, windows.after), cx)?;
        for (at, other) in &self.found {
            send(joiner(&record.key, &record.value, &other.value), time.max(*at), cx)?;
        }
        self.fetch(&record, (windows.after, windows.before), cx)?;
        for (at, other) in &self.found {
            // Results come in order of time.
            if *at > time
                && let Some(value) = itself.take()
            {
                send(value, time, cx)?;
            }
            send(joiner(&record.key, &other.value, &record.value), time.max(*at), cx)?;
        }
        itself.map_or(Ok(()), |value| send(value, time, cx))
    }

    fn flush(&mut self, cx: &mut Context<'_, K, O>) -> Result<(), ProcessError> {
        cx.remember(&self.observed_key, self.observed.0);
        Ok(())
    }
}
