//! From a spec to a topology, over the public DSL only: the operators of streams, and the frame in which each node of
//! the spec is read. An operator that the DSL does not have yet is told apart from a mistake in the spec.

use std::collections::{BTreeMap, BTreeSet};

use candlewick::{
    BuildOptions, Consumed, Grouped, KStream, Nullable, Partition, Produced, Record, Repartitioned, Stores,
    StreamsBuilder, StringSerde, Timestamp, Topology, TopologyErrors,
};
use serde_json::Value as Json;

use super::functions::{self, UnknownFunction};
use super::handle::{Handle, on_stream, on_table};
use super::processors::{Named, behaviour};
use super::text::{Key, Value, number};

/// A topology made from a spec, and where its results can be read.
pub(super) struct Plan {
    pub(super) topology: Topology,
    pub(super) sinks: BTreeSet<String>,
    pub(super) stores: Vec<(String, Contents)>,
}

/// What a named store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    Text,
    Values,
    Counts,
    WindowValues,
    WindowCounts,
    Versions,
    SessionValues,
    SessionCounts,
}

/// Why there is no topology.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("{0}")]
    NotBuilt(String),
    #[error(transparent)]
    Function(#[from] UnknownFunction),
    #[error("{0}")]
    Malformed(String),
    #[error(transparent)]
    Topology(#[from] TopologyErrors),
}

pub(super) type Built<T> = Result<T, Refused>;

/// Builds the topology of a spec; `cached`: with a cache on every store.
pub(super) fn interpret(spec: &Json, cached: bool) -> Built<Plan> {
    let optimized = optimized(spec);
    let options = BuildOptions {
        generated_names: true,
        merge_repartition_topics: optimized,
        reuse_source_topics: optimized,
    };
    let builder = StreamsBuilder::with_options(options);
    let nodes = spec["nodes"].as_array().ok_or_else(|| Refused::Malformed("the spec has no nodes".into()))?;
    let mut reading = Reading {
        builder: &builder,
        spec,
        cached,
        handles: BTreeMap::new(),
        sinks: BTreeSet::new(),
        stores: Vec::new(),
    };
    for node in nodes {
        reading.node(&Fields(node))?;
    }
    let Reading { sinks, stores, .. } = reading;
    Ok(Plan { topology: builder.build()?, sinks, stores })
}

fn optimized(spec: &Json) -> bool {
    spec["config"]["topology.optimization"] == "all"
}

/// The fields of one node of a spec.
pub(super) struct Fields<'s>(&'s Json);

impl Fields<'_> {
    pub(super) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or("")
    }

    /// What the user calls the node.
    pub(super) fn name(&self) -> Option<&str> {
        self.0["name"].as_str()
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0[name].as_u64()
    }

    pub(super) fn signed(&self, name: &str) -> Option<i64> {
        self.0[name].as_i64()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or(false)
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.0[name].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
    }

    pub(super) fn parts(&self, name: &str) -> impl Iterator<Item = Fields<'_>> {
        self.0[name].as_array().into_iter().flatten().map(Fields)
    }
}

/// A spec that is being read.
pub(super) struct Reading<'b> {
    pub(super) builder: &'b StreamsBuilder,
    spec: &'b Json,
    pub(super) cached: bool,
    pub(super) handles: BTreeMap<String, Handle<'b>>,
    pub(super) sinks: BTreeSet<String>,
    pub(super) stores: Vec<(String, Contents)>,
}

impl<'b> Reading<'b> {
    /// A number of the spec's configuration.
    pub(super) fn config(&self, key: &str) -> Option<u64> {
        self.spec["config"][key].as_u64()
    }

    /// Whether the spec asks for Kafka Streams' optimizations.
    pub(super) fn optimized(&self) -> bool {
        optimized(self.spec)
    }

    /// Whether the spec has an operator of this kind over this store, here or further down.
    pub(super) fn fills(&self, op: &str, store: &str) -> bool {
        let mut nodes = self.spec["nodes"].as_array().into_iter().flatten();
        nodes.any(|node| node["op"] == op && node["store"] == store)
    }

