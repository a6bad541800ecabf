//! `process` and `process_values`: the Processor API within the DSL.

use std::sync::Arc;

use crate::dsl::{Data, KStream};
use crate::plan::Effect;
use crate::processor::{FixedKey, FixedKeyProcessor, Processor, Typed};
use crate::state::{GlobalHandle, StoreHandle};

/// What a supplier is given when it makes a processor: handles of the stores it was connected to.
///
/// ```
/// use candlewick::{KeyValueStore, ProcessorStores, StoreHandle};
///
/// struct Seen {
///     counts: StoreHandle<KeyValueStore<String, i64>>,
/// }
///
/// /// A supplier, for `stream.process(&["counts"], seen)`.
/// fn seen(stores: &ProcessorStores<'_>) -> Seen {
///     Seen { counts: stores.get("counts") }
/// }
/// # let _ = seen;
/// ```
pub struct ProcessorStores<'a> {
    wiring: &'a crate::plan::Wiring<'a>,
}

impl<'a> ProcessorStores<'a> {
    pub(in crate::dsl) fn new(wiring: &'a crate::plan::Wiring<'a>) -> Self {
        Self { wiring }
    }
}

impl ProcessorStores<'_> {
    /// The handle of a connected store. `S` must be the type it was built with.
    ///
    /// ```
    /// use candlewick::{KeyValueStore, ProcessorStores, StoreHandle};
    /// // Where no field tells the type, name it.
    /// fn counts(stores: &ProcessorStores<'_>) -> StoreHandle<KeyValueStore<String, i64>> {
    ///     stores.get::<KeyValueStore<String, i64>>("counts")
    /// }
    /// # let _ = counts;
    /// ```
    ///
    /// # Panics
    /// When the processor was not connected to a store of this name.
    #[must_use]
    pub fn get<S: 'static>(&self, name: &str) -> StoreHandle<S> {
        assert!(
            self.wiring.node.stores.iter().any(|store| &**store == name),
            "{} is not connected to store {name}: name it where the processor is added",
            self.wiring.node.name,
        );
        self.wiring.store(name)
    }

    /// The handle of a global table or store, which needs no connection: every processor may read it. `K` and `V` are the
    /// types of its keys and values.
    ///
    /// ```
    /// use candlewick::{Context, GlobalHandle, ProcessError, Processor, ProcessorStores, Record};
    ///
    /// /// Amounts at the rate of their currency.
    /// struct Convert {
    ///     rates: GlobalHandle<String, f64>,
    /// }
    ///
    /// impl Processor<String, f64, String, f64> for Convert {
    ///     fn process(&mut self, record: Record<String, f64>, cx: &mut Context<'_, String, f64>) -> Result<(), ProcessError> {
    ///         match cx.global(&self.rates).get(&record.key)? {
    ///             Some(rate) => {
    ///                 let amount = record.value * rate.value;
    ///                 cx.forward(record.with_value(amount))
    ///             }
    ///             None => Ok(()),
    ///         }
    ///     }
    /// }
    ///
    /// /// A supplier, for `stream.process(&[], convert)`.
    /// fn convert(stores: &ProcessorStores<'_>) -> Convert {
    ///     Convert { rates: stores.global("rates") }
    /// }
    /// # let _ = convert;
    /// ```
    ///
    /// # Panics
    /// When there is no global table or store of this name and these types.
    #[must_use]
    pub fn global<K: 'static, V: 'static>(&self, name: &str) -> GlobalHandle<K, V> {
        let types = std::any::type_name::<(K, V)>;
        self.wiring.global(name).unwrap_or_else(|| {
            let node = &self.wiring.node.name;
            panic!("{node}: there is no global table or store {name} of {}", types())
        })
    }
}

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Runs a processor over the stream. `supplier` is called once per task, with the handles of the `stores` named.
    /// What comes out counts as rekeyed; use [`process_values`](Self::process_values) when keys stay.
    ///
    /// ```
    /// use candlewick::{
    ///     Consumed, Context, I64Serde, KeyValueStore, ProcessError, Processor, Produced, Record, StoreHandle,
    ///     Stores, StreamsBuilder, StringSerde,
    /// };
    /// # use candlewick::{Timestamp, TopologyTestDriver};
    /// /// Forwards a number only when it is not the one before it.
    /// struct Changes {
    ///     last: StoreHandle<KeyValueStore<String, i64>>,
    /// }
    ///
    /// impl Processor<String, i64, String, i64> for Changes {
    ///     fn process(
    ///         &mut self,
    ///         record: Record<String, i64>,
    ///         cx: &mut Context<'_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         let (key, time) = (record.key.clone(), record.timestamp);
    ///         let last = cx.store(self.last);
    ///         let before = last.get(&key)?.map(|entry| entry.value);
    ///         last.put(key, record.value, time)?;
    ///         if before == Some(record.value) { Ok(()) } else { cx.forward(record) }
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.add_store(Stores::key_value::<String, i64>("last", StringSerde, I64Serde));
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .process(&["last"], |stores| Changes { last: stores.get("last") })
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 1, 2, 2, 1] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1, 1, 2, 2 and 1:
    /// assert_eq!(values, [1, 2, 1]);
    /// ```
    pub fn process<K2: Data, V2: Data, P: Processor<K, V, K2, V2>>(
        self,
        stores: &[&str],
        supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2> {
        self.processor("KSTREAM-PROCESSOR-", stores, supplier).rekeyed()
    }

    /// Runs a processor that keeps every record's key, which its type enforces, so that no repartition is needed below it.
    ///
    /// ```
    /// use candlewick::{
    ///     Consumed, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, ProcessError, Produced, StreamsBuilder,
    /// };
    /// # use candlewick::*;
    ///
    /// /// The sum of the numbers so far.
    /// struct Sum(i64);
    ///
    /// impl FixedKeyProcessor<String, i64, i64> for Sum {
    ///     fn process(
    ///         &mut self,
    ///         record: FixedKeyRecord<String, i64>,
    ///         cx: &mut FixedKeyContext<'_, '_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         self.0 += record.value;
    ///         cx.forward(record.with_value(self.0))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream("in", Consumed::<String, i64>::default())
    ///     .process_values(&[], |_| Sum(0))
    ///     .to("out", Produced::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [1, 2, 3] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 1, 2 and 3:
    /// assert_eq!(values, [1, 3, 6]);
    /// ```
    pub fn process_values<V2: Data, P: FixedKeyProcessor<K, V, V2>>(
        self,
        stores: &[&str],
        supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
    ) -> KStream<'b, K, V2> {
        self.processor("KSTREAM-PROCESSVALUES-", stores, move |stores| FixedKey(supplier(stores)))
            .with_effect(Effect::Value)
    }

    fn processor<K2: Data, V2: Data, P: Processor<K, V, K2, V2>>(
        self,
        prefix: &str,
        stores: &[&str],
        supplier: impl Fn(&ProcessorStores<'_>) -> P + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2> {
        let stores: Vec<Arc<str>> = stores.iter().map(|store| (*store).into()).collect();
        let name = self.builder.graph.borrow_mut().next_name_unless_named(prefix);
        self.then_named(
            name,
            stores,
            Box::new(move |wiring| {
                Box::new(Typed::<P, K, V, K2, V2>::new(supplier(&ProcessorStores::new(wiring))))
            }),
        )
    }
}
