//! The joins of a spec: of streams, of a stream with a table, of tables.

use std::sync::Arc;
use std::time::Duration;

use candlewick::{
    GlobalKTable, JoinWindows, Joined, KStream, KTable, Nullable, StreamJoined, StringSerde, TableJoined,
};

use super::functions::{self, Combine};
use super::handle::{AnyValue, Handle, on_table};
use super::interpreter::{Built, Contents, Fields, Reading, misplaced, text};
use super::table::ms;
use super::text::{Key, Value};

impl<'b> Reading<'b> {
    pub(super) fn join(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let (left, right) = (self.handle(node, "left")?, self.handle(node, "right")?);
        let joiner = functions::joiner(if node.has("joiner") { node.text("joiner") } else { "plus" })?;
        match (left, right) {
            (Handle::Stream(left), Handle::Stream(right)) => Ok(self.streams(node, left, right, joiner)),
            (Handle::Stream(stream), Handle::Global(table)) => global(node, stream, table, joiner),
            (Handle::Stream(stream), table) => {
                on_table!(plain table, table => stream_table(node, stream, table, joiner).into())
                    .ok_or_else(|| misplaced(node))
            }
            (Handle::ValueStream(stream), table) => {
                on_table!(plain table, table => stream_table(node, stream, table, joiner).into())
                    .ok_or_else(|| misplaced(node))
            }
            (left, right) => {
                if node.has("fk") {
                    return self.by_foreign_key(node, left, right, joiner);
                }
                let made = on_table!(plain left, left => {
                    on_table!(plain right, right => tables(node, left, right, joiner))
                });
                let mut table = made.flatten().ok_or_else(|| misplaced(node))?;
                if let Some(name) = node.name() {
                    table = table.named(name);
                }
                if !node.has("store") {
                    return Ok(table.into());
                }
                Ok(table.materialized(self.materialized(node, Contents::Values)).into())
            }
        }
    }

    fn by_foreign_key(
        &mut self,
        node: &Fields<'_>,
        left: Handle<'b>,
        right: Handle<'b>,
        joiner: Combine,
    ) -> Built<Handle<'b>> {
        let (Handle::Table(left), Handle::Table(right)) = (left, right) else { return Err(misplaced(node)) };
        let key = functions::key(node.text("fk"))?;
        let foreign_key = move |_: &Key, row: &String| Some(key(&None::<String>, Some(row)));
        let materialized = self.materialized(node, Contents::Values);
        let joined = node.name().map_or(TableJoined::generated(), TableJoined::named);
        Ok(if node.text("kind") == "left" {
            let join = move |_: &Key, l: &String, r: Option<&String>| joiner(Some(l), r.map(String::as_str));
            left.left_join_foreign(right, foreign_key, join, joined, materialized).into()
        } else {
            let join = move |_: &Key, l: &String, r: &String| joiner(Some(l), Some(r));
            left.join_foreign(right, foreign_key, join, joined, materialized).into()
        })
    }

    fn streams(
        &self,
        node: &Fields<'_>,
        left: KStream<'b, Key, Value>,
        right: KStream<'b, Key, Value>,
        joiner: Combine,
    ) -> Handle<'b> {
        let mut windows = JoinWindows::of_time_difference_and_grace(ms(node, "diff"), ms(node, "grace"));
        if let Some(before) = node.signed("before") {
            windows = windows.before_ms(before);
        }
        if let Some(after) = node.signed("after") {
            windows = windows.after_ms(after);
        }
        let serde = || Nullable(StringSerde);
        let interval = self.config("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__");
        let joined = match node.name() {
            Some(name) if node.has("nodes_only") => {
                StreamJoined::generated(serde(), serde(), serde()).nodes_named(name)
            }
            Some(name) => StreamJoined::with(name, serde(), serde(), serde()),
            None => StreamJoined::generated(serde(), serde(), serde()),
        };
        let joined = joined.scan_interval(Duration::from_millis(interval.unwrap_or(0)));
        let itself = node.text("left") == node.text("right") && self.optimized();
        let both = move |_: &Key, l: &Value, r: &Value| joiner(l.as_deref(), r.as_deref());
        match node.text("kind") {
            "left" => {
                let join = move |k: &Key, l: &Value, r: Option<&Value>| both(k, l, &r.cloned().flatten());
                left.left_join_stream(right, join, windows, joined).into()
            }
            "outer" => {
                let join = move |k: &Key, l: Option<&Value>, r: Option<&Value>| {
                    both(k, &l.cloned().flatten(), &r.cloned().flatten())
                };
                left.outer_join_stream(right, join, windows, joined).into()
            }
            _ if itself => left.join_self(both, windows, joined).into(),
            _ => left.join_stream(right, both, windows, joined).into(),
        }
    }
}

fn stream_table<'b, V: AnyValue + candlewick::DefaultSerde, T: AnyValue>(
    node: &Fields<'_>,
    stream: KStream<'b, Key, V>,
    table: KTable<'b, Key, T>,
    joiner: Combine,
) -> KStream<'b, Key, Value> {
    let mut joined = joined(node);
    if node.has("grace") {
        joined = joined.grace(ms(node, "grace"));
    }
    if node.text("kind") == "left" {
        let join =
            move |_: &Key, l: &V, r: Option<&T>| joiner(text(l).as_deref(), r.and_then(text).as_deref());
        return stream.left_join(table, join, joined);
    }
    let join = move |_: &Key, l: &V, r: &T| joiner(text(l).as_deref(), text(r).as_deref());
    stream.join(table, join, joined)
}

fn joined<V: candlewick::DefaultSerde + 'static>(node: &Fields<'_>) -> Joined<Key, V> {
    match node.name() {
        Some(name) => Joined::default().named(name),
        None => Joined::default(),
    }
}

fn global<'b>(
    node: &Fields<'_>,
    stream: KStream<'b, Key, Value>,
    table: GlobalKTable<'b, Key, String>,
    joiner: Combine,
) -> Built<Handle<'b>> {
    let key = functions::key(if node.has("key") { node.text("key") } else { "key" })?;
    let key_of = move |k: &Key, v: &Value| Some(key(k, v.as_deref()));
    if node.text("kind") == "left" {
        let join = move |_: &Key, l: &Value, r: Option<&String>| joiner(l.as_deref(), r.map(String::as_str));
        return Ok(stream.left_join_global(table, key_of, join, joined(node)).into());
    }
    let join = move |_: &Key, l: &Value, r: &String| joiner(l.as_deref(), Some(r));
    Ok(stream.join_global(table, key_of, join, joined(node)).into())
}

fn tables<'b, L: AnyValue, R: AnyValue>(
    node: &Fields<'_>,
    left: KTable<'b, Key, L>,
    right: KTable<'b, Key, R>,
    joiner: Combine,
) -> KTable<'b, Key, Value> {
    let joiner: Arc<_> = joiner;
    match node.text("kind") {
        "left" => {
            left.left_join(right, move |_, l, r| joiner(text(l).as_deref(), r.and_then(text).as_deref()))
        }
        "outer" => left.outer_join(right, move |_, l, r| {
            joiner(l.and_then(text).as_deref(), r.and_then(text).as_deref())
        }),
        _ => left.join(right, move |_, l, r| joiner(text(l).as_deref(), text(r).as_deref())),
    }
}