    fn node(&mut self, node: &Fields<'_>) -> Built<()> {
        let made = match node.text("op") {
            "add_store" => return self.add_store(node),
            "global_store" | "read_only_store" => return self.filled_store(node),
            "split" => return self.split(node),
            "to" => return self.sink(node),
            "stream" => self.stream(node),
            "table" => self.table(node),
            "global_table" => self.global_table(node),
            "filter" | "filter_not" => self.filter(node),
            "map" => self.map(node),
            "map_values" => self.map_values(node),
            "flat_map" => self.flat_map(node),
            "flat_map_values" => self.flat_map_values(node),
            "select_key" => self.select_key(node),
            "peek" => self.on_each_stream(node, |stream| stream.peek(|_, _| {}).into()),
            "merge" => self.merge(node),
            "repartition" => self.repartition(node),
            "process" if node.has("reads") => self.lookup(node),
            "process" | "process_values" => self.process(node),
            "group_by_key" => Ok(self.plain(node, "from")?.group_by_key(Self::grouped(node)).into()),
            "group_by" => self.group_by(node),
            "window" => self.window(node),
            "cogroup" => self.cogroup(node),
            "count" => self.count(node),
            "reduce" => self.reduce(node),
            "aggregate" => self.aggregate(node),
            "to_table" => self.as_table(node),
            "to_stream" => self.changes(node),
            "suppress" => self.suppress(node),
            "join" => self.join(node),
            other => Err(Refused::NotBuilt(other.to_owned())),
        };
        let named = Self::named(node, made?);
        self.handles.insert(node.text("id").to_owned(), named);
        Ok(())
    }

