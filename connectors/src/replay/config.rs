//! What the reader of a recording may be told. Owns the settings only.

use candlewick_operators::{Exchange, Symbol};

/// How a recording is read. The default asks nothing of the user: everything is told from the file.
///
/// ```
/// use candlewick_connectors::ReplaySettings;
/// let settings = ReplaySettings { symbol: Some("BTC-USD".into()), strict: true, ..ReplaySettings::default() };
/// assert!(settings.exchange.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplaySettings {
    /// The instrument, where no column or message names it. Without it, the file's name is asked.
    pub symbol: Option<Symbol>,
    /// The exchange, where no column names it; it also replaces the name that a raw message's format stands for.
    pub exchange: Option<Exchange>,
    /// Whether the first line that is no trade ends the replay with an error. Otherwise it is skipped and counted.
    pub strict: bool,
}
