//! YAML as JSON values, so that one checker reads manifests, schemas and dashboards. Must not know what they mean.

use serde::Deserialize;
use serde_json::Value;

/// The documents of a YAML text in their order; empty ones are left out.
///
/// ```
/// let documents = candlewick_tests::deploy::documents("a: 1\n---\nb: [x]\n").expect("it is YAML");
/// assert_eq!(documents[1]["b"][0], "x");
/// ```
///
/// # Errors
/// When it is not YAML, or a mapping says a key twice, which a Kubernetes server would refuse, too.
pub fn documents(text: &str) -> Result<Vec<Value>, serde_norway::Error> {
    let mut found = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        // Through YAML's own value, for it refuses a key that comes twice; JSON's takes the last one.
        let value = serde_norway::Value::deserialize(document)?;
        if !value.is_null() {
            found.push(serde_norway::from_value(value)?);
        }
    }
    Ok(found)
}
