//! `filter`, `filter_not` and `map_values` of tables: a value for a value, or none. They need no store of their own:
//! old values and look-ups are computed from the table above.

use std::sync::Arc;

use crate::dsl::ktable::TableInfo;
use crate::dsl::{Change, Data, KTable, StoreKey};
use crate::error::ProcessError;
use crate::plan::Wiring;
use crate::processor::{Context, MapNode, Node};
use crate::record::Record;

impl<'b, K: StoreKey, V: Data> KTable<'b, K, V> {
    /// Keeps the rows for which `predicate` holds. A change to a row that does not match is forwarded as a deletion,
    /// also when the row was never there, as in Kafka Streams.
    pub fn filter(self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        let value = self.info().value;
        let step = move |key: &K, value: V| predicate(key, &value).then_some(value);
        let table = table_map(self, "KTABLE-FILTER-", step, true);
        let info = TableInfo { value, ..table.info() };
        table.with_info(info)
    }

    /// Keeps the rows for which `predicate` does not hold.
    pub fn filter_not(self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !predicate(key, value))
    }

    /// Makes a new value of each value. A deletion stays one.
    pub fn map_values<W: Data>(self, mapper: impl Fn(V) -> W + Send + Sync + 'static) -> KTable<'b, K, W> {
        table_map(self, "KTABLE-MAPVALUES-", move |_: &K, value: V| Some(mapper(value)), false)
    }
}

/// `quiet`: with old values, a change from nothing to nothing is not mentioned.
fn table_map<'b, K: StoreKey, V: Data, W: Data>(
    table: KTable<'b, K, V>,
    prefix: &str,
    step: impl Fn(&K, V) -> Option<W> + Send + Sync + 'static,
    quiet: bool,
) -> KTable<'b, K, W> {
    let step = Arc::new(step);
    let (info, for_getter) = (table.info(), Arc::clone(&step));
    let make = Box::new(move |wiring: &Wiring<'_>| -> Box<dyn Node> {
        let (step, send_old) = (Arc::clone(&step), wiring.node.send_old);
        let run = move |record: Record<K, Change<V>>,
                        cx: &mut Context<'_, K, Change<W>>|
              -> Result<(), ProcessError> {
            let Record { key, value: Change { old, new }, timestamp, headers } = record;
            let new = new.and_then(|value| step(&key, value));
            let old = if send_old { old.and_then(|value| step(&key, value)) } else { None };
            if quiet && send_old && old.is_none() && new.is_none() {
                return Ok(());
            }
            cx.forward(Record { key, value: Change { old, new }, timestamp, headers })
        };
        Box::new(MapNode::new(run))
    });
    let name = table.builder.next_name(prefix);
    let below: KTable<'b, K, W> = table.then(name, Vec::new(), make);
    below.builder.graph.borrow_mut().node_mut(below.node).old_from_parent = true;
    let getter = info.getter.map(|getter| getter.map(move |key: &K, value: V| for_getter(key, value)));
    below.with_info(TableInfo { getter, key: info.key, value: None })
}
