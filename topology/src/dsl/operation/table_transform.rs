//! `transform_values` of tables: a value for a value, by a function of its own state that may read and write stores.

use std::marker::PhantomData;
use std::sync::Arc;

use super::kept::Kept;
use super::process::ProcessorStores;
use crate::dsl::ktable::{KeptIn, TableInfo};
use crate::dsl::options::SharedSerde;
use crate::dsl::value_getter::ValueGetter;
use crate::dsl::{Change, Data, KTable, StoreKey};
use crate::error::ProcessError;
use crate::plan::{MakeNode, Wiring};
use crate::processor::{Context, Env, Node, Processor, Typed};
use crate::record::Record;
use crate::state::{Entry, GlobalHandle, GlobalStore, StoreHandle};
use crate::time::Timestamp;

/// What a table's transformer sees of its task.
///
/// ```
/// use candlewick::{Consumed, KeyValueStore, Materialized, Produced, StreamsBuilder, TableContext};
/// # use candlewick::*;
/// let builder = StreamsBuilder::new();
/// builder
///     .table("in", Consumed::<String, Option<i64>>::default(), Materialized::named("numbers"))
///     .transform_values(&["numbers"], |stores| {
///         let numbers = stores.get::<KeyValueStore<String, i64>>("numbers");
///         move |key: &String, number: Option<i64>, cx: &mut TableContext<'_>| {
///             // The table above has the new value already.
///             let kept = cx.store(numbers).get(key)?.map(|entry| entry.value);
///             Ok((kept == number).then_some(cx.stream_time().as_millis()))
///         }
///     })
///     .to_stream()
///     .map_values(|time| time.unwrap_or(0))
///     .to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [3, 7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 3 and 7, each at its own time:
/// assert_eq!(values, [3, 7]);
/// ```
pub struct TableContext<'a> {
    env: &'a mut Env,
}

impl TableContext<'_> {
    /// A store that was connected when the transformer was declared.
    ///
    /// ```
    /// use candlewick::{KeyValueStore, Stores, TableContext};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// builder.add_store(Stores::key_value::<String, i64>("sums", StringSerde, I64Serde));
    /// let sums = numbers.transform_values(&["sums"], |stores| {
    ///     let sums = stores.get::<KeyValueStore<String, i64>>("sums");
    ///     move |key: &String, number: Option<i64>, cx: &mut TableContext<'_>| {
    ///         let sum = cx.store(sums).get(key)?.map_or(0, |entry| entry.value) + number.unwrap_or(0);
    ///         let time = cx.stream_time();
    ///         cx.store(sums).put(key.clone(), sum, time)?;
    ///         Ok(Some(sum))
    ///     }
    /// });
    /// # sums.to_stream().map_values(|sum| sum.unwrap_or(0)).to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for n in [3, 7] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of 3 and 7:
    /// assert_eq!(values, [3, 10]);
    /// ```
    pub fn store<S: 'static>(&mut self, handle: StoreHandle<S>) -> &mut S {
        self.env.store(handle)
    }

    /// A global table or store, by the handle of [`ProcessorStores::global`].
    ///
    /// ```
    /// use candlewick::TableContext;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.global_table("rates", Consumed::<String, Option<i64>>::default(), Materialized::named("rates"));
    /// # let numbers = builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// let euros = numbers.transform_values(&[], |stores| {
    ///     let rates = stores.global::<String, i64>("rates");
    ///     move |key: &String, number: Option<i64>, cx: &mut TableContext<'_>| {
    ///         let rate = cx.global(&rates).get(key)?.map_or(0, |rate| rate.value);
    ///         Ok(number.map(|number| number * rate))
    ///     }
    /// });
    /// # euros.to_stream().map_values(|sum| sum.unwrap_or(0)).to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # let rates = driver.input_topic("rates", StringSerde, I64Serde);
    /// # rates.pipe("BTC".to_owned(), 90_000, Timestamp(0)).expect("processed");
    /// # input.pipe("BTC".to_owned(), 2, Timestamp(1)).expect("processed");
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// // Of two bitcoins at 90,000:
    /// assert_eq!(out.read_value(), Some(180_000));
    /// ```
    pub fn global<'g, A: 'static, B: 'static>(
        &'g mut self,
        handle: &'g GlobalHandle<A, B>,
    ) -> GlobalStore<'g, A, B> {
        self.env.global(handle)
    }

    /// The greatest record time this task has seen.
    ///
    /// ```
    /// use candlewick::TableContext;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.table("in", Consumed::<String, Option<i64>>::default(), Materialized::<String, i64>::named("numbers"));
    /// let times = numbers.transform_values(&[], |_| {
    ///     |_: &String, _: Option<i64>, cx: &mut TableContext<'_>| Ok(Some(cx.stream_time().as_millis()))
    /// });
    /// # times.to_stream().map_values(|time| time.unwrap_or(0)).to("out", Produced::<String, i64>::default());
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # let input = driver.input_topic("in", StringSerde, I64Serde);
    /// # for (key, time) in [("a", 8), ("b", 3)] { input.pipe(key.to_string(), 1, Timestamp(time)).expect("processed"); }
    /// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
    /// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
    /// // Of rows at 8 and 3:
    /// assert_eq!(values, [8, 8]);
    /// ```
    #[must_use]
    pub fn stream_time(&self) -> Timestamp {
        self.env.stream_time
    }
}

