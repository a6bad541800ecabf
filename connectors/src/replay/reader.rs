//! The replay itself: lines in, trades out, faults counted or told. Owns the decision what is skipped; must not know
//! formats.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use candlewick_operators::{Exchange, Symbol, Trade};

use super::config::ReplaySettings;
use super::csv::Rows;
use super::error::ReplayError;
use super::file_name;
use super::lines::{LINE_BYTES_MAX, LineError, Lines};
use super::raw::Messages;
use super::report::ReplayReport;
use super::shape::{Shape, detect};
use crate::exchange::{Fault, MessageOutcome};

/// Trades of a recorded file, in its order.
///
/// Lines that are no trade are skipped and counted; with [`ReplaySettings::strict`] the first one is given as an error,
/// after which the iterator is at its end.
///
/// ```
/// use candlewick_connectors::{Replay, ReplaySettings};
/// # let folder = tempfile::tempdir()?;
/// let file = folder.path().join("BTCUSDT-trades-2024-01-01.csv");
/// std::fs::write(&file, "ts_ms,price,size,side\n1000,42000.5,0.25,buy\noops\n2000,0,1,sell\n")?;
/// let mut replay = Replay::open(&file, ReplaySettings::default())?;
/// let trades: Vec<_> = replay.by_ref().collect::<Result<_, _>>()?;
/// assert_eq!((trades.len(), trades[0].symbol.as_str()), (1, "BTCUSDT"));
/// assert_eq!((replay.report().malformed, replay.report().bad_prices), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Replay {
    path: PathBuf,
    strict: bool,
    lines: Lines,
    format: Format,
    /// Trades of a message that holds several, and the line they stand in.
    waiting: VecDeque<Result<Trade, Fault>>,
    report: ReplayReport,
    ended: bool,
}

enum Format {
    Rows(Rows),
    Messages(Messages),
    /// The file has no line.
    Empty,
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("path", &self.path)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Opens a recording and tells its format from its first line.
    ///
    /// ```
    /// # use candlewick_connectors::{Replay, ReplaySettings};
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("BTCUSDT-trades-2024-01-01.csv");
    /// std::fs::write(&file, "ts_ms,price,size,side\n1000,42000.5,0.25,buy\n")?;
    /// assert_eq!(Replay::open(&file, ReplaySettings::default())?.count(), 1);
    /// std::fs::write(&file, "neither,nor\n1,2\n")?;
    /// assert!(Replay::open(&file, ReplaySettings::default()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, its first line is of no known format, or nothing names the instrument.
    pub fn open(path: impl AsRef<Path>, settings: ReplaySettings) -> Result<Self, ReplayError> {
        let path = path.as_ref().to_path_buf();
        let opened = Lines::open(&path).and_then(|lines| Ok((lines, Lines::open(&path)?)));
        let (mut lines, mut first) =
            opened.map_err(|source| ReplayError::Io { path: path.clone(), source })?;
        let (line, data_line) = loop {
            match first.next() {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => break (line.to_vec(), first.number()),
                Ok(None) => {
                    let format = Format::Empty;
                    return Ok(Self::with(path, settings.strict, lines, format));
                }
                Err(error) => return Err(opening(&path, first.number(), error)),
            }
        };
        let unknown = |reason| ReplayError::Unknown { path: path.clone(), line: data_line, reason };
        let (shape, is_data) = detect(&line).map_err(unknown)?;
        // The first line of data is read again as the others are; what stands before it is passed over.
        for _ in 0..(data_line - u64::from(is_data)) {
            lines.next().map_err(|error| opening(&path, data_line, error))?;
        }
        let format = Self::format(&path, shape, settings.symbol, settings.exchange)?;
        Ok(Self::with(path, settings.strict, lines, format))
    }

    fn format(
        path: &Path,
        shape: Shape,
        symbol: Option<Symbol>,
        exchange: Option<Exchange>,
    ) -> Result<Format, ReplayError> {
        Ok(match shape {
            Shape::Messages => Format::Messages(Messages::new(exchange, None)),
            Shape::MessageColumn { column, delimiter } => {
                Format::Messages(Messages::new(exchange, Some((column, delimiter))))
            }
            Shape::Rows(columns) => {
                let (named_exchange, named_symbol) = file_name::parse(path);
                let symbol = symbol.or(named_symbol);
                if symbol.is_none() && columns.symbol.is_none() {
                    return Err(ReplayError::NoSymbol { path: path.to_path_buf() });
                }
                let exchange = exchange.or(named_exchange).unwrap_or_default();
                Format::Rows(Rows::new(columns, symbol.unwrap_or_default(), exchange))
            }
        })
    }

    fn with(path: PathBuf, strict: bool, lines: Lines, format: Format) -> Self {
        let (waiting, report) = (VecDeque::new(), ReplayReport::default());
        Self { path, strict, lines, format, waiting, report, ended: false }
    }

