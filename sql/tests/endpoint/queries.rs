//! What the tables hold, and what queries make of it: joins, aggregates, times, exact numbers.

use std::collections::BTreeMap;

use candlewick_tests::require;

use crate::market::{MINUTE, Quote, shown, start};
use crate::ready;

fn texts<const N: usize>(row: [&dyn ToString; N]) -> Vec<String> {
    row.map(|value| value.to_string()).into()
}

#[test]
fn a_table_holds_what_its_store_does() {
    let (market, psql) = require!(ready());
    let last = |symbol: &str| market.trades.iter().rfind(|(of, _)| of == symbol).unwrap().1;
    let counts = market.counts();
    let expected: Vec<_> =
        counts.iter().map(|(symbol, count)| texts([symbol, count, &shown(last(symbol))])).collect();
    assert_eq!(psql.rows("SELECT key, value, record_time FROM counts ORDER BY key"), expected);

    let per_minute = market.per_minute();
    let window = |((symbol, start), count): (&(String, i64), &i64)| {
        texts([symbol, &shown(*start), &shown(start + MINUTE), count])
    };
    let expected: Vec<_> = per_minute.iter().map(window).collect();
    let windows = "SELECT key, window_start, window_end, value FROM per_minute ORDER BY key, window_start";
    assert_eq!(psql.rows(windows), expected);

    let sessions = "SELECT sum(value), bool_and(window_end - window_start >= interval '0 s') FROM sessions";
    assert_eq!(psql.rows(sessions), [texts([&market.trades.len(), &"t"])]);
    let venues = [texts([&"XETR", &"Xetra"]), texts([&"XNAS", &"Nasdaq"])];
    assert_eq!(psql.rows("SELECT key, value FROM venues ORDER BY 1"), venues);
}

#[test]
fn a_version_knows_until_when_it_held() {
    let (_, psql) = require!(ready());
    let at = |seconds: i64| shown(start() + seconds * 1_000);
    let expected = [
        texts([&"S01", &"10", &at(1), &at(5)]),
        texts([&"S01", &"30", &at(9), &"null"]),
        texts([&"S02", &"7", &at(2), &"null"]),
    ];
    let versions = "SELECT key, value, valid_from, valid_to FROM prices ORDER BY key, valid_from";
    assert_eq!(psql.rows(versions), expected);
    let held = |seconds: i64| {
        let moment = at(seconds);
        psql.rows(&format!(
            "SELECT key, value FROM prices WHERE valid_from <= '{moment}' AND (valid_to > '{moment}' OR valid_to IS NULL) \
             ORDER BY key"
        ))
    };
    assert_eq!(held(3), [texts([&"S01", &"10"]), texts([&"S02", &"7"])]);
    assert_eq!(held(6), [texts([&"S02", &"7"])], "deleted then");
    assert_eq!(
        psql.rows(&format!("SELECT value FROM prices WHERE key = 'S01' AND valid_from >= '{}'", at(9))),
        [["30"]]
    );
    assert_eq!(psql.value("SELECT count(*) FROM (SELECT key FROM prices LIMIT 2) AS two"), "2");
}

#[test]
fn fields_are_columns_and_numbers_as_text_stay_exact() {
    let (market, psql) = require!(ready());
    let quotes = market.quotes();
    let absent = "null".to_owned();
    let row = |(key, quote): &(String, Quote)| {
        let venue = quote.venue.as_ref();
        let name = venue.map_or(absent.clone(), |venue| venue.name.clone());
        let fee = venue.map_or(absent.clone(), |venue| venue.fee.to_string());
        let is_open = if quote.is_open { "t" } else { "f" };
        texts([key, &quote.bid, &quote.size, &name, &fee, &is_open])
    };
    let expected: Vec<_> = quotes.iter().map(row).collect();
    for table in ["\"Quotes\"", "quotes", "\"raw-quotes\"", "raw_quotes"] {
        let sql =
            format!("SELECT key, bid, size, venue_name, venue_fee, \"isOpen\" FROM {table} ORDER BY key");
        assert_eq!(psql.rows(&sql), expected, "{table}");
    }
    // In units of the last place, as whole numbers: what floats would have got wrong.
    let units = |quote: &Quote| quote.bid.replace('.', "").parse::<i128>().unwrap();
    let sum: i128 = quotes.iter().map(|(_, quote)| units(quote) * i128::from(quote.size)).sum();
    let expected = format!("{}.{:06}", sum / 1_000_000, sum % 1_000_000);
    assert_eq!(psql.value("SELECT sum(bid * size) FROM quotes"), expected);
    // Where nobody has said that the text is a number, it is one on demand.
    assert_eq!(psql.value("SELECT sum(bid::numeric(38, 6) * size) FROM raw_quotes"), expected);
    assert_eq!(psql.value("SELECT count(*) FROM quotes WHERE bid > 17.5 AND \"isOpen\""), "1");
}

