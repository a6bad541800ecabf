//! What a statement may cost, and who may ask.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candlewick_server::{Application, StreamsApplication};
use candlewick_sql::{SqlError, SqlOptions, SqlServer};
use candlewick_tests::require;
use candlewick_tests::servers::{Psql, psql};

use crate::market::{MINUTE, iso, start};
use crate::{ready, shared};

/// Another endpoint on the same application.
fn endpoint(options: SqlOptions) -> SqlServer {
    let application = StreamsApplication::new(shared().1.running.handle());
    let application: Arc<dyn Application> = Arc::new(application);
    SqlServer::start("127.0.0.1:0".parse().unwrap(), application, options).unwrap()
}

fn refused(psql: &Psql, sql: &str, code: &str, word: &str) {
    let refusal = psql.refusal(sql);
    assert!(refusal.contains(code) && refusal.contains(word), "{sql}: {refusal}");
}

#[test]
fn a_read_is_bounded_and_conditions_on_keys_and_times_keep_it_small() {
    let (market, _) = require!(ready());
    let server = endpoint(SqlOptions { scan_rows_max: 120, ..SqlOptions::default() });
    let psql = require!(psql(server.local_addr()));
    assert!(market.per_minute().len() > 120);
    refused(&psql, "SELECT count(*) FROM per_minute", "54000", "per-minute");
    refused(&psql, "SELECT count(*) FROM per_minute WHERE value = 1", "54000", "by key, by time");
    let at = |minutes: i64| iso(start() + minutes * MINUTE);
    for condition in [
        "key = 'S00'",
        "'S00' = key",
        "key IN ('S00', 'S15')",
        "key = 'S00' OR key = 'S15'",
        "key = 'S00' AND value > 1",
        &format!("window_start < '{}'", at(5)),
        &format!("window_start BETWEEN '{}' AND '{}'", at(60), at(65)),
        &format!("window_end <= timestamptz '{}'", at(5)),
        "window_start > now()",
    ] {
        let sql = format!("SELECT count(*) FROM per_minute WHERE {condition}");
        assert!(psql.say(&sql).good, "{condition}: {}", psql.say(&sql).errors);
    }
    assert_eq!(psql.rows("SELECT key FROM per_minute LIMIT 7").len(), 7);
    server.stop();
}

#[test]
fn time_memory_and_size_are_bounded_and_the_endpoint_goes_on() {
    let (_, plain) = require!(ready());
    let server = endpoint(SqlOptions {
        statement_timeout: Duration::from_secs(1),
        memory_bytes_max: 1 << 20,
        result_bytes_max: 10_000,
        statement_bytes_max: 20_000,
        ..SqlOptions::default()
    });
    let psql = require!(psql(server.local_addr()));
    let started = Instant::now();
    let endless = "SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000) b";
    refused(&psql, endless, "57014", "longer than 1s");
    assert!(started.elapsed() < Duration::from_secs(20));
    refused(&plain, &format!("SET statement_timeout = '300ms'; {endless}"), "57014", "longer than 300ms");
    refused(&psql, "SELECT * FROM per_minute", "54000", "10000 bytes");
    refused(&psql, "SELECT value FROM generate_series(1, 500000) ORDER BY value % 7", "53200", "more memory");
    refused(&psql, &format!("SELECT '{}'", "x".repeat(20_000)), "54000", "20000");
    refused(&psql, &format!("SELECT 1{}", "+1".repeat(5_000)), "42601", "operators");
    let deepest = format!("SELECT 1{}", "+1".repeat(1_900));
    assert_eq!(psql.value(&deepest), "1901");
    assert_eq!(plain.value("SELECT 1"), "1");
    server.stop();
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = endpoint(SqlOptions { connections_max: 1, ..SqlOptions::default() });
    let psql = require!(psql(server.local_addr()));
    assert_eq!(psql.value("SELECT 1"), "1");
    // The place of the one before is free a moment after it has gone.
    let deadline = Instant::now() + Duration::from_secs(20);
    let held = loop {
        let held = TcpStream::connect(server.local_addr()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let said = psql.say("SELECT 1");
        if !said.good {
            assert!(said.errors.contains("too many connections"), "{said:?}");
            break held;
        }
        assert!(Instant::now() < deadline, "two were let in");
    };
    drop(held);
    while !psql.say("SELECT 1").good {
        assert!(Instant::now() < deadline, "its place is free again");
    }
    server.stop();
}

#[test]
fn who_does_not_know_the_password_is_not_let_in() {
    let password = "correct horse";
    let server = endpoint(SqlOptions { password: Some(password.to_owned()), ..SqlOptions::default() });
    let psql = require!(psql(server.local_addr()));
    assert!(!psql.say("SELECT 1").good, "without one");
    let wrong = psql.clone().with_password("correct house").say("SELECT 1");
    assert!(!wrong.good && wrong.errors.contains("password is wrong"), "{wrong:?}");
    assert_eq!(psql.with_password(password).value("SELECT 1"), "1");
    server.stop();
}

#[test]
fn other_machines_are_not_let_in_without_a_password() {
    let application: Arc<dyn Application> = Arc::new(StreamsApplication::new(shared().1.running.handle()));
    let started = SqlServer::start("0.0.0.0:0".parse().unwrap(), application, SqlOptions::default());
    assert!(matches!(started, Err(SqlError::PasswordMissing { .. })));
}
