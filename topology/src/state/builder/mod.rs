//! How stores are declared where users and the DSL do it, typed. Owns options and their defaults; opens nothing.

mod declared;
mod stores;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

pub(crate) use self::declared::{MakeStore, ReadSource, SourceTopic, StoreDecl, StoreKind, StoreSettings};
pub use self::stores::Stores;
use super::codec::Codec;
use super::format::RowFormats;
use super::queryable::{KeptTypes, QueryableStore};

/// A store to be: persistent, cached and with a changelog unless told otherwise.
///
/// ```
/// use candlewick::{I64Serde, Stores, StringSerde};
/// let counts = Stores::key_value("counts", StringSerde, I64Serde)
///     .without_cache()
///     .changelog_config("segment.ms", "60000");
/// assert_eq!(counts.name(), "counts");
/// ```
#[must_use]
pub struct StoreBuilder<S> {
    decl: StoreDecl,
    store: PhantomData<fn() -> S>,
}

impl<S> Clone for StoreBuilder<S> {
    fn clone(&self) -> Self {
        Self { decl: self.decl.clone(), store: PhantomData }
    }
}

impl<S> fmt::Debug for StoreBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decl.fmt(f)
    }
}

impl<S> From<StoreBuilder<S>> for StoreDecl {
    fn from(builder: StoreBuilder<S>) -> Self {
        builder.decl
    }
}

impl<S> StoreBuilder<S> {
    fn new(name: &str, kind: StoreKind, make: MakeStore) -> Self {
        let decl = StoreDecl {
            name: name.into(),
            kind,
            logged: true,
            source: None,
            persistent: true,
            cached: true,
            cache_bytes_max: None,
            changelog_config: BTreeMap::new(),
            make,
            types: KeptTypes::default(),
            formats: RowFormats::default(),
        };
        Self { decl, store: PhantomData }
    }

    fn written_as(mut self, formats: RowFormats) -> Self {
        self.decl.formats = formats;
        self
    }

    /// Lets queries find the store's types again, and manifests its formats.
    fn queryable(
        mut self,
        codec: Arc<impl Fn(&Arc<str>) -> Codec<S::Key, S::Value> + Send + Sync + 'static>,
    ) -> Self
    where
        S: QueryableStore,
    {
        let any = codec(&Arc::from(""));
        self.decl.formats = RowFormats::of_key(&any.key).with_value(&any.value);
        self.decl.types = KeptTypes::of::<S>(move |topic| codec(topic));
        self
    }

    /// The store's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.decl.name
    }

    /// Keeps the state in memory: after a restart it is restored from the changelog.
    pub fn in_memory(mut self) -> Self {
        self.decl.persistent = false;
        self
    }

    /// Keeps the state in the task's folder: the default, where the application has a state folder.
    pub fn persistent(mut self) -> Self {
        self.decl.persistent = true;
        self
    }

    /// Writes no changelog: what the store holds is lost with its folder or its process.
    pub fn without_changelog(mut self) -> Self {
        self.decl.logged = false;
        self
    }

    /// Restores the store from a source topic in place of a changelog of its own.
    pub(crate) fn restored_from(mut self, source: SourceTopic) -> Self {
        self.decl.source = Some(source);
        self.without_changelog()
    }

    /// Passes every change on at once instead of the newest of each key at every flush.
    pub fn without_cache(mut self) -> Self {
        self.decl.cached = false;
        self
    }

    /// Sets an option of the changelog topic, by its Kafka name.
    pub fn changelog_config(mut self, name: &str, value: &str) -> Self {
        self.decl.changelog_config.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Bounds the cache of this store in each task, in bytes; without it the task's budget is split evenly.
    pub fn cache_bytes_max(mut self, bytes: usize) -> Self {
        self.decl.cache_bytes_max = Some(bytes);
        self
    }
}