    /// Names what a node has made, but for those whose options have its name already.
    fn named(node: &Fields<'_>, made: Handle<'b>) -> Handle<'b> {
        let Some(name) = node.name().filter(|_| !has_option_for_name(node)) else { return made };
        let named = on_stream!(&made, stream => stream.named(name).into());
        named.or_else(|| on_table!(&made, table => table.named(name).into())).unwrap_or(made)
    }

    fn repartition(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let mut repartitioned = Repartitioned::default();
        if let Some(name) = node.name() {
            repartitioned = repartitioned.named(name);
        }
        Ok(self.plain(node, "from")?.repartition(repartitioned).into())
    }

    fn grouped(node: &Fields<'_>) -> Grouped<Key, Value> {
        match node.name() {
            Some(name) => Grouped::default().named(name),
            None => Grouped::default(),
        }
    }

    pub(super) fn handle(&self, node: &Fields<'_>, field: &str) -> Built<Handle<'b>> {
        let id = node.text(field);
        self.handles.get(id).cloned().ok_or_else(|| Refused::Malformed(format!("no node is called {id}")))
    }

    /// A stream of plain keys and values, which most operators of a spec stand on.
    pub(super) fn plain(&self, node: &Fields<'_>, field: &str) -> Built<KStream<'b, Key, Value>> {
        match self.handle(node, field)? {
            Handle::Stream(stream) => Ok(stream),
            _ => Err(misplaced(node)),
        }
    }

    fn on_each_stream(
        &self,
        node: &Fields<'_>,
        run: impl Fn(KStream<'b, Key, Value>) -> Handle<'b>,
    ) -> Built<Handle<'b>> {
        self.plain(node, "from").map(run)
    }

    pub(super) fn consumed(node: &Fields<'_>) -> Consumed<Key, Value> {
        let mut consumed = Consumed::default();
        if let Some(name) = node.name() {
            consumed = consumed.named(name);
        }
        match node.text("timestamp") {
            "value" => {}
            "partition" => {
                return consumed.timestamps(|record: &Record<Key, Value>, partition_time: Timestamp| {
                    let is_lost = record.value.as_deref().is_some_and(|value| value.contains('!'));
                    if is_lost { partition_time } else { record.timestamp }
                });
            }
            _ => return consumed,
        }
        consumed.timestamps(|record: &Record<Key, Value>, _: Timestamp| match record.value.as_deref() {
            Some(value) if value.contains('!') => Timestamp(-1),
            Some(value) => {
                value.split_once('@').map_or(record.timestamp, |(_, at)| Timestamp(number(Some(at))))
            }
            None => record.timestamp,
        })
    }

    fn stream(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        if node.has("pattern") {
            return Ok(self.builder.stream_matching(node.text("pattern"), Self::consumed(node)).into());
        }
        let mut topics = node.list("topics");
        if topics.is_empty() {
            topics.push(node.text("topic").to_owned());
        }
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        Ok(self.builder.stream_of(&topics, Self::consumed(node)).into())
    }

    fn table(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let materialized = self.materialized(node, Contents::Text);
        Ok(self.builder.table(node.text("topic"), Self::consumed(node), materialized).into())
    }

    fn global_table(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let materialized = self.materialized(node, Contents::Text);
        let table = self.builder.global_table(node.text("topic"), Self::consumed(node), materialized);
        Ok(Handle::Global(table))
    }

    fn add_store(&mut self, node: &Fields<'_>) -> Built<()> {
        let (name, serde) = (node.text("store"), Nullable(StringSerde));
        self.builder.add_store(Stores::key_value::<Key, Value>(name, serde, serde).in_memory());
        self.stores.push((name.to_owned(), Contents::Values));
        Ok(())
    }

    fn filter(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let predicate = functions::predicate(node.text("fn"))?;
        let keep = node.text("op") == "filter";
        let handle = self.handle(node, "from")?;
        let made = on_stream!(&handle, stream => {
            let predicate = predicate.clone();
            stream.filter(move |k, v| predicate(k, text(v).as_deref()) == keep).into()
        });
        made.map_or_else(|| self.filter_table(node, &handle, predicate, keep), Ok)
    }

    fn map(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let (key, value) = (functions::key(node.text("key"))?, functions::value(node.text("value"))?);
        let made = on_stream!(self.handle(node, "from")?, stream => {
            stream.map(move |k, v| { let v = text(&v); (key(&k, v.as_deref()), value(&k, v.as_deref())) }).into()
        });
        made.ok_or_else(|| misplaced(node))
    }

    fn map_values(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let function = functions::value(node.text("fn"))?;
        let handle = self.handle(node, "from")?;
        let made = on_stream!(&handle, stream => {
            let function = function.clone();
            stream.map_values_with_key(move |k, v| function(k, text(&v).as_deref())).into()
        });
        made.map_or_else(|| self.map_table(node, &handle, function), Ok)
    }

    fn flat_map(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let (key, flat) = (functions::key(node.text("key"))?, functions::flat(node.text("fn"))?);
        let made = on_stream!(self.handle(node, "from")?, stream => {
            stream.flat_map(move |k, v| -> Vec<(Key, Value)> {
                flat(text(&v).as_deref()).into_iter().map(|v| (key(&k, v.as_deref()), v)).collect()
            }).into()
        });
        made.ok_or_else(|| misplaced(node))
    }

    fn flat_map_values(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let flat = functions::flat(node.text("fn"))?;
        let made = on_stream!(self.handle(node, "from")?, stream => {
            stream.flat_map_values(move |v| flat(text(&v).as_deref())).into()
        });
        made.ok_or_else(|| misplaced(node))
    }

    fn select_key(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let key = functions::key(node.text("fn"))?;
        let made = on_stream!(self.handle(node, "from")?, stream => {
            stream.select_key(move |k, v| key(k, text(v).as_deref())).into()
        });
        made.ok_or_else(|| misplaced(node))
    }

    fn merge(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        Ok(self.plain(node, "from")?.merge(self.plain(node, "with")?).into())
    }

    fn split(&mut self, node: &Fields<'_>) -> Built<()> {
        let id = node.text("id");
        let mut split = self.plain(node, "from")?.split(&format!("{id}."));
        let mut names = Vec::new();
        for branch in node.parts("branches") {
            let predicate = functions::predicate(branch.text("fn"))?;
            split = split.branch(branch.text("name"), move |k, v| predicate(k, v.as_deref()));
            names.push(branch.text("name").to_owned());
        }
        let branches = if node.has("default") {
            names.push(node.text("default").to_owned());
            split.default_branch(node.text("default"))
        } else {
            split.no_default_branch()
        };
        for name in names {
            self.handles.insert(format!("{id}.{name}"), branches.get(&name).into());
        }
        Ok(())
    }

    fn process(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let behaviour = behaviour(node.text("fn"))?;
        let stores = node.list("stores");
        let names: Vec<&str> = stores.iter().map(String::as_str).collect();
        let stream = self.plain(node, "from")?;
        let wanted = stores.clone();
        let supplier =
            move |given: &candlewick::ProcessorStores<'_>| Named::new(behaviour.clone(), &wanted, given);
        let processed = match node.text("op") {
            "process" => stream.process(&names, supplier),
            _ => stream.process_values(&names, supplier),
        };
        Ok(processed.into())
    }

    fn group_by(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let key = functions::key(node.text("fn"))?;
        let handle = self.handle(node, "from")?;
        if let Handle::Stream(stream) = handle {
            return Ok(stream.group_by(move |k, v| key(k, v.as_deref()), Self::grouped(node)).into());
        }
        let made = on_table!(handle, table => {
            table.group_by(move |k, v| { let v = text(v); (key(k, v.as_deref()), v) }, Self::grouped(node)).into()
        });
        made.ok_or_else(|| misplaced(node))
    }

    fn changes(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        on_table!(self.handle(node, "from")?, table => table.to_stream().into())
            .ok_or_else(|| misplaced(node))
    }

    fn sink(&mut self, node: &Fields<'_>) -> Built<()> {
        let topic = node.text("topic");
        let handle = self.handle(node, "from")?;
        let handle = on_table!(&handle, table => table.to_stream().into()).unwrap_or(handle);
        if node.has("topic_of") {
            let topic_of = functions::key(node.text("topic_of"))?;
            let tell = move |record: &Record<Key, Value>, topic: &mut String| {
                topic.push_str("out-");
                topic.push_str(topic_of(&record.key, record.value.as_deref()).as_deref().unwrap_or("null"));
            };
            self.plain(node, "from")?.to_dynamic(tell, produced(node));
            return Ok(());
        }
        let mut produced = produced(node);
        if node.has("send_if") {
            let predicate = functions::predicate(node.text("send_if"))?;
            produced = produced.multicast(move |k: &Key, v: &Value, _, chosen| {
                chosen.extend(predicate(k, v.as_deref()).then_some(Partition(0)));
            });
        }
        on_stream!(handle, stream => {
            stream.map(|k, v| (text(&k), text(&v))).to(topic, produced);
        })
        .ok_or_else(|| misplaced(node))?;
        self.sinks.insert(topic.to_owned());
        Ok(())
    }
}

/// Whether the operator of a node takes its name by its options.
fn has_option_for_name(node: &Fields<'_>) -> bool {
    matches!(node.text("op"), "stream" | "table" | "repartition" | "suppress" | "join")
}

fn produced<K: candlewick::DefaultSerde + 'static, V: candlewick::DefaultSerde + 'static>(
    node: &Fields<'_>,
) -> Produced<K, V> {
    match node.name() {
        Some(name) => Produced::default().named(name),
        None => Produced::default(),
    }
}

pub(super) fn misplaced(node: &Fields<'_>) -> Refused {
    let (op, from) = (node.text("op"), node.text("from"));
    Refused::Malformed(format!("{op} cannot stand on {from}: the suite has no such pair of types"))
}

/// The text of a value.
pub(super) fn text(value: &impl super::text::AsText) -> Option<String> {
    value.text()
}
