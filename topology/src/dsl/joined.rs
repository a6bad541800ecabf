//! Options of joins.

use std::sync::Arc;

use super::options::SharedSerde;
use crate::serde::{DefaultSerde, Serde};

/// How a stream is joined: the serdes it is repartitioned with should its key have changed, and the topic's name.
pub struct Joined<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) name: Option<Arc<str>>,
}

impl<K: 'static, V: 'static> Joined<K, V> {
    /// Uses these serdes for the stream side.
    pub fn with(key: impl Serde<K>, value: impl Serde<V>) -> Self {
        Self { key: Arc::new(key), value: Arc::new(value), name: None }
    }

    /// Names the repartition topic: `<application>-<name>-repartition`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<K: DefaultSerde + 'static, V: DefaultSerde + 'static> Default for Joined<K, V> {
    fn default() -> Self {
        Self::with(K::default_serde(), V::default_serde())
    }
}
