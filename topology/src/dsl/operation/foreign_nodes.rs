//! The nodes of a foreign-key join, in the order of a change's way: rows subscribe to their foreign key, subscriptions are
//! kept and answered, foreign rows answer all that subscribed to them, and answers to rows that have changed since are
//! left out.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::dsl::options::SharedSerde;
use crate::dsl::subscription::{Answer, Combined, CombinedSerde, Instruction, RowHash, Subscription};
use crate::dsl::value_getter::GetValue;
use crate::dsl::{Change, Data, StoreKey};
use crate::error::ProcessError;
use crate::processor::{Context, DropReason, Hop, Node, Processor, take};
use crate::record::Record;
use crate::serde::murmur3::murmur3_128;
use crate::state::{Entry, KeyValueStore, StoreHandle};

type Asked<F, K> = Record<Option<F>, Subscription<K>>;

/// The hash of a row, of its bytes; the scratch buffer is reused.
fn hash_of<V: 'static>(
    serde: &SharedSerde<V>,
    row: Option<&V>,
    scratch: &mut Vec<u8>,
) -> Result<RowHash, ProcessError> {
    let Some(row) = row else { return Ok(None) };
    scratch.clear();
    serde.serialize("", row, scratch)?;
    Ok(Some(murmur3_128(scratch)))
}

/// Sends the subscriptions that a row's change needs.
pub(super) struct Subscribing<X, L, F> {
    foreign_key: Arc<X>,
    value: SharedSerde<L>,
    foreign: SharedSerde<F>,
    is_left: bool,
    scratch: Vec<u8>,
}

impl<X, L: Data, F: StoreKey> Subscribing<X, L, F> {
    pub(super) fn new(
        foreign_key: Arc<X>,
        value: SharedSerde<L>,
        foreign: SharedSerde<F>,
        is_left: bool,
    ) -> Self {
        Self { foreign_key, value, foreign, is_left, scratch: Vec::new() }
    }

    /// The foreign key of a row, unless it is null.
    fn key_of<K>(&self, key: &K, row: Option<&L>) -> Option<F>
    where
        X: Fn(&K, &L) -> Option<F>,
    {
        (self.foreign_key)(key, row?).filter(|foreign| !self.foreign.is_null(foreign))
    }
}

/// What is sent for a change from one foreign key to another: at most two subscriptions.
fn instructions<F: PartialEq>(
    is_left: bool,
    old: Option<F>,
    new: Option<F>,
) -> [Option<(Option<F>, Instruction)>; 2] {
    use Instruction::{Answer, AnswerIfFound, DeleteAndAnswer, DeleteSilently};
    match (old, new) {
        // A left join answers every change, also one to no foreign key.
        (Some(old), new) if is_left && new.as_ref() != Some(&old) => {
            [Some((Some(old), DeleteSilently)), Some((new, Answer))]
        }
        (_, new) if is_left => [Some((new, Answer)), None],
        (Some(old), Some(new)) if old != new => {
            [Some((Some(old), DeleteSilently)), Some((Some(new), Answer))]
        }
        // Where no foreign row is found now there was none before: nothing has to be taken back.
        (_, Some(new)) => [Some((Some(new), AnswerIfFound)), None],
        (Some(old), None) => [Some((Some(old), DeleteAndAnswer)), None],
        (None, None) => [None, None],
    }
}

