//! Stores of a user's own making: a structure in memory, such as an order book or a heap, whose changes are rows. Owns the
//! trait and what makes such a structure as durable as any other store: rows in an engine, a changelog, a commit, a way
//! back. Must not know what the rows mean.

use std::any::Any;
use std::fmt;
use std::ops::{Bound, Deref, DerefMut};

use super::StateStore;
use super::error::StoreError;
use super::overlay::{Layer, WHOLE};
use crate::record::RecordRun;
use crate::serde::SerdeError;
use crate::time::Timestamp;

/// A change of a row: its key, its new bytes or that it is gone, and the time of the change.
///
/// ```
/// use candlewick::{RowSink, Timestamp};
/// /// The `take_changes` of a store that counts.
/// fn take_changes(count: u64, sink: &mut RowSink<'_>) {
///     sink(b"count", Some(&count.to_be_bytes()), Timestamp::UNKNOWN);
/// }
/// let mut rows = Vec::new();
/// take_changes(7, &mut |key, value, _| rows.push((key.to_vec(), value.map(<[u8]>::to_vec))));
/// assert_eq!(rows, [(b"count".to_vec(), Some(7_u64.to_be_bytes().to_vec()))]);
/// ```
pub type RowSink<'s> = dyn FnMut(&[u8], Option<&[u8]>, Timestamp) + 's;

/// A structure of your own that a processor keeps its state in.
///
/// It is in memory as you like it. At every commit it tells which rows changed; these are kept by the engine, go to the
/// changelog, and come back by [`apply`](Self::apply) when the task starts anew or is brought back to its last commit. So
/// it is restored and committed exactly as the stores of the framework are.
///
/// ```
/// use std::collections::BTreeSet;
/// use candlewick::{
///     Consumed, Context, CustomStore, ProcessError, Processor, Produced, Record, RowSink, SerdeError, StoreHandle,
///     Stores, StreamsBuilder, Timestamp, UserStore,
/// };
/// # use candlewick::{I64Serde, StringSerde, TopologyTestDriver};
///
/// /// The greatest numbers so far.
/// #[derive(Default)]
/// struct Top {
///     numbers: BTreeSet<i64>,
///     changed: Vec<(i64, bool)>,
/// }
///
/// impl CustomStore for Top {
///     fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), SerdeError> {
///         let number = i64::from_be_bytes(key.try_into().map_err(|_| SerdeError::Malformed {
///             format: "number",
///             reason: format!("{} bytes instead of 8", key.len()),
///         })?);
///         match value {
///             Some(_) => self.numbers.insert(number),
///             None => self.numbers.remove(&number),
///         };
///         Ok(())
///     }
///
///     fn take_changes(&mut self, sink: &mut RowSink<'_>) {
///         for (number, is_there) in self.changed.drain(..) {
///             sink(&number.to_be_bytes(), is_there.then_some(&[]), Timestamp::UNKNOWN);
///         }
///     }
///
///     fn clear(&mut self) {
///         *self = Self::default();
///     }
/// }
///
/// struct Best {
///     top: StoreHandle<UserStore<Top>>,
/// }
///
/// impl Processor<String, i64, String, i64> for Best {
///     fn process(
///         &mut self,
///         record: Record<String, i64>,
///         cx: &mut Context<'_, String, i64>,
///     ) -> Result<(), ProcessError> {
///         let top = cx.store(self.top);
///         if top.numbers.insert(record.value) {
///             top.changed.push((record.value, true));
///         }
///         while top.numbers.len() > 2
///             && let Some(least) = top.numbers.pop_first()
///         {
///             top.changed.push((least, false));
///         }
///         let sum = top.numbers.iter().sum();
///         cx.forward(record.with_value(sum))
///     }
/// }
///
/// let builder = StreamsBuilder::new();
/// builder.add_store(Stores::custom("top", Top::default));
/// builder
///     .stream("in", Consumed::<String, i64>::default())
///     .process(&["top"], |stores| Best { top: stores.get("top") })
///     .to("out", Produced::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [3, 5, 1, 9] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 3, 5, 1 and 9:
/// assert_eq!(values, [3, 8, 8, 14]);
/// ```
pub trait CustomStore: Send + 'static {
    /// Takes up a row as it was committed: `None` is a row that is gone. Called for all rows in the order of their keys when
    /// the task starts and after a [`clear`](Self::clear), and for those of the changelog in its order while it is restored.
    ///
    /// # Errors
    /// When the row is not one of yours: the task stops and says so.
    fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), SerdeError>;

    /// Hands every row to `sink` that changed since the last call, in the order of the changes or the last of each key.
    /// The time goes to the changelog; [`Timestamp::UNKNOWN`] lets the log stamp the record.
    fn take_changes(&mut self, sink: &mut RowSink<'_>);

    /// Forgets everything, changes that nobody has taken included.
    fn clear(&mut self);
}

