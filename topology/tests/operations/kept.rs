//! What the next version goes on with: counts that go on, stores that are new or left behind, and disks whose rows are of
//! no use any more.

use std::collections::BTreeMap;

use candlewick::{
    Consumed, Grouped, Materialized, PlanAction, PlanReport, Produced, StreamsBuilder, StreamsConfig,
};

use crate::log::{config, counted, log, plan, run, version, write};

fn count(builder: &StreamsBuilder, store: &str, totals: &str) {
    let words = builder.stream("words", Consumed::<String, String>::default());
    let counts = words.group_by_key(Grouped::default()).count(Materialized::named(store));
    counts.to_stream().map_values(|count: Option<i64>| count.unwrap_or(0)).to(totals, Produced::default());
}

fn subjects(report: &PlanReport, action: PlanAction) -> Vec<&str> {
    report.with_action(action).map(|change| change.subject.as_str()).collect()
}

#[test]
fn the_same_plan_is_reused_and_nothing_else_is_said() {
    let log = log(&[("words", 2), ("totals", 1)]);
    let topology = || version(|builder| count(builder, "counts", "totals"));
    let first = plan(&log, topology());
    assert!(!first.is_known);
    assert_eq!(subjects(&first, PlanAction::New), ["store counts"]);
    write(&log, "words", &["a", "b", "a"]);
    run(&log, &config(), topology(), ("totals", &counted(&["a", "b", "a"])));
    let second = plan(&log, topology());
    assert!(second.is_known);
    assert!(second.changes.iter().all(|change| change.action == PlanAction::Reuse), "{second}");
    assert_eq!(subjects(&second, PlanAction::Reuse), ["store counts"]);
}

#[test]
fn a_store_of_another_name_begins_empty_and_the_old_one_is_left() {
    let log = log(&[("words", 2), ("totals", 1), ("anew", 1)]);
    let before = ["a", "b", "a"];
    write(&log, "words", &before);
    let first = version(|builder| count(builder, "counts", "totals"));
    run(&log, &config(), first, ("totals", &counted(&before)));
    let second = || version(|builder| count(builder, "numbers", "anew"));
    let report = plan(&log, second());
    assert!(subjects(&report, PlanAction::New).contains(&"store numbers"), "{report}");
    assert!(subjects(&report, PlanAction::Left).contains(&"store counts"), "{report}");
    assert!(report.to_string().contains("app-counts-changelog stays until it is deleted"), "{report}");
    let after = ["a", "c"];
    write(&log, "words", &after);
    run(&log, &config(), second(), ("anew", &counted(&after)));
}

/// Its tasks, with their folders, get other numbers when another input is declared before.
#[test]
fn a_store_that_belongs_to_other_tasks_now_is_restored_and_counts_on() {
    let log = log(&[("words", 2), ("totals", 1), ("others", 2), ("other-totals", 1)]);
    let disk = tempfile::tempdir().expect("a folder");
    let config = StreamsConfig { state_dir: Some(disk.path().to_owned()), ..config() };
    let others = |builder: &StreamsBuilder| {
        let others = builder.stream("others", Consumed::<String, String>::default());
        let counts = others.group_by_key(Grouped::default()).count(Materialized::named("others"));
        let counts = counts.to_stream().map_values(|count: Option<i64>| count.unwrap_or(0));
        counts.to("other-totals", Produced::default());
    };
    let alone = || version(|builder| count(builder, "counts", "totals"));
    let behind = || {
        version(|builder| {
            others(builder);
            count(builder, "counts", "totals");
        })
    };
    let mut words: Vec<&str> = Vec::new();
    for (round, topology) in [alone(), behind(), alone(), behind()].into_iter().enumerate() {
        let more = ["a", "b", "c", "a"];
        words.extend(more);
        write(&log, "words", &more);
        let report = plan(&log, if round % 2 == 0 { alone() } else { behind() });
        assert_eq!(subjects(&report, PlanAction::Rebuild).len(), usize::from(round > 0), "{round}: {report}");
        run(&log, &config, topology, ("totals", &counted(&words)));
    }
    let none = BTreeMap::new();
    assert_eq!(crate::log::newest(&log, "other-totals"), none);
}
