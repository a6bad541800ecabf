//! The kinds of store that can be queried, and how a declared store remembers its types for it. Owns what is forgotten
//! when a declaration is erased and found again by whoever names the same types; must not know tasks.

use std::any::Any;
use std::sync::Arc;

use super::codec::Codec;
use super::key_value::KeyValueStore;
use super::session::SessionStore;
use super::versioned::VersionedStore;
use super::window::WindowStore;

/// A store that can be queried from outside: of one value a key, of windows, of sessions or of versions.
///
/// ```
/// use candlewick::{KeyValueStore, QueryError, QueryableStore, StreamsHandle};
/// fn is_there<S: QueryableStore>(streams: &StreamsHandle, name: &str) -> bool {
///     !matches!(streams.store::<S>(name), Err(QueryError::UnknownStore { .. }))
/// }
/// let _ = is_there::<KeyValueStore<String, i64>>;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no store that can be queried",
    label = "the store's type is needed here",
    note = "name it as processors do: a table is a `KeyValueStore<K, V>`, a windowed one a `WindowStore<K, V>` or `SessionStore<K, V>`"
)]
pub trait QueryableStore: sealed::Sealed + 'static {
    /// Its keys.
    type Key: 'static;
    /// Its values.
    type Value: 'static;
}

mod sealed {
    /// Nobody else's stores have rows that queries know.
    pub trait Sealed {}
}

macro_rules! queryable {
    ($($store:ident),*) => {$(
        impl<K, V> sealed::Sealed for $store<K, V> {}

        impl<K: 'static, V: 'static> QueryableStore for $store<K, V> {
            type Key = K;
            type Value = V;
        }
    )*};
}

queryable!(KeyValueStore, WindowStore, SessionStore, VersionedStore);

type MakeCodec<S> =
    dyn Fn(&Arc<str>) -> Codec<<S as QueryableStore>::Key, <S as QueryableStore>::Value> + Send + Sync;

/// How the bytes of a declared store are read; its type tells which store it is.
struct StoreCodec<S: QueryableStore>(Box<MakeCodec<S>>);

/// What a declaration keeps of its store's types.
#[derive(Clone, Default)]
pub(crate) struct KeptTypes {
    codec: Option<Arc<dyn Any + Send + Sync>>,
    /// The type's name, for those who asked for another one.
    pub(crate) name: &'static str,
}

impl KeptTypes {
    pub(crate) fn of<S: QueryableStore>(
        make: impl Fn(&Arc<str>) -> Codec<S::Key, S::Value> + Send + Sync + 'static,
    ) -> Self {
        let codec: Arc<dyn Any + Send + Sync> = Arc::new(StoreCodec::<S>(Box::new(make)));
        Self { codec: Some(codec), name: std::any::type_name::<S>() }
    }

    /// How the store's bytes are read, if it is an `S`; `topic` is its changelog.
    pub(crate) fn codec<S: QueryableStore>(&self, topic: &Arc<str>) -> Option<Codec<S::Key, S::Value>> {
        let codec = self.codec.as_ref()?.downcast_ref::<StoreCodec<S>>()?;
        Some((codec.0)(topic))
    }
}
