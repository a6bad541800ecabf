//! `select_key`: another key for the same value.

use crate::dsl::{Data, KStream};
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Gives each record a new key. Grouping and joining repartition the stream by it when they need to.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .select_key(|_, number| if number % 2 == 0 { "even".to_owned() } else { "odd".to_owned() })
    ///     .to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=2 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let pairs: Vec<(String, i64)> = out.read_all().into_iter().map(|(key, value, _)| (key, value)).collect();
    /// assert_eq!(pairs, [("odd".to_owned(), 1), ("even".to_owned(), 2)]);
    /// ```
    pub fn select_key<K2: Data>(
        self,
        selector: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
    ) -> KStream<'b, K2, V> {
        self.map_records("KSTREAM-KEY-SELECT-", move |record: Record<K, V>| {
            let key = selector(&record.key, &record.value);
            record.with_key(key)
        })
        .rekeyed()
    }
}
