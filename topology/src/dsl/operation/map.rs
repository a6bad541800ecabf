//! `map` and `map_values`: one record for one record.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::error::ProcessError;
use crate::plan::Effect;
use crate::processor::{Context, MapNode};
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Makes a new key and value of each record. The stream must be repartitioned before keys are grouped or joined,
    /// which those operations do by themselves; use [`map_values`](Self::map_values) when the key stays.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .map(|_, number| (number.to_string(), number * number))
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=2 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let pairs: Vec<(String, i64)> = out.read_all().into_iter().map(|(key, value, _)| (key, value)).collect();
    /// // Of 1 and 2:
    /// assert_eq!(pairs, [("1".to_owned(), 1), ("2".to_owned(), 4)]);
    /// ```
    pub fn map<K2: Data, V2: Data>(
        self,
        mapper: impl Fn(K, V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2> {
        self.map_records("KSTREAM-MAP-", move |record: Record<K, V>| {
            let (key, value) = mapper(record.key, record.value);
            Record { key, value, timestamp: record.timestamp, headers: record.headers }
        })
        .rekeyed()
    }

    /// Makes a new value of each value.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .map_values(|number| format!("no. {number}"))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=2 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, ["no. 1", "no. 2"]);
    /// ```
    pub fn map_values<V2: Data>(
        self,
        mapper: impl Fn(V) -> V2 + Send + Sync + 'static,
    ) -> KStream<'b, K, V2> {
        self.map_records("KSTREAM-MAPVALUES-", move |record: Record<K, V>| Record {
            key: record.key,
            value: mapper(record.value),
            timestamp: record.timestamp,
            headers: record.headers,
        })
        .with_effect(Effect::Value)
    }

    /// As [`map_values`](Self::map_values), for a mapper that looks at the key too.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .map_values_with_key(|key, number| format!("{key}{number}"))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=2 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1 and 2, both of key "k":
    /// assert_eq!(values, ["k1", "k2"]);
    /// ```
    pub fn map_values_with_key<V2: Data>(
        self,
        mapper: impl Fn(&K, V) -> V2 + Send + Sync + 'static,
    ) -> KStream<'b, K, V2> {
        self.map_records("KSTREAM-MAPVALUES-", move |record: Record<K, V>| {
            let value = mapper(&record.key, record.value);
            Record { key: record.key, value, timestamp: record.timestamp, headers: record.headers }
        })
        .with_effect(Effect::Value)
    }

    pub(crate) fn map_records<K2: Data, V2: Data>(
        self,
        prefix: &str,
        mapper: impl Fn(Record<K, V>) -> Record<K2, V2> + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2> {
        let mapper = Arc::new(mapper);
        self.then(
            prefix,
            Vec::new(),
            Box::new(move |_| {
                let mapper = Arc::clone(&mapper);
                let run = move |record: Record<K, V>,
                                cx: &mut Context<'_, K2, V2>|
                      -> Result<(), ProcessError> { cx.forward(mapper(record)) };
                Box::new(MapNode::new(run))
            }),
        )
    }
}
