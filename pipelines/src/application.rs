//! The running application as the status server sees it: status, drawing, and its stores as JSON.

use std::collections::BTreeMap;

use candlewick::{QueryError, Serde, Status, StoredRow, StreamsHandle, TopologyView};
use candlewick_operators::{CandleSerde, StateSerde};
use candlewick_server::{Application, ReadError};
use serde_json::{Value, json};

use crate::market::IndicatorState;

type Render = Box<dyn Fn(&[u8]) -> Option<Value> + Send + Sync>;

/// How a store's rows look outside.
struct Format {
    windowed: bool,
    value: Render,
}

/// An application with the formats of its stores.
pub struct MarketApplication {
    streams: StreamsHandle,
    formats: BTreeMap<String, Format>,
}

impl MarketApplication {
    /// Knows the stores of the market application by their names.
    #[must_use]
    pub fn new(streams: StreamsHandle, intervals: &[candlewick_operators::Interval]) -> Self {
        let mut formats = BTreeMap::new();
        for interval in intervals {
            let value: Render = Box::new(|bytes| {
                let candle = CandleSerde.deserialize("", bytes).ok()?;
                serde_json::to_value(candle).ok()
            });
            formats.insert(format!("candles-{interval}"), Format { windowed: true, value });
        }
        let value: Render = Box::new(|bytes| {
            let state: IndicatorState = StateSerde.deserialize("", bytes).ok()?;
            serde_json::to_value(state).ok()
        });
        formats.insert("indicators".into(), Format { windowed: false, value });
        Self { streams, formats }
    }

    fn format(&self, store: &str) -> Result<&Format, ReadError> {
        match self.formats.get(store) {
            Some(format) => Ok(format),
            None => match self.streams.read_rows(store, None, None, 1) {
                Err(QueryError::UnknownStore { .. }) => Err(ReadError::UnknownStore),
                _ => Err(ReadError::NotReadable),
            },
        }
    }
}

impl Application for MarketApplication {
    fn status(&self) -> Status {
        self.streams.status()
    }

    fn topology(&self) -> TopologyView {
        self.streams.topology()
    }

    fn describe(&self) -> String {
        self.streams.describe()
    }

    fn read_key(&self, store: &str, key: &str) -> Result<Option<Value>, ReadError> {
        let format = self.format(store)?;
        let bytes = format.key_bytes(key).ok_or(ReadError::NotReadable)?;
        let row = self.streams.read_row(store, &bytes).map_err(read_error)?;
        Ok(row.and_then(|row| format.value(&row)))
    }

    fn read_range(
        &self,
        store: &str,
        from: Option<&str>,
        to: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Value)>, ReadError> {
        let format = self.format(store)?;
        // A text without a window's start is a prefix of its windowed keys, so that the upper end takes in all of them.
        let from = from.map(|key| format.key_bytes(key).unwrap_or_else(|| key.as_bytes().to_vec()));
        let to =
            to.map(|key| format.key_bytes(key).unwrap_or_else(|| [key.as_bytes(), &[0xff; 13]].concat()));
        let rows =
            self.streams.read_rows(store, from.as_deref(), to.as_deref(), limit).map_err(read_error)?;
        Ok(rows.iter().filter_map(|row| Some((format.key_text(&row.key)?, format.value(row)?))).collect())
    }
}

impl Format {
    /// The key's bytes: the text itself, or `key@start` for windows.
    fn key_bytes(&self, key: &str) -> Option<Vec<u8>> {
        if !self.windowed {
            return Some(key.as_bytes().to_vec());
        }
        let (key, start) = key.rsplit_once('@')?;
        let start: i64 = start.parse().ok()?;
        Some([key.as_bytes(), &start.to_be_bytes(), &0i32.to_be_bytes()].concat())
    }

    fn key_text(&self, bytes: &[u8]) -> Option<String> {
        if !self.windowed {
            return std::str::from_utf8(bytes).ok().map(str::to_owned);
        }
        let (key, tail) = bytes.split_last_chunk::<12>()?;
        let start = i64::from_be_bytes(tail[..8].try_into().ok()?);
        Some(format!("{}@{start}", std::str::from_utf8(key).ok()?))
    }

    fn value(&self, row: &StoredRow) -> Option<Value> {
        let value = (self.value)(&row.value)?;
        Some(json!({ "value": value, "timestamp": row.timestamp.as_millis() }))
    }
}

fn read_error(error: QueryError) -> ReadError {
    match error {
        QueryError::UnknownStore { .. } => ReadError::UnknownStore,
        QueryError::Rebalancing => ReadError::Rebalancing,
        _ => ReadError::NotReadable,
    }
}
