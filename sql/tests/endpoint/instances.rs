//! Two instances of one application: whichever is asked answers for both, or says that it cannot.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use candlewick_sql::SqlOptions;
use candlewick_tests::require;
use candlewick_tests::servers::psql;

use crate::market::{Market, PARTITIONS, wait_until};
use crate::wait_for;

#[test]
fn a_query_is_answered_for_all_instances_or_not_at_all() {
    let market = Market::new();
    let (a, mut b) = (market.start(SqlOptions::default()), market.start(SqlOptions::default()));
    let (at_a, at_b) = (require!(psql(a.address)), require!(psql(b.address)));
    // Trades, prices and two kinds of quotes.
    let all = usize::try_from(PARTITIONS).unwrap() * 4;
    wait_until("they share", || a.runs() && b.runs() && a.tasks() == all / 2 && b.tasks() == all / 2);
    let counts: Vec<Vec<String>> =
        market.counts().into_iter().map(|(symbol, count)| vec![symbol, count.to_string()]).collect();
    let everything = "SELECT key, value FROM counts ORDER BY key";
    for psql in [&at_a, &at_b] {
        wait_for(psql, &market);
        assert_eq!(psql.rows(everything), counts);
        let joined = "SELECT count(*) FROM counts c JOIN (SELECT key, sum(value) AS n FROM per_minute GROUP BY key) m \
                      ON m.key = c.key AND m.n = c.value";
        assert_eq!(psql.value(joined), counts.len().to_string());
        for row in &counts {
            assert_eq!(psql.value(&format!("SELECT value FROM counts WHERE key = '{}'", row[0])), row[1]);
        }
        assert_eq!(psql.value("SELECT count(*) FROM venues"), "2", "what each of them has is there once");
    }

    // One that does not answer for its part.
    b.silence();
    let refusal = at_a.refusal(everything);
    assert!(refusal.contains("57P03") && refusal.contains("\"counts\" cannot be read"), "{refusal}");

    // The one that stays answers for all again; until it can, it says so, and never leaves anything out.
    let (gone, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            while !gone.load(Ordering::Relaxed) {
                let said = at_a.run(&["-A", "-t", "-c", "SELECT count(*), sum(value) FROM counts"]);
                if said.good {
                    assert_eq!(said.out.trim(), format!("{}|{}", counts.len(), market.trades.len()));
                } else {
                    assert!(said.errors.contains("\"counts\" cannot be read"), "{}", said.errors);
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        b.stop();
        wait_for(&at_a, &market);
        gone.store(true, Ordering::Relaxed);
        asker.join().unwrap();
    });
    assert_eq!(at_a.rows(everything), counts);
    println!("{} questions were refused while tasks moved", refused.load(Ordering::Relaxed));
    a.stop();
}
