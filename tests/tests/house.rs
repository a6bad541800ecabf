//! The house itself: who may know whom, and what holds for every file. The first three tests read this checkout; the
//! others plant a violation and see that it is found, so that a rule that has gone blind is noticed.

use xtask::house::files::{self, File};
use xtask::house::{Violation, manifests, report, rooms, tidy};

fn sources() -> Vec<File> {
    let files = files::read_all(&candlewick_tests::checkout()).expect("the checkout is readable");
    assert!(files.iter().any(|file| file.path == "topology/src/lib.rs"), "the framework was not found");
    files
}

fn assert_none(broken: &[Violation]) {
    assert!(broken.is_empty(), "{} rules of the house are broken:\n{}", broken.len(), report(broken));
}

/// A checkout of two files: the framework's public names, and the one under test.
fn planted(path: &str, text: &str) -> [File; 2] {
    let surface = "//! Framework.\nmod dsl;\npub use dsl::KStream;\npub use record::Record;\npub use time::{Timestamp, millis};\npub use serde::Serde;\n";
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    [file("topology/src/lib.rs", surface), file(path, text)]
}

fn rules_of_rooms(path: &str, code: &str) -> String {
    report(&rooms::check(&planted(path, code)))
}

fn rules_of_tidy(path: &str, text: &str) -> String {
    report(&tidy::check(&planted(path, text)[1..]))
}

fn rules_of_manifests(room: &str, dependencies: &str) -> String {
    let text = format!("[package]\nname = \"x\"\n\n[dependencies]\n{dependencies}\n");
    report(&manifests::check(&planted(&format!("{room}/Cargo.toml"), &text)))
}

#[test]
fn rooms_know_only_whom_they_may_know() {
    assert_none(&rooms::check(&sources()));
}

#[test]
fn crates_depend_only_on_whom_they_may_depend() {
    assert_none(&manifests::check(&sources()));
}

#[test]
fn every_file_is_tidy() {
    assert_none(&tidy::check(&sources()));
}

#[test]
fn every_arrow_that_is_not_drawn_is_found() {
    let all: Vec<&str> = rooms::ARROWS.iter().map(|(room, _)| *room).collect();
    for (from, allowed) in rooms::ARROWS {
        for to in &all {
            let path = format!("topology/src/{from}/part.rs");
            let found = rules_of_rooms(&path, &format!("//! Part.\nuse crate::{to}::Thing;\n"));
            let may = *to == from || allowed.contains(to);
            assert_eq!(found.is_empty(), may, "{from} -> {to}: {found}");
        }
    }
}

#[test]
fn dsl_and_runtime_never_meet() {
    assert!(
        rules_of_rooms("topology/src/dsl/kstream.rs", "use crate::runtime::Task;")
            .contains("dsl must not know runtime")
    );
    assert!(
        rules_of_rooms("topology/src/runtime/task.rs", "use crate::dsl::KStream;")
            .contains("runtime must not know dsl")
    );
}

#[test]
fn an_arrow_is_found_in_every_way_of_writing_it() {
    let path = "topology/src/state/engine/memory.rs";
    for code in [
        "use crate::{\n  record::Record,\n  dsl::KStream,\n};",
        "fn f() { crate::dsl::KStream::new(); }",
        "fn f(x: &crate::dsl::KStream) {}",
        "use super::super::super::dsl::KStream;",
        "use crate::KStream;",
        "use crate::KStream as Stream;",
        "pub(crate) use crate::dsl::*;",
        "use crate::dsl as d;",
    ] {
        assert!(rules_of_rooms(path, code).contains("state must not know dsl"), "{code}");
    }
}

#[test]
fn comments_strings_and_test_modules_draw_no_arrow() {
    let path = "topology/src/state/engine/memory.rs";
    for code in [
        "//! See crate::dsl::KStream.\n/* use crate::dsl::X; /* nested */ crate::dsl::Y */",
        "const S: &str = \"crate::dsl::KStream \\\" crate::dsl\";",
        "const S: &str = r#\"a \" crate::dsl::KStream\"#; const C: char = '\"'; fn f<'a>(x: &'a str) {}",
        "#[cfg(test)]\nmod tests {\n use crate::dsl::KStream;\n fn f() { unsafe {} }\n}",
        "use crate::Timestamp;\nuse super::super::layer::Cached;",
    ] {
        assert_eq!(rules_of_rooms(path, code), "", "{code}");
    }
}

#[test]
fn a_name_whose_room_is_hidden_is_refused() {
    assert!(
        rules_of_rooms("topology/src/state/store.rs", "use crate::Mystery;").contains("hides whose it is")
    );
    assert!(rules_of_rooms("topology/src/tools.rs", "//! Tools.").contains("no room of the framework"));
}