    /// What was read and skipped so far.
    ///
    /// ```
    /// # use candlewick_connectors::{Replay, ReplaySettings};
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("BTCUSDT-trades-2024-01-01.csv");
    /// std::fs::write(&file, "ts_ms,price,size,side\n1000,42000.5,0.25,buy\noops\n")?;
    /// let mut replay = Replay::open(&file, ReplaySettings::default())?;
    /// replay.by_ref().for_each(drop);
    /// assert_eq!((replay.report().trades, replay.report().malformed), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn report(&self) -> ReplayReport {
        let (bytes_read, bytes_total) = self.lines.progress();
        let sides_inferred = match &self.format {
            Format::Rows(rows) => rows.sides_inferred,
            Format::Messages(_) | Format::Empty => 0,
        };
        let lines = self.lines.number();
        ReplayReport { bytes_read, bytes_total, lines, sides_inferred, ..self.report.clone() }
    }

    /// Bytes of the file read so far and its length: for a progress bar, without the cost of a report.
    ///
    /// ```
    /// # use candlewick_connectors::{Replay, ReplaySettings};
    /// # let folder = tempfile::tempdir()?;
    /// # let file = folder.path().join("BTCUSDT-trades-2024-01-01.csv");
    /// std::fs::write(&file, "ts_ms,price,size,side\n1000,42000.5,0.25,buy\n")?;
    /// let mut replay = Replay::open(&file, ReplaySettings::default())?;
    /// replay.by_ref().for_each(drop);
    /// let (read, total) = replay.progress();
    /// assert_eq!(read, total);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        self.lines.progress()
    }

    /// Reads lines until one gives a trade; `None` at the end.
    fn advance(&mut self) -> Option<Result<Trade, ReplayError>> {
        loop {
            if let Some(found) = self.waiting.pop_front() {
                match found {
                    Ok(trade) => return self.give(trade),
                    Err(fault) => match self.judge(fault) {
                        Some(error) => return Some(Err(error)),
                        None => continue,
                    },
                }
            }
            let number = self.lines.number() + 1;
            let line = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return None,
                Err(error) => match self.broken(error) {
                    Some(error) => return Some(Err(error)),
                    None => continue,
                },
            };
            if line.is_empty() {
                continue;
            }
            let fault = match &mut self.format {
                Format::Empty => return None,
                Format::Messages(messages) => match messages.decode(line, &mut self.waiting) {
                    Ok(MessageOutcome::Trades) => continue,
                    Ok(MessageOutcome::Other) => {
                        self.report.other_messages += 1;
                        continue;
                    }
                    Err(fault) => fault,
                },
                Format::Rows(rows) => match rows.trade(line, number) {
                    Ok(trade) => return self.give(trade),
                    Err(fault) => fault,
                },
            };
            if let Some(error) = self.judge(fault) {
                return Some(Err(error));
            }
        }
    }

    fn give(&mut self, trade: Trade) -> Option<Result<Trade, ReplayError>> {
        self.report.trades += 1;
        Some(Ok(trade))
    }

    /// Counts a fault, or makes it the error that ends a strict replay.
    #[cold]
    fn judge(&mut self, fault: Fault) -> Option<ReplayError> {
        let line = self.lines.number();
        let error = match fault {
            Fault::Kind => {
                self.report.other_kinds += 1;
                return None;
            }
            Fault::Price(price) => {
                self.report.bad_prices += 1;
                ReplayError::BadPrice { line, price }
            }
            other => {
                self.report.malformed += 1;
                ReplayError::Malformed { line, reason: other.to_string() }
            }
        };
        self.told(error)
    }

    #[cold]
    fn broken(&mut self, error: LineError) -> Option<ReplayError> {
        let line = self.lines.number();
        match error {
            LineError::Truncated => {
                self.report.truncated = true;
                self.told(ReplayError::Truncated { line })
            }
            LineError::TooLong => {
                self.report.malformed += 1;
                let reason = format!("it is longer than {} MiB", LINE_BYTES_MAX >> 20);
                self.told(ReplayError::Malformed { line, reason })
            }
            LineError::Io(source) => Some(ReplayError::Io { path: self.path.clone(), source }),
        }
    }

    fn told(&mut self, error: ReplayError) -> Option<ReplayError> {
        if self.strict {
            return Some(error);
        }
        self.report.note(|| error.to_string());
        None
    }
}

fn opening(path: &Path, line: u64, error: LineError) -> ReplayError {
    match error {
        LineError::Truncated => ReplayError::Truncated { line },
        LineError::TooLong => ReplayError::Unknown {
            path: path.to_path_buf(),
            line,
            reason: format!("it is longer than {} MiB", LINE_BYTES_MAX >> 20),
        },
        LineError::Io(source) => ReplayError::Io { path: path.to_path_buf(), source },
    }
}

impl Iterator for Replay {
    type Item = Result<Trade, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let found = self.advance();
        self.ended = !matches!(found, Some(Ok(_)));
        found
    }
}
