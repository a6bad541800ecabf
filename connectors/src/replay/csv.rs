//! Rows of a CSV file as trades, without an allocation for a row. Owns splitting and unquoting; must not know where the
//! columns come from.

use std::borrow::Cow;

use candlewick_operators::{Exchange, Side, Symbol, Trade};

use super::columns::{Columns, FIELDS_MAX, SideColumn, parse_bool};
use super::side::TickRule;
use crate::exchange::{Fault, RawTrade, parse_side};

/// Reads rows.
#[derive(Debug)]
pub(super) struct Rows {
    columns: Columns,
    width: usize,
    symbol: Symbol,
    exchange: Exchange,
    ticks: TickRule,
    /// How many sides were told from the price.
    pub(super) sides_inferred: u64,
}

impl Rows {
    /// A reader; symbol and exchange are for rows that name none.
    pub(super) fn new(columns: Columns, symbol: Symbol, exchange: Exchange) -> Self {
        let width = columns.width().min(FIELDS_MAX);
        Self { columns, width, symbol, exchange, ticks: TickRule::default(), sides_inferred: 0 }
    }

    /// Reads the row in line `number`.
    pub(super) fn trade(&mut self, line: &[u8], number: u64) -> Result<Trade, Fault> {
        if memchr::memchr(b'"', line).is_some() {
            let fields: Vec<Cow<'_, [u8]>> = split_quoted(line, self.columns.delimiter);
            let mut row = [&b""[..]; FIELDS_MAX];
            for (slot, field) in row.iter_mut().zip(&fields) {
                *slot = field;
            }
            return self.row(&row[..fields.len().min(self.width)], number);
        }
        let mut row = [&b""[..]; FIELDS_MAX];
        let (mut count, mut start) = (0, 0);
        for (at, byte) in line.iter().enumerate() {
            if *byte == self.columns.delimiter {
                row[count] = &line[start..at];
                count += 1;
                start = at + 1;
                if count == self.width {
                    return self.row(&row[..count], number);
                }
            }
        }
        row[count] = &line[start..];
        self.row(&row[..=count], number)
    }

    fn row(&mut self, row: &[&[u8]], number: u64) -> Result<Trade, Fault> {
        if row.len() < self.width {
            return Err(Fault::Shape(format!("it has {} fields instead of {}", row.len(), self.width)));
        }
        let field = |at: usize| row[at].trim_ascii();
        if let Some(kind) = self.columns.kind
            && !field(kind).is_empty()
            && !field(kind).eq_ignore_ascii_case(b"MARKET")
        {
            return Err(Fault::Kind);
        }
        if let Some(at) = self.columns.symbol {
            remember(&mut self.symbol, field(at), "symbol")?;
        }
        if let Some(at) = self.columns.exchange {
            remember(&mut self.exchange, field(at), "exchange")?;
        }
        let side = match self.columns.side {
            SideColumn::Taker(at) => Some(word(parse_side, field(at))?),
            SideColumn::BuyerMaker(at) => {
                Some(if word(parse_bool, field(at))? { Side::Sell } else { Side::Buy })
            }
            SideColumn::None => None,
        };
        let mut trade = RawTrade {
            symbol: self.symbol.clone(),
            exchange: self.exchange.clone(),
            price: field(self.columns.price),
            size: field(self.columns.size),
            time: field(self.columns.time),
            unit: self.columns.unit,
            side: side.unwrap_or(Side::Buy),
            id: self.columns.id.map_or(b"0", field),
        }
        .build()?;
        if self.columns.id.is_none() {
            // A line's number is what a row without an id can be told apart by.
            trade.id = i64::try_from(number).unwrap_or(i64::MAX);
        }
        if side.is_none() {
            trade.side = self.ticks.side(trade.price);
            self.sides_inferred += 1;
        }
        Ok(trade)
    }
}

fn word<T>(parse: fn(&[u8]) -> Option<T>, text: &[u8]) -> Result<T, Fault> {
    parse(text).ok_or_else(|| Fault::unreadable("side", text))
}

/// Rows of one instrument follow each other: its name is read once.
fn remember<N: AsRef<str> + for<'a> From<&'a str>>(
    name: &mut N,
    text: &[u8],
    what: &'static str,
) -> Result<(), Fault> {
    if name.as_ref().as_bytes() != text {
        let text = std::str::from_utf8(text).map_err(|_| Fault::unreadable(what, text))?;
        *name = N::from(text);
    }
    Ok(())
}

/// The fields of a line, without the quotes around a whole field: for first lines.
pub(super) fn split(line: &[u8], delimiter: u8) -> Vec<&[u8]> {
    let fields = line.split(|byte| *byte == delimiter).map(<[u8]>::trim_ascii);
    fields
        .map(|field| field.strip_prefix(b"\"").and_then(|f| f.strip_suffix(b"\"")).unwrap_or(field))
        .collect()
}

/// The fields of a line in which quotes may hold delimiters, and doubled quotes stand for one.
pub(super) fn split_quoted(line: &[u8], delimiter: u8) -> Vec<Cow<'_, [u8]>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, behind) = match rest {
            [b'"', quoted @ ..] => quoted_field(quoted),
            _ => {
                let end = memchr::memchr(delimiter, rest).unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        fields.push(field);
        match memchr::memchr(delimiter, behind) {
            Some(at) if fields.len() < FIELDS_MAX => rest = &behind[at + 1..],
            _ => return fields,
        }
    }
}

/// What stands before the closing quote, and what follows it.
fn quoted_field(text: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let mut field: Cow<'_, [u8]> = Cow::Borrowed(&[]);
    let mut start = 0;
    loop {
        let Some(at) = memchr::memchr(b'"', &text[start..]).map(|at| start + at) else {
            join(&mut field, &text[start..]);
            return (field, &[]);
        };
        if text.get(at + 1) == Some(&b'"') {
            join(&mut field, &text[start..=at]);
            start = at + 2;
        } else {
            join(&mut field, &text[start..at]);
            return (field, &text[at + 1..]);
        }
    }
}

fn join<'a>(field: &mut Cow<'a, [u8]>, part: &'a [u8]) {
    if field.is_empty() {
        *field = Cow::Borrowed(part);
    } else {
        field.to_mut().extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields_keep_delimiters_and_halve_doubled_quotes() {
        let fields = split_quoted(br#"1,"{""a"":1,""b"":""x,y""}",2,"open"#, b',');
        let fields: Vec<_> = fields.iter().map(|field| String::from_utf8_lossy(field)).collect();
        assert_eq!(fields, ["1", r#"{"a":1,"b":"x,y"}"#, "2", "open"]);
        assert_eq!(split_quoted(b"", b','), [b"".as_slice()]);
        assert_eq!(split_quoted(b"\"a\",", b',').len(), 2);
    }
}
