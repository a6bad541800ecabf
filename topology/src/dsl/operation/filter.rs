//! `filter` and `filter_not`: keep records by a predicate. Looks at the record in place.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::processor::InPlace;
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Keeps the records for which `predicate` holds. Null keys and values (`Option` types) are shown to it too.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .filter(|_, number| number % 2 == 0)
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=4 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1, 2, 3 and 4:
    /// assert_eq!(values, [2, 4]);
    /// ```
    pub fn filter(self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let predicate = Arc::new(predicate);
        self.then(
            "KSTREAM-FILTER-",
            Vec::new(),
            Box::new(move |_| {
                let predicate = Arc::clone(&predicate);
                Box::new(InPlace::new(move |record: &mut Record<K, V>| predicate(&record.key, &record.value)))
            }),
        )
    }

    /// Keeps the records for which `predicate` does not hold.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .filter_not(|_, number| number % 2 == 0)
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=4 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1, 2, 3 and 4:
    /// assert_eq!(values, [1, 3]);
    /// ```
    pub fn filter_not(self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !predicate(key, value))
    }
}