#[test]
fn words_of_one_room_are_found_outside_of_it() {
    for (path, code, rule) in [
        ("topology/src/runtime/thread.rs", "async fn f() {}", "no async"),
        ("topology/src/client/kafka/consumer.rs", "use tokio::sync::mpsc;", "no tokio"),
        ("topology/src/state/store.rs", "fn f() { x.await; }", "no async"),
        ("topology/src/runtime/thread.rs", "fn f() { std::time::Instant::now(); }", "only time.rs"),
        ("topology/src/client/embedded/log.rs", "use std::time::SystemTime;", "only time.rs"),
        ("operators/src/candle/ohlc.rs", "fn f() { Instant::now(); }", "only time.rs"),
        ("topology/src/runtime/commit.rs", "fn f() { std::thread::sleep(x); }", "by `threads.rs` alone"),
        (
            "topology/src/runtime/commit.rs",
            "use std::thread; fn f() { thread::spawn(g); }",
            "by `threads.rs`",
        ),
        ("topology/src/state/store.rs", "use std::collections::{BTreeMap, HashMap};", "random seed"),
        ("topology/src/state/store.rs", "use foldhash::fast::RandomState;", "random seed"),
        ("topology/src/client/kafka/consumer.rs", "fn f() { unsafe { g() } }", "unsafe lives in"),
        ("connectors/src/replay/source.rs", "unsafe impl Send for X {}", "unsafe lives in"),
        ("topology/src/runtime/thread.rs", "use rdkafka::consumer::BaseConsumer;", "only client/kafka"),
        ("server/src/lib.rs", "fn f() { rdkafka::util::get_rdkafka_version(); }", "only client/kafka"),
        ("pipelines/src/main.rs", "use rdkafka_sys as sys;", "only client/kafka"),
    ] {
        assert!(rules_of_rooms(path, code).contains(rule), "{path}: {code}");
    }
}

#[test]
fn words_of_one_room_are_welcome_in_it() {
    for (path, code) in [
        ("topology/src/time.rs", "fn f() { std::time::Instant::now(); std::time::SystemTime::now(); }"),
        ("topology/src/runtime/threads.rs", "fn f() { std::thread::sleep(x); }"),
        ("topology/src/client/kafka/ffi/poll.rs", "use rdkafka::bindings; fn f() { unsafe { g() } }"),
        (
            "topology/src/state/store.rs",
            "use std::collections::BTreeMap; use hashbrown::HashMap; use std::time::Duration;",
        ),
        (
            "connectors/src/elasticsearch/sink.rs",
            "async fn f() { tokio::time::sleep(x).await; Instant::now(); }",
        ),
        ("tests/src/judge.rs", "use rdkafka::consumer::BaseConsumer;"),
    ] {
        assert_eq!(rules_of_rooms(path, code), "", "{path}: {code}");
    }
}

#[test]
fn operators_meet_streams_in_their_dsl_only() {
    let streams = "use candlewick::{KStream, Timestamp};";
    assert!(
        rules_of_rooms("operators/src/indicator/rsi.rs", streams).contains("names candlewick's `KStream`")
    );
    assert!(
        rules_of_rooms("models/src/candle_lstm/train.rs", "use candlewick::client::Log;")
            .contains("`client`")
    );
    assert!(rules_of_rooms("operators/src/indicator/rsi.rs", "use candlewick::*;").contains("`*`"));
    assert!(rules_of_rooms("operators/src/indicator/rsi.rs", "use candlewick as c;").contains("`*`"));
    assert_eq!(rules_of_rooms("operators/src/dsl.rs", streams), "");
    assert_eq!(
        rules_of_rooms("operators/src/candle/ohlc.rs", "use candlewick::{Serde, Timestamp, millis};"),
        ""
    );
}

#[test]
fn crates_that_point_the_wrong_way_are_found() {
    for (room, dependency) in [
        ("topology", "candlewick-operators.workspace = true"),
        ("operators", "candlewick-connectors = { path = \"../connectors\" }"),
        ("operators", "other = { package = \"candlewick-models\", path = \"../models\" }"),
        ("operators", "[dev-dependencies.candlewick-server]\nworkspace = true"),
        ("connectors", "[target.'cfg(unix)'.dependencies]\ncandlewick-server.workspace = true"),
        ("server", "candlewick-models.workspace = true"),
        ("models", "candlewick-connectors.workspace = true"),
        ("xtask", "candlewick.workspace = true"),
        ("server", "xtask = { path = \"../xtask\" }"),
    ] {
        let found = rules_of_manifests(room, dependency);
        assert!(found.contains("the arrow points the other way"), "{room}: {dependency}: {found}");
    }
    assert_eq!(
        rules_of_manifests("models", "candlewick-operators.workspace = true\nserde.workspace = true"),
        ""
    );
}

#[test]
fn what_only_the_simulator_and_the_fuzz_targets_need_is_built_into_nothing_else() {
    let with =
        |feature: &str| format!("candlewick = {{ path = \"../topology\", features = [\"{feature}\"] }}");
    for feature in ["sim", "planted-bugs"] {
        assert!(rules_of_manifests("pipelines", &with(feature)).contains("only the simulator"));
        assert_eq!(rules_of_manifests("tests/sim", &with(feature)), "");
    }
    assert!(rules_of_manifests("pipelines", &with("fuzz")).contains("the fuzz targets need"));
    assert_eq!(rules_of_manifests("tests/fuzz", &with("fuzz")), "");
    assert_eq!(rules_of_manifests("pipelines", &with("kafka-tls")), "");
}

