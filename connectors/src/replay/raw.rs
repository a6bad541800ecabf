//! Raw messages of exchanges in a file. Owns what a recorder wrapped around them; must not know any exchange.

use std::collections::VecDeque;

use candlewick_operators::{Exchange, Trade};

use super::csv::split_quoted;
use super::shape::message_of;
use crate::exchange::{Fault, MessageDecoder, MessageOutcome};

/// Reads messages; one may hold several trades.
#[derive(Debug, Default)]
pub(super) struct Messages {
    decoder: MessageDecoder,
    exchange: Option<Exchange>,
    /// The column of a CSV file and its delimiter, where messages stand in one.
    column: Option<(usize, u8)>,
}

impl Messages {
    /// A reader; `exchange` replaces the name that the messages' format stands for.
    pub(super) fn new(exchange: Option<Exchange>, column: Option<(usize, u8)>) -> Self {
        Self { decoder: MessageDecoder::default(), exchange, column }
    }

    /// Puts the trades of a line into `out`.
    pub(super) fn decode(
        &mut self,
        line: &[u8],
        out: &mut VecDeque<Result<Trade, Fault>>,
    ) -> Result<MessageOutcome, Fault> {
        let outcome = match self.column {
            None => {
                let text = message_of(line)
                    .ok_or_else(|| Fault::Shape("it holds no JSON object or array".to_string()))?;
                self.decoder.decode(text_of(text)?, out)?
            }
            Some((column, delimiter)) => {
                let fields = split_quoted(line, delimiter);
                let field = fields.get(column).ok_or(Fault::Missing("message"))?;
                self.decoder.decode(text_of(field)?, out)?
            }
        };
        if let Some(exchange) = &self.exchange {
            for trade in out.iter_mut().flatten() {
                trade.exchange = exchange.clone();
            }
        }
        Ok(outcome)
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Shape("it is not UTF-8 text".to_string()))
}
