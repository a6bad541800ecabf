//! One permission is taken away at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use candlewick_tests::servers::Acl;
use candlewick_tests::shipped::Recording;

use super::run::{TIMEOUT, allowed, kafka, make_topics, start};

/// What the user may do is the broker's: one test at a time changes it.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn explore() {
    let Some(kafka) = kafka() else { return };
    let _one = alone();
    let all = allowed("x0-");
    for (index, lost) in all.iter().enumerate() {
        if let Ok(only) = std::env::var("ONLY") { if !only.split(',').any(|n| n.parse() == Ok(index)) { continue } }
        let prefix = format!("x{index}-");
        make_topics(kafka, &prefix);
        let mut acls: Vec<Acl> = allowed(&prefix);
        acls.remove(index);
        kafka.allow_only(&acls);
        let folder = tempfile::tempdir().expect("a folder");
        let recording = Recording::new(21, 1_600_000_020_000, 20, 30);
        let mut process = start(folder.path(), kafka.login(), Some(kafka.password()), &prefix, &recording, &["--pipeline", "candles"]);
        let begin = Instant::now();
        while process.is_running() && begin.elapsed() < Duration::from_secs(40) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let running = process.is_running();
        println!("=== {index} {} {} {} running={running} {:?}", lost.resource, lost.name, lost.operation, begin.elapsed());
        let log = process.log();
        let lines: Vec<&str> = log.lines().filter(|l| !l.contains(" INFO ")).collect();
        println!("{} lines, {} not info", log.lines().count(), lines.len());
        for line in lines.iter().take(6) { println!("   {line}"); }
        if lines.len() > 6 { println!("   …\n   {}", lines.last().expect("lines")); }
    }
    let _ = TIMEOUT;
}