#[test]
fn libraries_stay_in_their_rooms() {
    for (room, library) in [
        ("topology", "tokio.workspace = true"),
        ("topology", "axum = \"0.8\""),
        ("operators", "rdkafka.workspace = true"),
        ("connectors", "candle-core.workspace = true"),
        ("server", "native-tls = \"0.2\""),
    ] {
        assert!(rules_of_manifests(room, library).contains("does not belong"), "{room}: {library}");
    }
    assert!(rules_of_manifests("kitchen", "").contains("no room of the house"));
}

#[test]
fn length_is_counted_without_tests() {
    let lines = |count: usize| "fn a() {}\n".repeat(count);
    let file = |product: usize, tests: usize| {
        format!("//! Owns a.\n{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(product), lines(tests))
    };
    assert_eq!(rules_of_tidy("server/src/a.rs", &file(tidy::FILE_LINES_MAX - 1, 300)), "");
    assert!(
        rules_of_tidy("server/src/a.rs", &file(tidy::FILE_LINES_MAX, 0)).contains("501 lines without tests")
    );
}

#[test]
fn a_long_function_is_found_wherever_it_stands() {
    let function = |lines: usize| {
        format!(
            "//! Owns f.\nimpl F {{\n    fn f<const N: usize>(x: [u8; 4])\n    where\n        X: Y,\n    {{\n{}    }}\n}}\n",
            "        g();\n".repeat(lines - 5)
        )
    };
    assert_eq!(rules_of_tidy("server/src/f.rs", &function(tidy::FUNCTION_LINES_MAX)), "");
    let found = rules_of_tidy("server/src/f.rs", &function(tidy::FUNCTION_LINES_MAX + 1));
    assert!(found.contains("server/src/f.rs:3: `f` has 71 lines"), "{found}");
}

#[test]
fn untidy_text_is_found() {
    let unfinished = ["TO", "DO"].concat();
    let macro_call = ["fn f() { to", "do!() }"].concat();
    let machine = ["/wo", "rk/x"].concat();
    let host = ["https://repo1.", "maven.org/maven2"].concat();
    for (path, text, rule) in [
        ("server/src/a.rs", "fn f() {}".to_owned(), "start the file with"),
        ("server/src/a.rs", format!("//! A.\n// {unfinished}: later"), "unfinished work"),
        ("server/src/a.rs", format!("//! A.\n{macro_call}"), "unfinished work"),
        ("server/src/a.rs", format!("//! A.\nconst X: &str = \"{machine}\";"), "one machine only"),
        ("README.md", format!("See {machine}."), "one machine only"),
        ("tests/src/kafka.rs", format!("//! A.\nconst X: &str = \"{host}\";"), "registry's host"),
        ("server/src/util.rs", "//! A.".to_owned(), "named `util`"),
        ("tests/tests/common/mod.rs", "//! A.".to_owned(), "named `common`"),
        ("server/src/http_helpers.rs", "//! A.".to_owned(), "named `helpers`"),
        ("server/src/a.rs", "//! A.\nmod misc;".to_owned(), "module named `misc`"),
        ("server/src/a.rs", "//! A.\npub struct StoreManager;".to_owned(), "`StoreManager` does not say"),
        ("server/src/a.rs", "//! A.\ntrait ClockImpl {}".to_owned(), "`ClockImpl` does not say"),
        ("server/src/a.rs", "//! A.\n#[ignore]\nfn f() {}".to_owned(), "ignored test"),
        ("docs/a.md", "[x](../missing.md)".to_owned(), "leads nowhere"),
        ("docs/a.md", "[x](../missing/)".to_owned(), "leads nowhere"),
    ] {
        let found = rules_of_tidy(path, &text);
        assert!(found.contains(rule), "{path}: {text}: {found}");
    }
}

#[test]
fn tidy_text_is_left_alone() {
    let machine = ["/wo", "rk/x"].concat();
    for (path, text) in [
        (
            "topology/src/runtime/task_manager.rs",
            "//! A.\npub struct TaskManager;\nenum TaskManagerState {}".to_owned(),
        ),
        ("tests/src/data.rs", format!("//! Reads CANDLEWICK_DATA, for example {machine}.")),
        (
            "docs/a.md",
            "[a](a.md) [b](#part) [c](https://x.org/y.md) [d](./a.md#part)\n```\n[e](missing.md)\n```"
                .to_owned(),
        ),
        ("server/src/implement.rs", "//! Simple, utility, commonly.\nstruct Implicit;".to_owned()),
    ] {
        assert_eq!(rules_of_tidy(path, &text), "", "{path}: {text}");
    }
}
