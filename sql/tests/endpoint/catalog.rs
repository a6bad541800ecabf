//! What clients ask to find out about tables: `psql`'s own commands, and the queries of Grafana's PostgreSQL data source.

use candlewick_tests::require;

use crate::market::{MINUTE, iso, start};
use crate::ready;

const TABLES: [&str; 7] = ["Quotes", "counts", "per-minute", "prices", "raw-quotes", "sessions", "venues"];

#[test]
fn psql_lists_and_describes_tables() {
    let (_, psql) = require!(ready());
    let own = |command: &str| {
        let said = psql.say(command);
        assert!(said.good, "{command}: {}", said.errors);
        said.out
    };
    for command in ["\\dt", "\\d", "\\dt+", "\\d+"] {
        let list = own(command);
        for table in TABLES {
            assert!(list.contains(&format!(" public | {table} ")), "{command}: {list}");
        }
    }
    let columns = |command: &str| -> Vec<[String; 3]> {
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        let rows =
            own(command).lines().map(cells).filter(|cells| cells.len() > 3).skip(1).collect::<Vec<_>>();
        rows.into_iter().map(|cells| [cells[0].clone(), cells[1].clone(), cells[3].clone()]).collect()
    };
    let (time, absent) = ("timestamp with time zone", "");
    let mut quotes = columns("\\d \"Quotes\"");
    // The order of an object's fields is that of its JSON.
    quotes[1..6].sort();
    let expected = [
        ["key", "text", "not null"],
        ["bid", "numeric(38,6)", absent],
        ["isOpen", "boolean", absent],
        ["size", "bigint", absent],
        ["venue_fee", "double precision", absent],
        ["venue_name", "text", absent],
        ["record_time", time, absent],
    ];
    assert_eq!(quotes, expected);
    let expected = [
        ["key", "text", "not null"],
        ["window_start", time, "not null"],
        ["window_end", time, "not null"],
        ["value", "bigint", absent],
        ["record_time", time, absent],
    ];
    assert_eq!(columns("\\d per-minute"), expected);
    for command in ["\\dn", "\\l", "\\du", "\\conninfo", "\\d+ counts", "\\dv", "\\di", "\\df", "\\dT"] {
        let _ = own(command);
    }
}

#[test]
fn the_information_schema_tells_tables_and_columns() {
    let (_, psql) = require!(ready());
    let tables =
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name";
    assert_eq!(psql.rows(tables).concat(), TABLES);
    let columns = "SELECT column_name, data_type, is_nullable FROM information_schema.columns \
                   WHERE table_name = 'per-minute' ORDER BY ordinal_position";
    let time = "timestamp with time zone";
    let expected = [
        ["key", "text", "NO"],
        ["window_start", time, "NO"],
        ["window_end", time, "NO"],
        ["value", "bigint", "YES"],
        ["record_time", time, "YES"],
    ];
    assert_eq!(psql.rows(columns), expected);
}

#[test]
fn what_clients_set_and_ask_of_a_connection_is_answered() {
    let (_, psql) = require!(ready());
    for (sql, expected) in [
        ("SELECT current_database()", "candlewick"),
        ("SELECT current_schema", "public"),
        ("SELECT current_user", "tester"),
        ("SHOW transaction_read_only", "on"),
        ("SHOW server_version", "15.0"),
        ("SELECT pg_catalog.current_setting('TimeZone')", "UTC"),
        ("SELECT 'counts'::regclass", "16385"),
        ("SELECT set_config('search_path', '', false)", ""),
        ("SELECT (current_schemas(false))[1]", "public"),
        ("SELECT has_table_privilege('counts', 'INSERT')", "f"),
        ("SELECT count(*) FROM pg_index", "0"),
    ] {
        assert_eq!(psql.value(sql), expected, "{sql}");
    }
    let several =
        psql.run(&["-A", "-t", "-c", "BEGIN; SET application_name = 'x'; SHOW application_name; COMMIT"]);
    assert!(several.good && several.out.contains("x\nCOMMIT"), "{several:?}");
    assert!(psql.value("SELECT version()").starts_with("PostgreSQL 15.0 (candlewick "));
}

/// As Grafana 11 asks: its version check, its lists for the query builder, and a panel's query with its macros expanded.
#[test]
fn grafana_finds_tables_and_draws_time_series() {
    let (market, psql) = require!(ready());
    assert_eq!(psql.value("SELECT current_setting('server_version_num')::int/100 as version"), "1500");
    assert_eq!(
        psql.rows("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"),
        Vec::<Vec<String>>::new()
    );
    let in_path = "quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '\"$user\"' THEN user ELSE trim(s[i]) END \
                   FROM generate_series(array_lower(string_to_array(current_setting('search_path'),','),1), \
                   array_upper(string_to_array(current_setting('search_path'),','),1)) as i, \
                   string_to_array(current_setting('search_path'),',') s)";
    let tables = format!(
        "SELECT CASE WHEN {in_path} THEN quote_ident(table_name) \
         ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS \"table\" \
         FROM information_schema.tables \
         WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache', \
         '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', \
         'timescaledb_experimental') ORDER BY CASE WHEN {in_path} THEN 0 ELSE 1 END, 1"
    );
    let quoted = ["\"Quotes\"", "\"per-minute\"", "\"raw-quotes\"", "counts", "prices", "sessions", "venues"];
    assert_eq!(psql.rows(&tables).concat(), quoted);
    for (name, table) in [("\"per-minute\"", "per-minute"), ("public.\"per-minute\"", "per-minute")] {
        let columns = format!(
            "SELECT quote_ident(column_name) AS \"column\", data_type AS \"type\" FROM information_schema.columns \
             WHERE CASE WHEN array_length(parse_ident('{name}'),1) = 2 \
             THEN quote_ident(table_schema) = (parse_ident('{name}'))[1] AND table_name = (parse_ident('{name}'))[2] \
             ELSE quote_ident(table_name) = '{name}' AND {in_path} END"
        );
        let found = psql.rows(&columns);
        assert!(
            found.contains(&vec!["window_start".to_owned(), "timestamp with time zone".to_owned()]),
            "{table}: {found:?}"
        );
    }

    let (from, to) = (start() + 5 * MINUTE, start() + 65 * MINUTE);
    let series = format!(
        "SELECT floor(extract(epoch from window_start)/300)*300 AS \"time\", key AS metric, sum(value) AS trades \
         FROM per_minute WHERE window_start BETWEEN '{}' AND '{}' AND key IN ('S01','S04') GROUP BY 1, 2 ORDER BY 1, 2",
        iso(from),
        iso(to)
    );
    let mut expected = std::collections::BTreeMap::<(i64, String), i64>::new();
    for ((key, start), count) in market.per_minute() {
        if (from..=to).contains(&start) && ["S01", "S04"].contains(&key.as_str()) {
            *expected.entry((start / 300_000 * 300, key)).or_default() += count;
        }
    }
    let expected: Vec<Vec<String>> =
        expected.into_iter().map(|((time, key), n)| vec![time.to_string(), key, n.to_string()]).collect();
    assert_eq!(psql.rows(&series), expected);
}