#[test]
fn tables_are_joined_grouped_and_windowed() {
    let (market, psql) = require!(ready());
    let joined = "SELECT c.key, c.value, sum(m.value) AS minutes, max(m.value) AS busiest FROM counts c \
                  JOIN per_minute m ON m.key = c.key GROUP BY c.key, c.value HAVING sum(m.value) > 20 \
                  ORDER BY c.key DESC";
    let per_minute = market.per_minute();
    let mut expected: Vec<Vec<String>> = market
        .counts()
        .iter()
        .filter(|(_, count)| **count > 20)
        .map(|(symbol, count)| {
            let of = per_minute.iter().filter(|((of, _), _)| of == symbol);
            texts([symbol, count, count, of.map(|(_, count)| count).max().unwrap()])
        })
        .collect();
    expected.reverse();
    assert_eq!(psql.rows(joined), expected);

    let mut minutes: BTreeMap<i64, i64> = BTreeMap::new();
    per_minute.iter().for_each(|((_, start), count)| *minutes.entry(*start).or_default() += count);
    let mut running = 0;
    let expected: Vec<_> = minutes
        .iter()
        .map(|(start, count)| {
            running += count;
            texts([&shown(*start), count, &running])
        })
        .collect();
    let over = "WITH minutes AS (SELECT window_start, sum(value) AS trades FROM per_minute GROUP BY window_start) \
                SELECT window_start, trades, sum(trades) OVER (ORDER BY window_start) FROM minutes ORDER BY 1";
    assert_eq!(psql.rows(over), expected);

    let left = "SELECT v.key, c.value FROM venues v LEFT JOIN counts c ON c.key = v.key ORDER BY 1";
    assert_eq!(psql.rows(left), [texts([&"XETR", &"null"]), texts([&"XNAS", &"null"])]);
}

#[test]
fn times_are_filtered_on_their_borders_and_grouped() {
    let (market, psql) = require!(ready());
    let (from, to) = (start() + 10 * MINUTE, start() + 13 * MINUTE);
    let within = |first: i64, end: i64| -> i64 {
        market
            .per_minute()
            .iter()
            .filter(|((_, start), _)| (first..end).contains(start))
            .map(|(_, n)| n)
            .sum()
    };
    let sum = |condition: &str| {
        psql.value(&format!("SELECT coalesce(sum(value), 0) FROM per_minute WHERE {condition}"))
            .parse::<i64>()
            .unwrap()
    };
    let (a, b) = (shown(from), shown(to));
    assert_eq!(sum(&format!("window_start >= '{a}' AND window_start < '{b}'")), within(from, to));
    assert_eq!(sum(&format!("window_start BETWEEN '{a}' AND '{b}'")), within(from, to + MINUTE));
    assert_eq!(sum(&format!("window_end > '{a}' AND window_end <= '{b}'")), within(from, to));
    assert_eq!(sum(&format!("window_start = '{a}'")), within(from, from + MINUTE));
    assert_eq!(
        sum(&format!("window_start > '{a}'::timestamptz + interval '2 minutes'")),
        within(to, i64::MAX)
    );
    assert_eq!(
        sum(&format!("window_start < '{a}' OR window_start >= '{b}'")),
        within(0, from) + within(to, i64::MAX)
    );
    assert_eq!(sum("window_start > now()"), 0);
    let one = market
        .per_minute()
        .iter()
        .filter(|((key, start), _)| key == "S01" && *start >= from)
        .map(|(_, n)| n)
        .sum::<i64>();
    assert_eq!(sum(&format!("key IN ('S01', 'none') AND window_start >= '{a}'")), one);

    let hours = "SELECT date_trunc('hour', window_start) AS hour, sum(value) FROM per_minute GROUP BY hour ORDER BY hour";
    let mut expected: BTreeMap<i64, i64> = BTreeMap::new();
    market.trades.iter().for_each(|(_, time)| *expected.entry(time - time % 3_600_000).or_default() += 1);
    let expected: Vec<_> = expected.iter().map(|(hour, count)| texts([&shown(*hour), count])).collect();
    assert_eq!(psql.rows(hours), expected);
}

#[test]
fn whatever_would_change_something_is_refused_in_one_sentence() {
    let (_, psql) = require!(ready());
    for sql in [
        "INSERT INTO counts VALUES ('a', 1)",
        "UPDATE counts SET value = 1",
        "DELETE FROM counts",
        "CREATE TABLE mine AS SELECT * FROM counts",
        "DROP TABLE counts",
        "TRUNCATE counts",
        "COPY counts FROM STDIN",
        "COPY (SELECT 1) TO '/tmp/never'",
        "CREATE EXTERNAL TABLE passwd STORED AS CSV LOCATION '/etc/passwd'",
    ] {
        let refusal = psql.refusal(sql);
        assert!(refusal.contains("25006") && refusal.contains("only reads"), "{sql}: {refusal}");
    }
    for (sql, code) in [
        ("SELECT * FROM nothing", "42P01"),
        ("SELECT nothing FROM counts", "42703"),
        ("SELECT * FROM '/etc/passwd'", "42"),
        ("SELEC 1", "42601"),
        ("SELECT 'x'::int", "22"),
        ("SELECT nonsense(1)", "42"),
    ] {
        let refusal = psql.refusal(sql);
        assert!(refusal.contains(&format!("ERROR:  {code}")), "{sql}: {refusal}");
    }
    assert_eq!(psql.value("SELECT 1"), "1", "and goes on");
}
