//! What kind of file it is, told by its first line. Owns the detection; must not read trades.

use super::columns::{Columns, is_header, message_column};
use super::csv::split;

/// How the lines of a file are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Rows of a trade each.
    Rows(Columns),
    /// A message a line, perhaps behind a time or other fields.
    Messages,
    /// A message in one column of a CSV file.
    MessageColumn {
        /// Which.
        column: usize,
        /// What separates the columns.
        delimiter: u8,
    },
}

/// The shape of a file, and whether its first line is data and not names; `Err` says what is missing.
pub(super) fn detect(line: &[u8]) -> Result<(Shape, bool), String> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    if message_of(line).is_some() {
        return Ok((Shape::Messages, true));
    }
    let delimiter = delimiter(line);
    let row = split(line, delimiter);
    if !is_header(&row) {
        let found = Columns::from_row(&row, delimiter);
        let reason = || "the first line is neither a header nor a row of a known dump".to_string();
        return found.map(|columns| (Shape::Rows(columns), true)).ok_or_else(reason);
    }
    match (Columns::from_header(&row, delimiter), message_column(&row)) {
        (Ok(columns), _) => Ok((Shape::Rows(columns), false)),
        (Err(_), Some(column)) => Ok((Shape::MessageColumn { column, delimiter }, false)),
        (Err(reason), None) => Err(reason),
    }
}

/// The message in a line: the line itself, or what stands behind a time and other fields without braces or brackets.
pub(super) fn message_of(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii();
    match line.first()? {
        b'{' | b'[' => Some(line),
        _ => {
            let at = memchr::memchr2(b'{', b'[', line)?;
            let gap = line[..at].last()?;
            (matches!(gap, b' ' | b'\t') && !line[..at].contains(&b'"')).then_some(&line[at..])
        }
    }
}

fn delimiter(line: &[u8]) -> u8 {
    let count = |byte: u8| line.iter().filter(|found| **found == byte).count();
    let mut best = b',';
    for other in [b';', b'\t', b'|'] {
        if count(other) > count(best) {
            best = other;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::columns::SideColumn;
    use super::*;
    use crate::exchange::time::TimeUnit;

    fn columns(line: &str) -> (Columns, bool) {
        match detect(line.as_bytes()) {
            Ok((Shape::Rows(columns), data)) => (columns, data),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn headers_are_read_whatever_their_spelling() {
        for line in [
            "ts_ms,price,size,side,trade_id,symbol,exchange,kind",
            "Ts_Ms;Price;Qty;Taker Side;id;pair;Exchange;KIND",
            "\u{feff}\"ts_ms\",\"price\",\"base_qty\",\"side\",\"a\",\"product_id\",\"exchange\",\"kind\"",
            "tsMs\tprice\tamount\ttype\tagg_trade_id\tinstrument\texchange\tkind",
        ] {
            let (columns, data) = columns(line);
            assert!(!data);
            assert_eq!((columns.time, columns.unit), (0, TimeUnit::Millis), "{line}");
            assert_eq!((columns.price, columns.size, columns.side), (1, 2, SideColumn::Taker(3)), "{line}");
            let rest = [columns.id, columns.symbol, columns.exchange, columns.kind];
            assert_eq!(rest, [Some(4), Some(5), Some(6), Some(7)], "{line}");
        }
        let (binance, _) = columns("id,price,qty,quote_qty,time,is_buyer_maker");
        assert_eq!((binance.time, binance.size, binance.side), (4, 2, SideColumn::BuyerMaker(5)));
    }

    #[test]
    fn known_dumps_need_no_header() {
        let (agg, data) = columns("26129,0.01633102,4.70443515,27781,27781,1498793709153,True,True");
        assert!(data);
        assert_eq!((agg.time, agg.price, agg.size, agg.side), (5, 1, 2, SideColumn::BuyerMaker(6)));
        let (trades, _) = columns("28457,4.00000100,12.00000000,48.000012,1499865549590123,false,true");
        assert_eq!((trades.time, trades.id, trades.side), (4, Some(0), SideColumn::BuyerMaker(5)));
        let (kraken, _) = columns("30243.4,0.34507674,1688671969.199");
        assert_eq!((kraken.time, kraken.price, kraken.size), (2, 0, 1));
        let (archive, _) = columns("1381095255,122.0,0.1");
        assert_eq!((archive.time, archive.price, archive.size), (0, 1, 2));
    }

    #[test]
    fn messages_are_recognised_bare_behind_a_time_and_in_a_column() {
        assert_eq!(detect(b"{\"e\":\"trade\"}"), Ok((Shape::Messages, true)));
        assert_eq!(detect(b"1640908800123 [1,2]"), Ok((Shape::Messages, true)));
        assert_eq!(detect(b"binance\tspot\t1640908800123\t{\"a\":1}"), Ok((Shape::Messages, true)));
        let column = Shape::MessageColumn { column: 1, delimiter: b',' };
        assert_eq!(detect(b"received_at,msg"), Ok((column, false)));
    }

    #[test]
    fn a_file_of_something_else_says_what_is_missing() {
        let reason = detect(b"time,open,close").expect_err("no price");
        assert!(reason.contains("price") && reason.contains("time,open,close"), "{reason}");
        assert!(detect(b"hello world").is_err());
    }
}
