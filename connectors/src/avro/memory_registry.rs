//! A registry for runs without a registry: schemas in memory, and in a small file where they must outlive the process.
//! Owns ids and the check of compatibility; speaks to nobody.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde::{Deserialize, Serialize};

use super::registry::SchemaRegistry;
use super::registry_error::RegistryError;

/// Schemas with ids, in Confluent's sense: the same schema has the same id under every subject, and a new schema of a
/// subject must be able to read what the one before it wrote (`BACKWARD`).
///
/// ```
/// use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
/// let registry = MemoryRegistry::new();
/// let id = registry.register("a-value", "\"string\"")?;
/// assert_eq!(registry.register("b-value", "{\"type\": \"string\"}")?, id);
/// assert!(registry.schema(id + 1).is_err());
/// # Ok::<(), candlewick_connectors::avro::RegistryError>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    file: Option<PathBuf>,
    name: String,
    held: Mutex<Vec<Entry>>,
}

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    id: u32,
    subject: String,
    schema: String,
}

impl MemoryRegistry {
    /// An empty registry that is forgotten with the process.
    ///
    /// ```
    /// use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
    /// assert_eq!(MemoryRegistry::new().name(), "in memory");
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { name: "in memory".to_string(), ..Self::default() }
    }

    /// A registry kept in a file of one JSON object a line, which is made when it does not exist.
    ///
    /// ```
    /// use candlewick_connectors::avro::{MemoryRegistry, SchemaRegistry};
    /// let folder = tempfile::tempdir()?;
    /// let file = folder.path().join("schemas.jsonl");
    /// let id = MemoryRegistry::in_file(&file)?.register("trades-value", "\"string\"")?;
    /// assert!(MemoryRegistry::in_file(&file)?.schema(id).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RegistryError::File`] when it cannot be read; [`RegistryError::BadSchema`] when a line is none of its own.
    pub fn in_file(path: impl AsRef<Path>) -> Result<Self, RegistryError> {
        let path = path.as_ref().to_path_buf();
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(RegistryError::File { path: name, source }),
        };
        // A last line without its end was cut off by a crash before anything used it.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        if whole.len() + 1 < text.len() {
            let file = OpenOptions::new().write(true).open(&path);
            let len = if whole.is_empty() { 0 } else { whole.len() as u64 + 1 };
            let cut = file.and_then(|file| file.set_len(len));
            cut.map_err(|source| RegistryError::File { path: name.clone(), source })?;
        }
        let held: Result<Vec<Entry>, _> = whole.lines().map(serde_json::from_str).collect();
        let held = held.map_err(|error| RegistryError::BadSchema {
            name: "line".to_string(),
            registry: name.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self { file: Some(path), name, held: Mutex::new(held) })
    }

    fn held(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parse(&self, name: &str, schema: &str) -> Result<Schema, RegistryError> {
        Schema::parse_str(schema).map_err(|error| RegistryError::BadSchema {
            name: name.to_string(),
            registry: self.name.clone(),
            reason: error.to_string(),
        })
    }

    fn keep(&self, entry: &Entry) -> Result<(), RegistryError> {
        let Some(path) = &self.file else { return Ok(()) };
        let mut line = serde_json::to_string(entry).expect("numbers and strings are JSON");
        line.push('\n');
        let written = OpenOptions::new().create(true).append(true).open(path).and_then(|mut file| {
            file.write_all(line.as_bytes())?;
            file.sync_data()
        });
        written.map_err(|source| RegistryError::File { path: self.name.clone(), source })
    }
}

impl SchemaRegistry for MemoryRegistry {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self, id: u32) -> Result<Schema, RegistryError> {
        let found = self.held().iter().find(|entry| entry.id == id).map(|entry| entry.schema.clone());
        match found {
            Some(text) => self.parse(&id.to_string(), &text),
            None => Err(RegistryError::UnknownId { id, registry: self.name.clone() }),
        }
    }

    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let parsed = self.parse(subject, schema)?;
        let mut held = self.held();
        // Texts are compared as JSON: the canonical form leaves defaults out, and they matter to readers.
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        let wanted = json(&schema_object(schema));
        let same = |entry: &&Entry| json(&schema_object(&entry.schema)) == wanted;
        if let Some(entry) = held.iter().filter(|entry| entry.subject == subject).find(same) {
            return Ok(entry.id);
        }
        if let Some(last) = held.iter().rev().find(|entry| entry.subject == subject) {
            let older = self.parse(subject, &last.schema)?;
            SchemaCompatibility::can_read(&older, &parsed).map_err(|error| RegistryError::Incompatible {
                registry: self.name.clone(),
                subject: subject.to_string(),
                reason: error.to_string(),
                registered: last.schema.clone(),
                ours: schema.to_string(),
            })?;
        }
        let known = held.iter().find(same).map(|entry| entry.id);
        let id = known.unwrap_or_else(|| held.iter().map(|entry| entry.id).max().unwrap_or(0) + 1);
        let entry = Entry { id, subject: subject.to_string(), schema: schema.to_string() };
        self.keep(&entry)?;
        held.push(entry);
        Ok(id)
    }
}

/// `"string"` and `{"type":"string"}` are the same schema.
fn schema_object(schema: &str) -> String {
    let text = schema.trim();
    if text.starts_with('"') { format!("{{\"type\":{text}}}") } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}"#;
    const WITH_DEFAULT: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":"string","default":""}]}"#;
    const WITHOUT_DEFAULT: &str =
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"c","type":"string"}]}"#;

    #[test]
    fn ids_outlive_the_process_in_a_file_and_a_torn_line_is_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("schemas.jsonl");
        let (one, two) = {
            let registry = MemoryRegistry::in_file(&path).expect("opens");
            let one = registry.register("a-value", ONE).expect("new");
            (one, registry.register("a-value", WITH_DEFAULT).expect("compatible"))
        };
        assert_ne!(one, two);
        let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
        file.write_all(b"{\"id\":3,\"subj").expect("written");
        let registry = MemoryRegistry::in_file(&path).expect("opens again");
        assert_eq!(registry.register("a-value", ONE).expect("known"), one);
        assert_eq!(registry.schema(two).expect("known").canonical_form(), {
            Schema::parse_str(WITH_DEFAULT).expect("a schema").canonical_form()
        });
        let third = registry.register("b-value", "\"long\"").expect("new");
        assert_eq!(MemoryRegistry::in_file(&path).expect("opens").schema(third).expect("kept"), Schema::Long);
    }

    #[test]
    fn an_incompatible_schema_is_refused_with_both_schemas() {
        let registry = MemoryRegistry::new();
        registry.register("a-value", ONE).expect("new");
        let error = registry.register("a-value", WITHOUT_DEFAULT).expect_err("incompatible").to_string();
        assert!(
            error.contains("a-value") && error.contains(ONE) && error.contains(WITHOUT_DEFAULT),
            "{error}"
        );
        registry.register("b-value", WITHOUT_DEFAULT).expect("another subject");
    }

    #[test]
    fn an_unknown_id_is_named_with_the_registry() {
        let error = MemoryRegistry::new().schema(77).expect_err("unknown").to_string();
        assert!(error.contains("77") && error.contains("in memory"), "{error}");
    }
}
