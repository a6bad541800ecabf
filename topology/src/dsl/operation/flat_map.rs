//! `flat_map` and `flat_map_values`: any number of records for one record.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::error::ProcessError;
use crate::plan::Effect;
use crate::processor::{Context, MapNode};
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Makes any number of records of each; all keep its time and headers.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, String>::default())
    ///     .flat_map(|_, line| line.split(' ').map(|word| (word.to_owned(), 1)).collect::<Vec<_>>())
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, StringSerde);
    /// # for (n, word) in (0..).zip(["to be", "or not"]) { input.pipe("k".to_string(), word.to_string(), Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let pairs: Vec<(String, i64)> = out.read_all().into_iter().map(|(key, value, _)| (key, value)).collect();
    /// # let keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
    /// // "to be" and "or not" become records of these keys:
    /// assert_eq!(keys, ["to", "be", "or", "not"]);
    /// ```
    pub fn flat_map<K2: Data, V2: Data, I>(
        self,
        mapper: impl Fn(K, V) -> I + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2>
    where
        I: IntoIterator<Item = (K2, V2)>,
    {
        let mapper = Arc::new(mapper);
        self.then(
            "KSTREAM-FLATMAP-",
            Vec::new(),
            Box::new(move |_| {
                let mapper = Arc::clone(&mapper);
                let run =
                    move |record: Record<K, V>, cx: &mut Context<'_, K2, V2>| -> Result<(), ProcessError> {
                        for (key, value) in mapper(record.key, record.value) {
                            let headers = record.headers.clone();
                            cx.forward(Record { key, value, timestamp: record.timestamp, headers })?;
                        }
                        Ok(())
                    };
                Box::new(MapNode::new(run))
            }),
        )
        .rekeyed()
    }

    /// Makes any number of values of each value; all keep its key, time and headers.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, String>::default())
    ///     .flat_map_values(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, StringSerde);
    /// # for (n, word) in (0..).zip(["to be", "or not"]) { input.pipe("k".to_string(), word.to_string(), Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, String>("out", StringSerde, StringSerde);
    /// # let values: Vec<String> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of "to be" and "or not":
    /// assert_eq!(values, ["to", "be", "or", "not"]);
    /// ```
    pub fn flat_map_values<V2: Data, I>(
        self,
        mapper: impl Fn(V) -> I + Send + Sync + 'static,
    ) -> KStream<'b, K, V2>
    where
        I: IntoIterator<Item = V2>,
    {
        let mapper = Arc::new(mapper);
        self.then(
            "KSTREAM-FLATMAPVALUES-",
            Vec::new(),
            Box::new(move |_| {
                let mapper = Arc::clone(&mapper);
                let run =
                    move |record: Record<K, V>, cx: &mut Context<'_, K, V2>| -> Result<(), ProcessError> {
                        for value in mapper(record.value) {
                            let (key, headers) = (record.key.clone(), record.headers.clone());
                            cx.forward(Record { key, value, timestamp: record.timestamp, headers })?;
                        }
                        Ok(())
                    };
                Box::new(MapNode::new(run))
            }),
        )
        .with_effect(Effect::Value)
    }
}
