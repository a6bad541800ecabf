//! The stores of a spec that a processor fills from a topic, and the processor that looks into them.

use candlewick::{
    Context, GlobalHandle, Nullable, ProcessError, Processor, ProcessorStores, Record, StoreHandle, Stores,
    StringSerde,
};

use super::functions::UnknownFunction;
use super::handle::Handle;
use super::interpreter::{Built, Contents, Fields, Reading};
use super::processors::{TextStore, keep};
use super::text::{Key, Value, or_null};

/// What fills a store; null keys are left out.
struct Fill {
    store: StoreHandle<TextStore>,
    /// All values of a key in one, which a null value empties, instead of its last value.
    concat: bool,
}

impl Processor<Key, Value, (), ()> for Fill {
    fn process(
        &mut self,
        record: Record<Key, Value>,
        cx: &mut Context<'_, (), ()>,
    ) -> Result<(), ProcessError> {
        if record.key.is_none() {
            return Ok(());
        }
        let store = cx.store(self.store);
        let old = store.get(&record.key)?.and_then(|entry| entry.value.clone()).filter(|_| self.concat);
        let value = match (old, record.value) {
            (Some(old), Some(value)) => Some(format!("{old}+{value}")),
            (_, value) => value,
        };
        keep(store, record.key, value, record.timestamp)
    }
}

/// Where a key is looked up.
enum Place {
    OfTask(StoreHandle<TextStore>),
    Global(GlobalHandle<Key, Value>),
    Table(GlobalHandle<Key, String>),
}

/// Appends the key's value in a store to each value.
struct Lookup(Place);

impl Processor<Key, Value, Key, Value> for Lookup {
    fn process(
        &mut self,
        record: Record<Key, Value>,
        cx: &mut Context<'_, Key, Value>,
    ) -> Result<(), ProcessError> {
        let key = Some(or_null(record.key.as_deref()).to_owned());
        let found = match &self.0 {
            Place::OfTask(store) => cx.store(*store).get(&key)?.and_then(|entry| entry.value.clone()),
            Place::Global(store) => cx.global(store).get(&key)?.and_then(|entry| entry.value),
            Place::Table(table) => cx.global(table).get(&key)?.map(|entry| entry.value),
        };
        let value = format!("{}={}", or_null(record.value.as_deref()), or_null(found.as_deref()));
        cx.forward(record.with_value(Some(value)))
    }
}

impl<'b> Reading<'b> {
    /// A global store, or a read-only one of each task.
    pub(super) fn filled_store(&mut self, node: &Fields<'_>) -> Built<()> {
        let (name, serde) = (node.text("store").to_owned(), Nullable(StringSerde));
        let concat = match node.text("fn") {
            "concat" => true,
            "keep" => false,
            other => return Err(UnknownFunction::processor(other).into()),
        };
        let (store, mut consumed) =
            (Stores::key_value::<Key, Value>(&name, serde, serde).in_memory(), Self::consumed(node));
        if node.has("name") {
            consumed = consumed.named(node.text("name"));
        }
        self.stores.push((name.clone(), Contents::Values));
        let fill = move |given: &ProcessorStores<'_>| Fill { store: given.get(&name), concat };
        match node.text("op") {
            "global_store" => self.builder.global_store(node.text("topic"), consumed, store, fill),
            _ => self.builder.read_only_store(node.text("topic"), consumed, store, fill),
        }
        Ok(())
    }

    /// A processor that looks into a store: of the node's own task only where the spec says so.
    pub(super) fn lookup(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let (name, stream) = (node.text("reads").to_owned(), self.plain(node, "from")?);
        let of_task = self.fills("read_only_store", &name);
        let is_table = self.fills("global_table", &name);
        let connected: &[&str] = if of_task { &[node.text("reads")] } else { &[] };
        let lookup = move |given: &ProcessorStores<'_>| {
            Lookup(match (of_task, is_table) {
                (true, _) => Place::OfTask(given.get(&name)),
                (false, true) => Place::Table(given.global(&name)),
                (false, false) => Place::Global(given.global(&name)),
            })
        };
        Ok(stream.process(connected, lookup).into())
    }
}
