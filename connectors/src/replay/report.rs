//! What a replay has read and left out so far. Owns counters only.

use std::fmt;

/// The first faults are kept as sentences; all are counted.
const SENTENCES_MAX: usize = 10;

/// Counts of a replay.
///
/// ```
/// use candlewick_connectors::ReplayReport;
/// let report = ReplayReport { trades: 7, malformed: 1, ..ReplayReport::default() };
/// assert_eq!(report.to_string(), "7 trades, 1 malformed line skipped");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Trades given out.
    pub trades: u64,
    /// Lines skipped because they are malformed.
    pub malformed: u64,
    /// Trades skipped because their price is zero, negative or not a number.
    pub bad_prices: u64,
    /// Trades left out because they are of another kind than MARKET (insurance fund, auto-deleveraging).
    pub other_kinds: u64,
    /// Raw messages that hold no trades: subscriptions, heartbeats, books.
    pub other_messages: u64,
    /// Trades whose side was told from the move of the price, because the file does not name it.
    pub sides_inferred: u64,
    /// Whether the gzip file ended too early.
    pub truncated: bool,
    /// Lines read.
    pub lines: u64,
    /// Bytes of the file read.
    pub bytes_read: u64,
    /// Bytes of the file.
    pub bytes_total: u64,
    /// The first sentences about what was skipped.
    pub sentences: Vec<String>,
}

impl ReplayReport {
    pub(super) fn note(&mut self, sentence: impl FnOnce() -> String) {
        if self.sentences.len() < SENTENCES_MAX {
            self.sentences.push(sentence());
        }
    }

    /// Lines and trades that were skipped for a fault.
    ///
    /// ```
    /// use candlewick_connectors::ReplayReport;
    /// assert_eq!(ReplayReport { malformed: 1, bad_prices: 2, ..ReplayReport::default() }.skipped(), 3);
    /// ```
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.malformed + self.bad_prices
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count| if count == 1 { "" } else { "s" };
        write!(f, "{} trade{}", self.trades, s(self.trades))?;
        for (count, what, rest) in [
            (self.malformed, "malformed line", " skipped"),
            (self.bad_prices, "trade", " skipped for their price"),
            (self.other_kinds, "trade", " of other kinds than MARKET left out"),
            (self.other_messages, "other message", ""),
            (self.sides_inferred, "side", " told from the price"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}{}{rest}", s(count))?;
            }
        }
        if self.truncated { f.write_str(", the gzip file is truncated") } else { Ok(()) }
    }
}
