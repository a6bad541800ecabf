//! The operators of tables of a spec, and how their stores are named.

use std::time::Duration;

use candlewick::{Data, DefaultSerde, KTable, Materialized, Nullable, StringSerde, Suppressed};

use super::functions::{Predicate, ValueFunction};
use super::handle::{AnyKey, AnyValue, Handle, on_table};
use super::interpreter::{Built, Contents, Fields, Reading, misplaced, text};
use super::text::{Key, Value};

pub(super) fn ms(node: &Fields<'_>, field: &str) -> Duration {
    Duration::from_millis(node.number(field).unwrap_or(0))
}

impl<'b> Reading<'b> {
    /// How a node's table is kept; a named store is compared in the end.
    pub(super) fn materialized<V>(&mut self, node: &Fields<'_>, contents: Contents) -> Materialized<Key, V>
    where
        V: Data + DefaultSerde,
    {
        let materialized = if node.has("store") {
            let contents = if node.has("versioned") { Contents::Versions } else { contents };
            self.stores.push((node.text("store").to_owned(), contents));
            Materialized::named(node.text("store"))
        } else {
            Materialized::generated(Nullable(StringSerde), V::default_serde())
        };
        if node.has("versioned") {
            return materialized.versioned(ms(node, "versioned"));
        }
        if node.flag("cache") || self.cached { materialized } else { materialized.without_cache() }
    }

    pub(super) fn filter_table(
        &mut self,
        node: &Fields<'_>,
        handle: &Handle<'b>,
        predicate: Predicate,
        keep: bool,
    ) -> Built<Handle<'b>> {
        if let (true, Handle::Table(table)) = (node.has("store"), handle) {
            let materialized = self.materialized(node, Contents::Text);
            return Ok(filtered(*table, predicate, keep).materialized(materialized).into());
        }
        if node.has("store") {
            return Err(misplaced(node));
        }
        on_table!(handle, table => filtered(*table, predicate, keep).into()).ok_or_else(|| misplaced(node))
    }

    pub(super) fn map_table(
        &mut self,
        node: &Fields<'_>,
        handle: &Handle<'b>,
        function: ValueFunction,
    ) -> Built<Handle<'b>> {
        if let (true, Handle::Table(table)) = (node.has("store"), handle) {
            let materialized = self.materialized(node, Contents::Values);
            return Ok(map_values(*table, function).materialized(materialized).into());
        }
        if node.has("store") {
            return Err(misplaced(node));
        }
        on_table!(handle, table => map_values(*table, function).into()).ok_or_else(|| misplaced(node))
    }

    pub(super) fn as_table(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let materialized = self.materialized(node, Contents::Text);
        Ok(self.plain(node, "from")?.to_table(materialized).into())
    }

    pub(super) fn suppress(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let name = node.name().unwrap_or("suppressed");
        let mut suppressed = match node.text("until") {
            "close" => Suppressed::until_window_closes(name),
            _ => Suppressed::until_time_limit(name, ms(node, "ms")),
        };
        if node.name().is_none() {
            suppressed = suppressed.with_generated_name();
        }
        let bound = |field| node.number(field).map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        if let Some(records) = bound("max_records") {
            suppressed = suppressed.records_max(records);
        }
        if let Some(bytes) = bound("max_bytes") {
            suppressed = suppressed.bytes_max(bytes);
        }
        if node.text("until") != "close" && node.text("full") != "shutdown" {
            suppressed = suppressed.emit_early_when_full();
        }
        on_table!(self.handle(node, "from")?, table => table.suppress(suppressed).into())
            .ok_or_else(|| misplaced(node))
    }
}

fn filtered<'b, K: AnyKey, V: AnyValue>(
    table: KTable<'b, K, V>,
    keep_if: Predicate,
    keep: bool,
) -> KTable<'b, K, V> {
    let holds = move |k: &K, v: &V| keep_if(k, text(v).as_deref());
    if keep { table.filter(holds) } else { table.filter_not(holds) }
}

fn map_values<'b, K: AnyKey, V: AnyValue>(
    table: KTable<'b, K, V>,
    function: ValueFunction,
) -> KTable<'b, K, Value> {
    table.map_values_with_key(move |k, v| function(k, text(&v).as_deref()))
}
