//! The SQL endpoint over a real application, asked by PostgreSQL's own client and its JDBC driver. Expectations are computed
//! from the application's input.

#![expect(clippy::unwrap_used, reason = "a test's panic is its answer")]

mod catalog;
mod driver;
mod instances;
mod limits;
mod market;
mod queries;
mod startup;

use std::sync::OnceLock;

use candlewick_sql::SqlOptions;
use candlewick_tests::servers::{Missing, Psql, psql};

use market::{Instance, Market, wait_until};

/// The one application that most tests ask; it ends with the process.
fn shared() -> &'static (Market, Instance) {
    static SHARED: OnceLock<(Market, Instance)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let market = Market::new();
        let instance = market.start(SqlOptions::default());
        (market, instance)
    })
}

/// Its input, and `psql` once everything has been processed.
fn ready() -> Result<(&'static Market, Psql), Missing> {
    let (market, instance) = shared();
    let psql = psql(instance.address)?;
    wait_for(&psql, market);
    Ok((market, psql))
}

/// Waits until all records have been processed and committed, whoever has them.
fn wait_for(psql: &Psql, market: &Market) {
    let everything =
        format!("{}|{}|{}|{}", market.trades.len(), market.trades.len(), 3, 2 * market.quotes().len());
    let counted = "SELECT (SELECT sum(value) FROM counts) || '|' || (SELECT sum(value) FROM per_minute) || '|' || \
                   (SELECT count(*) FROM prices) || '|' || \
                   ((SELECT count(*) FROM quotes) + (SELECT count(*) FROM raw_quotes))";
    wait_until("everything is there", || {
        let said = psql.run(&["-A", "-t", "-c", counted]);
        // Tasks may be moving.
        assert!(said.good || said.errors.contains("cannot be read"), "{}", said.errors);
        said.out.trim() == everything
    });
}