impl<X, K, L, F> Processor<K, Change<L>, Option<F>, Subscription<K>> for Subscribing<X, L, F>
where
    X: Fn(&K, &L) -> Option<F> + Send + Sync + 'static,
    K: StoreKey,
    L: Data,
    F: StoreKey,
{
    fn process(
        &mut self,
        record: Record<K, Change<L>>,
        cx: &mut Context<'_, Option<F>, Subscription<K>>,
    ) -> Result<(), ProcessError> {
        let Record { key, value: change, timestamp, headers } = record;
        if !change.is_latest {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        if self.is_left && change.old.is_none() && change.new.is_none() {
            return Ok(());
        }
        let (old, new) = (self.key_of(&key, change.old.as_ref()), self.key_of(&key, change.new.as_ref()));
        if !self.is_left && change.new.is_some() && new.is_none() {
            cx.drop_record(DropReason::NullKey);
        }
        let hash = hash_of(&self.value, change.new.as_ref(), &mut self.scratch)?;
        let partition = cx.task_id().partition;
        for (foreign, instruction) in instructions(self.is_left, old, new).into_iter().flatten() {
            let value = Subscription { hash, instruction, primary: key.clone(), partition };
            cx.forward(Record { key: foreign, value, timestamp, headers: headers.clone() })?;
        }
        Ok(())
    }
}

type SubscriptionStore<F, K> = KeyValueStore<Combined<F, K>, Subscription<K>>;

/// Keeps subscriptions, or forgets them.
pub(super) struct Keeping<F, K> {
    store: StoreHandle<SubscriptionStore<F, K>>,
    foreign: SharedSerde<F>,
}

impl<F, K> Keeping<F, K> {
    pub(super) fn new(store: StoreHandle<SubscriptionStore<F, K>>, foreign: SharedSerde<F>) -> Self {
        Self { store, foreign }
    }
}

impl<F: StoreKey, K: StoreKey> Processor<Option<F>, Subscription<K>, Option<F>, Subscription<K>>
    for Keeping<F, K>
{
    fn process(
        &mut self,
        record: Asked<F, K>,
        cx: &mut Context<'_, Option<F>, Subscription<K>>,
    ) -> Result<(), ProcessError> {
        let (asked, timestamp) = (&record.value, record.timestamp);
        let Some(foreign) = record.key.as_ref().filter(|key| !self.foreign.is_null(key)) else {
            if asked.instruction == Instruction::Answer {
                return cx.forward(record);
            }
            cx.drop_record(DropReason::NullKey);
            return Ok(());
        };
        let key = Combined { foreign: foreign.clone(), primary: asked.primary.clone() };
        let store = cx.store(self.store);
        match asked.instruction {
            Instruction::DeleteSilently | Instruction::DeleteAndAnswer => {
                store.replace(&key, None, timestamp)?;
            }
            Instruction::Answer | Instruction::AnswerIfFound => {
                store.put(key, asked.clone(), timestamp)?;
            }
        }
        cx.forward(record)
    }
}

/// Answers a subscription with the foreign row as it is now.
pub(super) struct Matching<F, K, R> {
    get: GetValue<F, R>,
    types: PhantomData<fn(K)>,
}

impl<F, K, R> Matching<F, K, R> {
    pub(super) fn new(get: GetValue<F, R>) -> Self {
        Self { get, types: PhantomData }
    }
}

impl<F: StoreKey, K: StoreKey, R: Data> Node for Matching<F, K, R> {
    fn process(&mut self, slot: &mut dyn std::any::Any, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        let Record { key: foreign, value: asked, timestamp, headers } =
            take::<Option<F>, Subscription<K>>(slot);
        if asked.instruction == Instruction::DeleteSilently {
            return Ok(());
        }
        let found = match &foreign {
            Some(foreign) => (self.get)(hop.env, foreign, None)?,
            None => None,
        };
        let timestamp = found.as_ref().map_or(timestamp, |entry| timestamp.max(entry.timestamp));
        let value = found.map(|entry| entry.value);
        let value = match asked.instruction {
            Instruction::AnswerIfFound if value.is_none() => return Ok(()),
            Instruction::DeleteSilently | Instruction::DeleteAndAnswer => None,
            Instruction::Answer | Instruction::AnswerIfFound => value,
        };
        let answer = Answer { hash: asked.hash, value, partition: asked.partition };
        hop.pass(&mut Some(Record { key: asked.primary, value: answer, timestamp, headers }))
    }
}

/// A subscription as it is kept.
type Found<F, K> = (Combined<F, K>, Entry<Subscription<K>>);

/// Answers all that subscribed to a foreign row when it changes.
pub(super) struct Answering<F, K> {
    store: StoreHandle<SubscriptionStore<F, K>>,
    keys: CombinedSerde<F, K>,
    /// The store's changelog, which serdes are told.
    topic: Arc<str>,
    prefix: Vec<u8>,
    found: Vec<Found<F, K>>,
}

impl<F, K> Answering<F, K> {
    pub(super) fn new(
        store: StoreHandle<SubscriptionStore<F, K>>,
        keys: CombinedSerde<F, K>,
        topic: Arc<str>,
    ) -> Self {
        Self { store, keys, topic, prefix: Vec::new(), found: Vec::new() }
    }
}

impl<F: StoreKey, K: StoreKey, R: Data> Processor<F, Change<R>, K, Answer<R>> for Answering<F, K> {
    fn process(
        &mut self,
        record: Record<F, Change<R>>,
        cx: &mut Context<'_, K, Answer<R>>,
    ) -> Result<(), ProcessError> {
        let Record { key: foreign, value: change, timestamp, headers } = record;
        if !change.is_latest {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        self.prefix.clear();
        self.keys.prefix(&self.topic, &foreign, &mut self.prefix)?;
        cx.store(self.store).prefix(&self.prefix, &mut self.found)?;
        for (key, Entry { value: asked, .. }) in self.found.drain(..) {
            let value = Answer { hash: asked.hash, value: change.new.clone(), partition: asked.partition };
            cx.forward(Record { key: key.primary, value, timestamp, headers: headers.clone() })?;
        }
        Ok(())
    }
}

/// Joins an answer with the row it is for; one for a row that has changed since is left out, for another is on its way.
pub(super) struct Resolving<J, K, L, R, O> {
    get: GetValue<K, L>,
    value: SharedSerde<L>,
    joiner: Arc<J>,
    scratch: Vec<u8>,
    types: PhantomData<fn(R) -> O>,
}

impl<J, K, L, R, O> Resolving<J, K, L, R, O> {
    pub(super) fn new(get: GetValue<K, L>, value: SharedSerde<L>, joiner: Arc<J>) -> Self {
        Self { get, value, joiner, scratch: Vec::new(), types: PhantomData }
    }
}

impl<J, K, L, R, O> Node for Resolving<J, K, L, R, O>
where
    J: Fn(&K, &L, Option<&R>) -> Option<O> + Send + Sync,
    K: StoreKey,
    L: Data,
    R: Data,
    O: Data,
{
    fn process(&mut self, slot: &mut dyn std::any::Any, mut hop: Hop<'_>) -> Result<(), ProcessError> {
        let Record { key, value: answer, timestamp, headers } = take::<K, Answer<R>>(slot);
        let row = (self.get)(hop.env, &key, None)?.map(|entry| entry.value);
        if hash_of(&self.value, row.as_ref(), &mut self.scratch)? != answer.hash {
            hop.env.count_drop(DropReason::Late);
            return Ok(());
        }
        let value = row.and_then(|row| (self.joiner)(&key, &row, answer.value.as_ref()));
        hop.pass(&mut Some(Record { key, value, timestamp, headers }))
    }
}
