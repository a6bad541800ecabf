//! `group_by_key` and `group_by` of streams.

use std::sync::Arc;

use crate::dsl::{Data, Grouped, KGroupedStream, KStream};

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Groups by the key as it is. Repartitions first if the key may have changed since the records were partitioned.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .reduce(|sum, number| sum + number, Materialized::named("sums"))
    ///     .to_stream()
    ///     .map_values(|sum| sum.unwrap_or(0))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=4 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // 1, 2, 3 and 4 of one key add up.
    /// assert_eq!(values, [1, 3, 6, 10]);
    /// ```
    pub fn group_by_key(self, grouped: Grouped<K, V>) -> KGroupedStream<'b, K, V> {
        KGroupedStream::new(self, grouped)
    }

    /// Groups by a new key: [`select_key`](Self::select_key) and [`group_by_key`](Self::group_by_key).
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, String>::default())
    ///     .group_by(|_, word| word.clone(), Grouped::default())
    ///     .count(Materialized::named("counts"))
    ///     .to_stream()
    ///     .map_values(|count| count.unwrap_or(0))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, StringSerde);
    /// # for (n, word) in (0..).zip(["a", "b", "a"]) { input.pipe("k".to_string(), word.to_string(), Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let pairs: Vec<(String, i64)> = out.read_all().into_iter().map(|(key, value, _)| (key, value)).collect();
    /// assert_eq!(pairs, [("a".to_owned(), 1), ("b".to_owned(), 1), ("a".to_owned(), 2)]);
    /// ```
    pub fn group_by<K2: Data>(
        self,
        selector: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
        grouped: Grouped<K2, V>,
    ) -> KGroupedStream<'b, K2, V> {
        let keyed = self.select_key(selector);
        let keyed = grouped.name.as_ref().map_or(keyed, |name| keyed.named(Arc::clone(name)));
        KGroupedStream::new(keyed, grouped)
    }
}
