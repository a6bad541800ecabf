//! Which tables there are: the stores that can be read, their other names, their numbers and their columns. Owns what is
//! known of a store's columns and since when; must not know queries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candlewick::{StoreInfo, StoreType};
use candlewick_server::{Instances, Question, Range, ReadError, Reply, Row, Rows};
use datafusion::error::DataFusionError;

use super::column::{Column, columns};
use super::form::Form;
use super::store_table::StoreTable;
use crate::options::SqlOptions;

/// Where the numbers of tables begin: those below are PostgreSQL's own.
const FIRST_OID: i32 = 16_384;
/// Rows that are looked at for the columns of a store whose types nobody has said.
const LOOKED_AT: usize = 100;

/// The tables of an application.
pub(crate) struct Tables {
    pub(super) instances: Instances,
    pub(super) options: SqlOptions,
    known: BTreeMap<String, Arc<Known>>,
    /// Names that need no quotes, each with the store's own.
    plain: BTreeMap<String, String>,
}

/// What is known of a table.
pub(crate) struct Known {
    /// The store's name, which is the table's.
    pub(crate) name: String,
    /// Its number in the catalog.
    pub(crate) oid: i32,
    kind: StoreType,
    forms: Mutex<Forms>,
}

/// What keys and values look like.
#[derive(Clone, Debug, Default, PartialEq)]
struct Forms {
    key: Form,
    value: Form,
    /// Said by the application, and the same for as long as it runs.
    is_declared: bool,
}

impl Forms {
    fn learn(&mut self, row: &Row) {
        for (form, field) in [(&mut self.key, "key"), (&mut self.value, "value")] {
            if let Some(value) = row.fields.get(field) {
                *form = std::mem::take(form).join(Form::of(value));
            }
        }
    }
}

impl Known {
    /// The columns, as far as they are known by now.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let forms = self.forms();
        columns(self.kind, &forms.key, &forms.value)
    }

    pub(super) fn kind(&self) -> StoreType {
        self.kind
    }

    /// The form of the keys.
    pub(super) fn key(&self) -> Form {
        self.forms().key.clone()
    }

    /// Widens the columns, so that these rows fit the next time; whether that changes anything.
    pub(super) fn learn(&self, rows: &[Row]) -> bool {
        let mut forms = self.forms();
        if forms.is_declared {
            return false;
        }
        let before = forms.clone();
        rows.iter().for_each(|row| forms.learn(row));
        *forms != before
    }

    /// Plain data, which a panic leaves as good as before.
    fn forms(&self) -> MutexGuard<'_, Forms> {
        self.forms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// The stores of this application that can be read as JSON.
    pub(crate) fn new(instances: Instances, options: SqlOptions) -> Self {
        let application = Arc::clone(instances.application());
        let is_readable = |store: &StoreInfo| {
            let rows = Rows::Many(Range { limit: 1, ..Range::default() });
            let question = Question { rows, staleness_max: None };
            let read: Result<Reply, ReadError> = application.read(&store.name, &question);
            !matches!(read, Err(ReadError::NotReadable | ReadError::UnknownStore))
        };
        let mut stores: Vec<StoreInfo> = application.stores().into_iter().filter(is_readable).collect();
        stores.sort_by(|a, b| a.name.cmp(&b.name));
        stores.dedup_by(|a, b| a.name == b.name);
        let known = |(oid, store): (i32, StoreInfo)| {
            let forms = application.sample(&store.name).map(|sample| Forms {
                key: Form::of_sample(&sample.key),
                value: Form::of_sample(&sample.value),
                is_declared: true,
            });
            let forms = Mutex::new(forms.unwrap_or_default());
            (store.name.clone(), Arc::new(Known { name: store.name, oid, kind: store.kind, forms }))
        };
        let known: BTreeMap<String, Arc<Known>> = (FIRST_OID..).zip(stores).map(known).collect();
        let mut by_plain: BTreeMap<String, String> = BTreeMap::new();
        for name in known.keys() {
            let plain = plain(name);
            if !known.contains_key(&plain) {
                by_plain.entry(plain).or_insert_with(|| name.clone());
            }
        }
        Self { instances, options, known, plain: by_plain }
    }

    /// All tables, by name.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Arc<Known>> {
        self.known.values()
    }

    /// A table by the store's name, or by the one that needs no quotes.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Known>> {
        self.known.get(name).or_else(|| self.known.get(self.plain.get(name)?))
    }

    /// A table for one query, with its columns as they are now.
    pub(crate) async fn open(self: &Arc<Self>, name: &str) -> Result<Option<StoreTable>, DataFusionError> {
        let Some(known) = self.find(name) else { return Ok(None) };
        self.look(known).await.map_err(|error| refused(&known.name, &error))?;
        Ok(Some(StoreTable::new(Arc::clone(self), Arc::clone(known))))
    }

    /// Looks at some rows where nobody has said what they look like.
    pub(crate) async fn look(&self, known: &Known) -> Result<(), ReadError> {
        if known.forms().is_declared {
            return Ok(());
        }
        let range = Range { limit: LOOKED_AT, ..Range::default() };
        let page = self.instances.page(&known.name, &range, None).await?;
        known.learn(&page.rows);
        Ok(())
    }
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.known.keys()).finish()
    }
}

/// The error of a query whose store could not be read.
pub(super) fn refused(store: &str, error: &ReadError) -> DataFusionError {
    DataFusionError::External(Box::new(crate::error::Refusal::Read {
        store: store.to_owned(),
        source: error.clone(),
    }))
}

/// A name in lower case, with an underscore for everything but letters and digits.
fn plain(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let plain: String = name.chars().map(letter).collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) { format!("_{plain}") } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_need_no_quotes() {
        for (name, expected) in [
            ("candles-1m", "candles_1m"),
            ("KSTREAM-AGGREGATE-STATE-STORE-0000000003", "kstream_aggregate_state_store_0000000003"),
            ("1m", "_1m"),
            ("counts", "counts"),
        ] {
            assert_eq!(plain(name), expected);
        }
    }
}
