//! The database as the query engine sees it: the application's tables in `public`, and the catalogs beside it. Owns which
//! name leads where; must not know what the catalogs' tables hold.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::Result;
use futures_util::future::join_all;

use super::{databases, information, relations, types};
use crate::tables::{Known, Tables};

/// The database.
#[derive(Debug)]
pub(crate) struct Catalog(Arc<Tables>);

impl Catalog {
    pub(crate) fn new(tables: Arc<Tables>) -> Self {
        Self(tables)
    }
}

impl CatalogProvider for Catalog {
    fn schema_names(&self) -> Vec<String> {
        ["public", "pg_catalog", "information_schema"].map(str::to_owned).into()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let tables = Arc::clone(&self.0);
        Some(match name {
            "public" => Arc::new(Public(tables)),
            "pg_catalog" => Arc::new(PgCatalog(tables)),
            "information_schema" => Arc::new(Information(tables)),
            _ => return None,
        })
    }
}

/// The application's tables. As in PostgreSQL, a table of the catalog need not be named with its schema.
#[derive(Debug)]
struct Public(Arc<Tables>);

#[derive(Debug)]
struct PgCatalog(Arc<Tables>);

#[derive(Debug)]
struct Information(Arc<Tables>);

#[async_trait]
impl SchemaProvider for Public {
    fn table_names(&self) -> Vec<String> {
        self.0.known().map(|table| table.name.clone()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.0.open(name).await? {
            return Ok(Some(Arc::new(table)));
        }
        PgCatalog(Arc::clone(&self.0)).table(name).await
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.find(name).is_some() || is_known(name)
    }
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        MADE.iter().map(|name| (*name).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let tables = &self.0;
        let made = match name {
            "pg_class" | "pg_attribute" => {
                look_at_all(tables).await;
                if name == "pg_class" { relations::classes(tables) } else { relations::attributes(tables) }
            }
            "pg_tables" => relations::tables(tables),
            "pg_type" => types::pg_types(),
            "pg_namespace" => databases::namespaces(),
            "pg_database" => databases::databases(),
            "pg_roles" | "pg_user" | "pg_authid" => databases::roles(),
            "pg_am" => databases::access_methods(),
            "pg_settings" => databases::settings(),
            _ => match databases::empty(name) {
                Some(made) => made,
                None => return Ok(None),
            },
        };
        made.table().map(Some)
    }

    fn table_exist(&self, name: &str) -> bool {
        is_known(name)
    }
}

#[async_trait]
impl SchemaProvider for Information {
    fn table_names(&self) -> Vec<String> {
        information::NAMES.iter().map(|name| (*name).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if name == "columns" {
            look_at_all(&self.0).await;
        }
        information::made(name, &self.0).map(super::made::Made::table).transpose()
    }

    fn table_exist(&self, name: &str) -> bool {
        information::NAMES.contains(&name)
    }
}

/// The tables of the catalog that are never empty.
const MADE: &[&str] = &[
    "pg_am",
    "pg_attribute",
    "pg_authid",
    "pg_class",
    "pg_database",
    "pg_namespace",
    "pg_roles",
    "pg_settings",
    "pg_tables",
    "pg_type",
    "pg_user",
];

fn is_known(name: &str) -> bool {
    MADE.contains(&name) || databases::empty(name).is_some()
}

/// Looks at the rows of tables whose columns nobody has said. One that cannot be read now is told as it was known before:
/// who lists tables is not to wait for every one of them.
async fn look_at_all(tables: &Tables) {
    let all: Vec<&Arc<Known>> = tables.known().collect();
    for (known, looked) in all.iter().zip(join_all(all.iter().map(|known| tables.look(known))).await) {
        if let Err(error) = looked {
            tracing::debug!(store = known.name, %error, "a store's rows could not be looked at for its columns");
        }
    }
}
