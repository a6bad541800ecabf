//! In which formats a declared store's rows are written, its types forgotten: what a manifest keeps of them, and whether
//! another version's rows can be read. Must not know manifests.

use std::sync::Arc;

use crate::serde::{Format, Serde, SerdeError};

type Reads = dyn Fn(&Format) -> Result<(), SerdeError> + Send + Sync;

/// The formats of a store's keys and values; none of a store that tells nothing.
#[derive(Clone, Default)]
pub(crate) struct RowFormats {
    key: Option<Format>,
    values: Vec<(Format, Arc<Reads>)>,
}

impl RowFormats {
    /// Rows with keys of this serde.
    pub(super) fn of_key<K: 'static>(key: &Arc<dyn Serde<K>>) -> Self {
        Self { key: Some(key.format()), values: Vec::new() }
    }

    /// The same, whose values are of this serde too; a join's buffer has two.
    pub(super) fn with_value<V: 'static>(mut self, value: &Arc<dyn Serde<V>>) -> Self {
        let serde = Arc::clone(value);
        self.values.push((value.format(), Arc::new(move |written| serde.reads(written))));
        self
    }

    pub(crate) fn key(&self) -> Option<&Format> {
        self.key.as_ref()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Format> {
        self.values.iter().map(|(format, _)| format)
    }

    /// Whether values of these formats can be read.
    pub(crate) fn reads(&self, written: &[Format]) -> Result<(), SerdeError> {
        self.values.iter().zip(written).try_for_each(|((_, reads), written)| reads(written))
    }
}
