//! PostgreSQL's JDBC driver, as Metabase and others use it: metadata, parameters, text and binary, some rows at a time.

use candlewick_tests::require;
use candlewick_tests::servers::{Jdbc, jdbc};

use crate::market::{MINUTE, Quote, iso, start};
use crate::{ready, shared};

fn drivers() -> Result<[Jdbc; 2], candlewick_tests::servers::Missing> {
    let driver = jdbc(shared().1.address)?;
    // The driver takes binary once a statement was used a few times, unless it is told to at once.
    let binary = driver.clone().with("prepareThreshold", "-1");
    Ok([driver, binary])
}

fn cells(lines: &[String]) -> Vec<Vec<&str>> {
    lines.iter().map(|line| line.split('\t').collect()).collect()
}

#[test]
fn the_driver_lists_tables_and_columns() {
    let _ = require!(ready());
    let [driver, _] = require!(drivers());
    let answers = driver.ask(&[
        "product",
        "schemas",
        "tables\t%",
        "columns\tQuotes",
        "columns\tper-minute",
        "keys\tcounts",
        "foreign\tcounts",
        "indexes\tcounts",
    ]);
    assert_eq!(answers[0], ["PostgreSQL\t15\tfalse"]);
    assert_eq!(answers[1], ["information_schema", "pg_catalog", "public"]);
    let expected: Vec<String> =
        ["Quotes", "counts", "per-minute", "prices", "raw-quotes", "sessions", "venues"]
            .map(|name| format!("{name}\tTABLE"))
            .into();
    assert_eq!(answers[2], expected);
    let column = |lines: &[String], name: &str| -> Vec<String> {
        let cells = cells(lines);
        let found = cells.iter().find(|cells| cells[1] == name);
        found.unwrap_or_else(|| panic!("{name}: {lines:?}"))[2..]
            .iter()
            .map(|cell| (*cell).to_owned())
            .collect()
    };
    // java.sql.Types: 2 is NUMERIC, -5 BIGINT, 12 VARCHAR, 8 DOUBLE, -7 BIT, 93 TIMESTAMP.
    assert_eq!(column(&answers[3], "bid")[..4], ["2", "numeric", "38", "6"]);
    assert_eq!(column(&answers[3], "size")[..2], ["-5", "int8"]);
    assert_eq!(column(&answers[3], "venue_fee")[..2], ["8", "float8"]);
    assert_eq!(column(&answers[3], "isOpen")[..2], ["-7", "bool"]);
    assert_eq!(column(&answers[4], "key")[..2], ["12", "text"]);
    assert_eq!(column(&answers[4], "window_start")[..2], ["93", "timestamptz"]);
    assert_eq!(column(&answers[4], "window_start")[4..], ["NO", "2"]);
    for none in &answers[5..] {
        assert!(none.is_empty(), "{none:?}");
    }
}

#[test]
fn parameters_and_values_are_the_same_as_text_and_as_bytes() {
    let (market, _) = require!(ready());
    let from = start() + 10 * MINUTE;
    let within = |symbol: &str| -> i64 {
        market
            .per_minute()
            .iter()
            .filter(|((key, start), _)| key == symbol && *start >= from)
            .map(|(_, n)| n)
            .sum()
    };
    let counts = market.counts();
    let above = counts.iter().filter(|(_, count)| **count > 40).count();
    let (_, quote) = &market.quotes()[7];
    let first = "query\tSELECT sum(value) FROM per_minute WHERE";
    let stamped = format!("{first} key = ? AND window_start >= ?\tstring:S04\ttimestamp:{}", iso(from));
    let moment = format!("{first} window_start >= ? AND key = ?\tmoment:{}\tstring:S04", iso(from));
    for driver in require!(drivers()) {
        let answers = driver.ask(&[
            "query\tSELECT value, record_time, key FROM counts WHERE key = ?\tstring:S01",
            &stamped,
            &moment,
            "query\tSELECT count(*) FROM counts WHERE value > ?\tint:40",
            "query\tSELECT count(*) FROM counts WHERE value > ? LIMIT ?\tlong:40\tint:5",
            "query\tSELECT bid, size, venue_fee, \"isOpen\" FROM quotes WHERE bid = ?\tdecimal:7.000049",
            "query\tSELECT count(*) FROM quotes WHERE venue_fee >= ? AND \"isOpen\" = ?\tdouble:2.0\tbool:true",
            "query\tSELECT count(*) FROM counts WHERE key = ?\tnull:",
            "query\tSELECT array_agg(key ORDER BY key) FROM venues",
            "query\tSELECT ?::int + 1\tstring:41",
            "query\tSELECT value FROM counts WHERE value = ?\tstring:many",
            "query\tDELETE FROM counts WHERE key = ?\tstring:S01",
            "query\tSELECT 1 AS one",
        ]);
        let last = market.trades.iter().rfind(|(symbol, _)| symbol == "S01").unwrap().1;
        let instant = iso(last);
        assert_eq!(
            answers[0],
            [
                "TYPES\tvalue int8\trecord_time timestamptz\tkey text".to_owned(),
                format!("{}\t{instant}\tS01", counts["S01"])
            ]
        );
        assert_eq!(answers[1][1], within("S04").to_string());
        assert_eq!(answers[2][1], within("S04").to_string());
        assert_eq!(answers[3], ["TYPES\tcount int8".to_owned(), above.to_string()]);
        assert_eq!(answers[4][1], above.to_string());
        let fee = quote.venue.as_ref().map_or_else(|| "null".to_owned(), |venue| venue.fee.to_string());
        assert_eq!(answers[5][1], format!("{}\t{}\t{fee}\t{}", quote.bid, quote.size, quote.is_open));
        let quotes = market.quotes();
        let is_dear = |quote: &Quote| quote.venue.as_ref().is_some_and(|venue| venue.fee >= 2.0);
        let open = quotes.iter().filter(|(_, quote)| quote.is_open && is_dear(quote));
        assert_eq!(answers[6][1], open.count().to_string());
        assert_eq!(answers[7][1], "0");
        // With quotes or without: what the driver makes of an array.
        assert_eq!(answers[8][1].replace('"', ""), "{XETR,XNAS}");
        assert_eq!(answers[9][1], "42");
        assert!(answers[10][0].starts_with("ERROR\t22P02\t"), "{:?}", answers[10]);
        assert!(answers[11][0].starts_with("ERROR\t25006\t"), "{:?}", answers[11]);
        assert_eq!(answers[12], ["TYPES\tone int8", "1"]);
    }
}

#[test]
fn rows_come_some_at_a_time_inside_of_a_transaction() {
    let (market, _) = require!(ready());
    for driver in require!(drivers()) {
        let answers = driver.ask(&["commit\tSELECT key, value FROM counts ORDER BY key"]);
        let expected: Vec<String> = std::iter::once("TYPES\tkey text\tvalue int8".to_owned())
            .chain(market.counts().iter().map(|(symbol, count)| format!("{symbol}\t{count}")))
            .collect();
        assert_eq!(answers[0], expected);
    }
}
