//! `peek` and `for_each`: look at records on their way, or at their end. What they do outside may happen again after
//! a crash.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::processor::InPlace;
use crate::record::Record;

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Calls `look` with each record and passes it on unchanged.
    ///
    /// ```
    /// use candlewick::{Consumed, Produced, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .peek(|key, number| println!("{key}: {number}"))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=4 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// assert_eq!(values, [1, 2, 3, 4]);
    /// ```
    pub fn peek(self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        let look = Arc::new(look);
        self.then(
            "KSTREAM-PEEK-",
            Vec::new(),
            Box::new(move |_| {
                let look = Arc::clone(&look);
                Box::new(InPlace::new(move |record: &mut Record<K, V>| {
                    look(&record.key, &record.value);
                    true
                }))
            }),
        )
    }

    /// Calls `act` with each record; the stream ends here.
    ///
    /// ```
    /// use candlewick::{Consumed, StreamsBuilder};
    /// # use candlewick::{I64Serde, StringSerde, Timestamp, TopologyTestDriver};
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicI64, Ordering};
    /// let sum = Arc::new(AtomicI64::new(0));
    /// let added = Arc::clone(&sum);
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .for_each(move |_, number| {
    ///         added.fetch_add(*number, Ordering::Relaxed);
    ///     });
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in 1..=4 { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// // 1, 2, 3 and 4 were seen.
    /// assert_eq!(sum.load(Ordering::Relaxed), 10);
    /// ```
    pub fn for_each(self, act: impl Fn(&K, &V) + Send + Sync + 'static) {
        let act = Arc::new(act);
        self.then::<K, V>(
            "KSTREAM-FOREACH-",
            Vec::new(),
            Box::new(move |_| {
                let act = Arc::clone(&act);
                Box::new(InPlace::new(move |record: &mut Record<K, V>| {
                    act(&record.key, &record.value);
                    false
                }))
            }),
        );
    }
}
