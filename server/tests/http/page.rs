//! The page comes whole from this server: every file it names is there, and it names nothing foreign.

use std::collections::BTreeSet;

use crate::application::Served;

#[test]
fn every_file_the_page_names_is_served() {
    let served = Served::running();
    let mut open = vec!["/".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let response = served.get_accepting(&path, "text/html,*/*");
        assert_eq!(response.status(), 200, "{path}");
        let text = response.text().unwrap();
        for quoted in text.split(['"', '\'']) {
            if let Some(file) = quoted.strip_prefix("./").filter(|file| file.ends_with(".js")) {
                open.push(format!("/page/{file}"));
            } else if quoted.starts_with("/page/") || quoted == "/topology" {
                open.push(quoted.to_owned());
            }
        }
    }
    for expected in ["/page/style.css", "/page/chart.js", "/page/topology.js", "/page/tasks.js", "/topology"]
    {
        assert!(seen.contains(expected), "{expected} is not reached from the page, only {seen:?}");
    }
}

#[test]
fn page_runs_nothing_foreign() {
    let response = Served::running().get_accepting("/", "text/html");
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    let text = response.text().unwrap();
    assert!(!text.contains("http://") && !text.contains("https://"), "the page names a foreign host");
}

#[test]
fn unknown_path_is_a_sentence() {
    let served = Served::running();
    for path in ["/nothing", "/page/nothing.js", "/page/..%2fCargo.toml"] {
        let body = served.json(path, 404);
        assert!(body["error"].as_str().unwrap().ends_with('.'), "{body}");
    }
}

#[test]
fn only_get_is_answered() {
    assert_eq!(Served::running().post("/status").status(), 405);
}
