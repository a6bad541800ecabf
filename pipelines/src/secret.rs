//! Words that nobody may see in a log: passwords and keys. Owns their hiding; must not know what they open.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A password or a key. Its `Debug` shows nothing.
///
/// ```
/// use candlewick_pipelines::secret::Secret;
/// let secret: Secret = "hush".parse().expect("any text is one");
/// assert_eq!(format!("{secret:?}"), "Secret");
/// assert_eq!(secret.reveal(), "hush");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The words themselves.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}
