//! Option structs: one per operation that touches the log or a store. Serdes are named here, or come from
//! [`DefaultSerde`]. Must not know what is made of them.

mod consumed;
mod grouped;
mod materialized;
mod produced;
mod repartitioned;

use std::sync::Arc;

pub use self::consumed::Consumed;
pub use self::grouped::Grouped;
pub use self::materialized::Materialized;
pub use self::produced::Produced;
pub use self::repartitioned::Repartitioned;
use crate::serde::{DefaultSerde, Serde};

pub(crate) type SharedSerde<T> = Arc<dyn Serde<T>>;

macro_rules! default_serdes {
    ($($option:ident),*) => {$(
        impl<K: DefaultSerde + 'static, V: DefaultSerde + 'static> Default for $option<K, V> {
            fn default() -> Self {
                Self::with(K::default_serde(), V::default_serde())
            }
        }
    )*};
}

default_serdes!(Consumed, Produced, Grouped, Repartitioned);