/// A transformer: of a key and its value, or of a deletion, to another value, or to none.
trait Transform<K, V, W>:
    FnMut(&K, Option<V>, &mut TableContext<'_>) -> Result<Option<W>, ProcessError> + Send + 'static
{
}

impl<K, V, W, T> Transform<K, V, W> for T where
    T: FnMut(&K, Option<V>, &mut TableContext<'_>) -> Result<Option<W>, ProcessError> + Send + 'static
{
}

impl<'b, K: StoreKey, V: Data> KTable<'b, K, V> {
    /// Makes a new value of each value, and of each deletion, by a function that may keep state in the `stores` named.
    /// `supplier` is called once per task, and once for each node that looks this table up; give the table a store with
    /// [`materialized`](Self::materialized) if a look-up must not run the function again.
    ///
    /// ```
    /// use candlewick::{Consumed, KeyValueStore, Materialized, Stores, StreamsBuilder, I64Serde, StringSerde};
    /// let builder = StreamsBuilder::new();
    /// builder.add_store(Stores::key_value::<String, i64>("factors", StringSerde, I64Serde));
    /// let prices = builder.table("prices", Consumed::<String, Option<i64>>::default(), Materialized::named("prices"));
    /// let scaled = prices.transform_values(&["factors"], |stores| {
    ///     let factors = stores.get::<KeyValueStore<String, i64>>("factors");
    ///     move |key: &String, price: Option<i64>, cx: &mut candlewick::TableContext<'_>| {
    ///         let factor = cx.store(factors).get(key)?.map_or(1, |entry| entry.value);
    ///         Ok(price.map(|price| price * factor))
    ///     }
    /// });
    /// # let _ = scaled;
    /// # builder.build().expect("valid");
    /// ```
    pub fn transform_values<W: Data, T>(
        self,
        stores: &[&str],
        supplier: impl Fn(&ProcessorStores<'_>) -> T + Send + Sync + 'static,
    ) -> KTable<'b, K, W>
    where
        T: FnMut(&K, Option<V>, &mut TableContext<'_>) -> Result<Option<W>, ProcessError> + Send + 'static,
    {
        let (info, supplier) = (self.info(), Arc::new(supplier));
        let stores: Vec<Arc<str>> = stores.iter().map(|store| (*store).into()).collect();
        let getter = info.getter.map(|getter| looked_up(&getter, &stores, Arc::clone(&supplier)));
        let name = self.builder.next_name("KTABLE-TRANSFORMVALUES-");
        let bare = make::<_, T, K, V, W>(Arc::clone(&supplier), None);
        let below: KTable<'b, K, W> = self.then(name, stores, bare);
        below.builder.graph.borrow_mut().node_mut(below.node).old_from_parent = true;
        let keep = Arc::new(move |kept| make::<_, T, K, V, W>(Arc::clone(&supplier), Some(kept)));
        below.with_info(TableInfo { getter, key: info.key, value: None, keep: Some(keep) })
    }
}

/// Looks a row up in the table above and transforms it.
fn looked_up<K: StoreKey, V: Data, W: Data, T: Transform<K, V, W>>(
    above: &ValueGetter<K, V>,
    stores: &[Arc<str>],
    supplier: Arc<impl Fn(&ProcessorStores<'_>) -> T + Send + Sync + 'static>,
) -> ValueGetter<K, W> {
    let make_above = Arc::clone(&above.make);
    let mut all = above.stores.clone();
    all.extend(stores.iter().filter(|store| !above.stores.contains(store)).cloned());
    ValueGetter {
        stores: all,
        versioned: above.versioned,
        make: Arc::new(move |wiring: &Wiring<'_>| {
            let (mut get, mut transform) = (make_above(wiring), supplier(&ProcessorStores::new(wiring)));
            Box::new(move |env, key, at| {
                let Some(Entry { value, timestamp }) = get(env, key, at)? else { return Ok(None) };
                let value = transform(key, Some(value), &mut TableContext { env })?;
                Ok(value.map(|value| Entry { value, timestamp }))
            })
        }),
    }
}

fn make<S, T, K: StoreKey, V: Data, W: Data>(supplier: Arc<S>, kept: Option<KeptIn<W>>) -> MakeNode
where
    S: Fn(&ProcessorStores<'_>) -> T + Send + Sync + 'static,
    T: Transform<K, V, W>,
{
    Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
        Box::new(Typed::<_, K, Change<V>, K, Change<W>>::new(TableTransform {
            transform: supplier(&ProcessorStores::new(wiring)),
            kept: kept.as_ref().map(|kept| (Kept::new(wiring, &kept.store), Arc::clone(&kept.value))),
            send_old: wiring.node.send_old,
            types: PhantomData,
        }))
    })
}

struct TableTransform<T, K: StoreKey, V, W: Data> {
    transform: T,
    /// The store of a table that was given one, and how its values are written.
    kept: Option<(Kept<K, W>, SharedSerde<W>)>,
    send_old: bool,
    types: PhantomData<fn(V)>,
}

impl<T, K, V, W> Processor<K, Change<V>, K, Change<W>> for TableTransform<T, K, V, W>
where
    T: Transform<K, V, W>,
    K: StoreKey,
    V: Data,
    W: Data,
{
    fn init(&mut self, cx: &mut Context<'_, K, Change<W>>) -> Result<(), ProcessError> {
        if let Some((kept, _)) = &self.kept {
            kept.init(cx);
        }
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<K, Change<V>>,
        cx: &mut Context<'_, K, Change<W>>,
    ) -> Result<(), ProcessError> {
        let Record { key, value: Change { old, new, is_latest }, timestamp, headers } = record;
        let new = (self.transform)(&key, new, &mut TableContext { env: cx.env() })?;
        let value = match &mut self.kept {
            None if self.send_old => {
                let old = (self.transform)(&key, old, &mut TableContext { env: cx.env() })?;
                Change { old, new, is_latest }
            }
            None => Change { old: None, new, is_latest },
            Some((kept, serde)) => {
                let new = new.filter(|value| !serde.is_null(value));
                let told = kept.replace(&key, new, timestamp, cx)?;
                let Some((change, _)) = told else { return Ok(()) };
                change
            }
        };
        cx.forward(Record { key, value, timestamp, headers })
    }

    fn flush(&mut self, cx: &mut Context<'_, K, Change<W>>) -> Result<(), ProcessError> {
        self.kept.as_mut().map_or(Ok(()), |(kept, _)| kept.flush(cx))
    }
}
