//! The table handle. Its operations stand one per file in `operation`.

use std::marker::PhantomData;
use std::sync::Arc;

use super::Data;
use super::builder::StreamsBuilder;
use super::change::Change;
use super::options::SharedSerde;
use super::value_getter::ValueGetter;
use crate::plan::{MakeNode, NodeId, NodeRole};
use crate::record::Record;

/// A table: the latest value of each key, as a stream of changes. A `Copy` handle.
pub struct KTable<'b, K, V> {
    pub(crate) builder: &'b StreamsBuilder,
    /// The node that sends the changes.
    pub(crate) node: NodeId,
    /// Where the builder keeps what is known of this table beside its types.
    pub(crate) info: Option<usize>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for KTable<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for KTable<'_, K, V> {}

impl<'b, K: Data, V: Data> KTable<'b, K, V> {
    pub(crate) fn new(builder: &'b StreamsBuilder, node: NodeId) -> Self {
        Self { builder, node, info: None, types: PhantomData }
    }

    /// Names the node that made this table, in place of its generated name.
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        self.builder.graph.borrow_mut().rename(self.node, name.into());
        self
    }

    /// Adds a table node below this one.
    pub(crate) fn then<K2: Data, V2: Data>(
        self,
        name: Arc<str>,
        stores: Vec<Arc<str>>,
        make: MakeNode,
    ) -> KTable<'b, K2, V2> {
        let role = NodeRole::Processor { make };
        let node = self.builder.add_node::<Record<K, Change<V>>, Record<K2, Change<V2>>>(
            name,
            vec![self.node],
            role,
            stores,
        );
        KTable::new(self.builder, node)
    }
}

/// What the builder knows of a table beside its types.
pub(crate) struct TableInfo<K, V> {
    /// How other nodes read its values; windowed and suppressed tables have none.
    pub(crate) getter: Option<ValueGetter<K, V>>,
    /// How its keys and values are written, where that is known.
    pub(crate) key: Option<SharedSerde<K>>,
    pub(crate) value: Option<SharedSerde<V>>,
}

impl<K, V> Clone for TableInfo<K, V> {
    fn clone(&self) -> Self {
        Self { getter: self.getter.clone(), key: self.key.clone(), value: self.value.clone() }
    }
}

impl<K, V> Default for TableInfo<K, V> {
    fn default() -> Self {
        Self { getter: None, key: None, value: None }
    }
}

impl<'b, K: Data, V: Data> KTable<'b, K, V> {
    pub(crate) fn with_info(mut self, info: TableInfo<K, V>) -> Self {
        let mut tables = self.builder.tables.borrow_mut();
        self.info = Some(tables.len());
        tables.push(Box::new(info));
        drop(tables);
        self
    }

    pub(crate) fn info(&self) -> TableInfo<K, V> {
        let tables = self.builder.tables.borrow();
        let Some(index) = self.info else { return TableInfo::default() };
        let info = tables[index].downcast_ref::<TableInfo<K, V>>();
        info.expect("the handle's types are those its information was stored with").clone()
    }
}