/// A [`CustomStore`] among the stores of a task; it is used as the structure itself.
///
/// ```
/// use candlewick::{CustomStore, RowSink, SerdeError, Stores, Timestamp, UserStore};
/// # use candlewick::*;
/// /// How many records there were.
/// #[derive(Default)]
/// struct Count(u64);
///
/// impl CustomStore for Count {
///     fn apply(&mut self, _: &[u8], value: Option<&[u8]>) -> Result<(), SerdeError> {
///         self.0 = value.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
///         Ok(())
///     }
///
///     fn take_changes(&mut self, sink: &mut RowSink<'_>) {
///         sink(b"count", Some(&self.0.to_be_bytes()), Timestamp::UNKNOWN);
///     }
///
///     fn clear(&mut self) {
///         self.0 = 0;
///     }
/// }
/// # struct Idle;
/// # impl Processor<String, i64, String, i64> for Idle { fn process(&mut self, _: Record<String, i64>, _: &mut Context<'_, String, i64>) -> Result<(), ProcessError> { Ok(()) } }
/// # let builder = StreamsBuilder::new();
/// builder.add_store(Stores::custom("count", Count::default));
/// # builder.stream("in", Consumed::<String, i64>::default()).process::<String, i64, _>(&["count"], |_| Idle);
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// driver.with_store("count", |count: &mut UserStore<Count>| {
///     count.0 += 1;
///     assert_eq!(count.0, 1);
/// });
/// ```
pub struct UserStore<S> {
    structure: S,
    layer: Layer,
}

impl<S: CustomStore> UserStore<S> {
    pub(crate) fn new(structure: S, layer: Layer) -> Result<Self, StoreError> {
        let mut store = Self { structure, layer };
        store.reload()?;
        Ok(store)
    }

    /// Brings the structure to what the engine holds.
    fn reload(&mut self) -> Result<(), StoreError> {
        let Self { structure, layer } = self;
        structure.clear();
        let store = layer.store.clone();
        layer.scan(WHOLE, (Bound::Unbounded, Bound::Unbounded), false, &mut |key, value| {
            let applied = structure.apply(key, Some(value));
            applied.map_err(|source| StoreError::Serde { store: store.clone(), source })
        })
    }
}

impl<S> Deref for UserStore<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.structure
    }
}

impl<S> DerefMut for UserStore<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.structure
    }
}

impl<S> fmt::Debug for UserStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserStore({})", self.layer.store)
    }
}

impl<S: CustomStore> StateStore for UserStore<S> {
    fn layer(&self) -> &Layer {
        &self.layer
    }

    fn layer_mut(&mut self) -> &mut Layer {
        &mut self.layer
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        let Self { structure, layer } = self;
        let mut outcome = Ok(());
        structure.take_changes(&mut |key, value, time| {
            let staged = layer.stage(WHOLE, key, value, time);
            if outcome.is_ok() {
                outcome = staged;
            }
        });
        outcome
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.layer.clear();
        self.reload()
    }

    fn restore(&mut self, run: &RecordRun) -> Result<(), StoreError> {
        for record in run.iter() {
            let Some(key) = record.key else { continue };
            let applied = self.structure.apply(key, record.value);
            applied.map_err(|source| StoreError::Serde { store: self.layer.store.clone(), source })?;
            self.layer.restored(WHOLE).push(key, &[], record.value);
        }
        Ok(())
    }
}
