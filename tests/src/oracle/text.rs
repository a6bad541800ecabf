//! Keys and values as the goldens show them: text, or null. Knows no topology.

use candlewick::Windowed;

/// A key of a specified topology.
pub(super) type Key = Option<String>;
/// A value of a specified topology.
pub(super) type Value = Option<String>;

/// What functions and comparisons see of a key or value.
pub(super) trait AsText {
    fn text(&self) -> Option<String>;

    /// A windowed key without its window.
    fn inner_text(&self) -> Option<String> {
        self.text()
    }
}

impl AsText for String {
    fn text(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl AsText for i64 {
    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl<T: AsText> AsText for Option<T> {
    fn text(&self) -> Option<String> {
        self.as_ref().and_then(T::text)
    }
}

impl AsText for Windowed<Key> {
    fn text(&self) -> Option<String> {
        let (key, window) = (or_null(self.key.as_deref()), self.window);
        Some(format!("{key}@{}/{}", window.start, window.end))
    }

    fn inner_text(&self) -> Option<String> {
        self.key.clone()
    }
}

/// Java's text of a reference that may be null.
pub(super) fn or_null(text: Option<&str>) -> &str {
    text.unwrap_or("null")
}

/// The whole text as a decimal integer, otherwise 0.
pub(super) fn number(text: Option<&str>) -> i64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
