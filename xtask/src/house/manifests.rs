//! Who may know whom between the crates, read from their manifests. Must not know their code.

use super::Violation;
use super::files::File;

/// Each crate's folder with the crates of this workspace it may depend on; `*` is all of them.
pub const ARROWS: [(&str, &[&str]); 14] = [
    ("topology", &[]),
    ("operators", &["candlewick"]),
    ("connectors", &["candlewick", "candlewick-operators"]),
    ("models", &["candlewick", "candlewick-operators"]),
    ("server", &["candlewick"]),
    // Its tests ask by real clients, which candlewick-tests has.
    ("sql", &["candlewick", "candlewick-server", "candlewick-tests"]),
    ("pipelines", &["*"]),
    ("examples", &["*"]),
    ("tests", &["*", "xtask"]),
    ("tests/compile", &["candlewick"]),
    ("tests/fuzz", &["*"]),
    ("tests/sim", &["candlewick"]),
    ("bench", &["*"]),
    ("xtask", &[]),
];

/// Libraries that belong to certain rooms; the tests and the bench may use any.
const BELONGS: [(&str, &[&str]); 13] = [
    ("rdkafka", &["topology"]),
    ("heed", &["topology"]),
    ("tokio", &["connectors", "server", "sql", "examples"]),
    ("axum", &["server"]),
    ("reqwest", &["connectors", "server", "examples"]),
    ("elasticsearch", &["connectors"]),
    ("apache-avro", &["connectors"]),
    ("datafusion", &["sql"]),
    ("pgwire", &["sql"]),
    ("candle-core", &["models"]),
    ("candle-nn", &["models"]),
    ("native-tls", &[]),
    ("openssl", &[]),
];

/// Features of the framework that no shipped build has.
const UNSHIPPED: [&str; 3] = ["\"sim\"", "planted-bugs", "\"fuzz\""];

/// Checks every manifest.
#[must_use]
pub fn check(files: &[File]) -> Vec<Violation> {
    let manifests = files.iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/Cargo.toml")?;
        Some((folder, file))
    });
    manifests.flat_map(|(folder, file)| check_one(folder, file)).collect()
}

fn check_one(folder: &str, file: &File) -> Vec<Violation> {
    let allowed = ARROWS.iter().find(|(room, _)| *room == folder).map(|(_, to)| *to);
    let Some(allowed) = allowed else {
        let rule =
            format!("`{folder}` is no room of the house: add it to the table of arrows with its reasons");
        return vec![Violation::new(&file.path, 1, rule)];
    };
    let mut found = Vec::new();
    // Features of the framework that only the simulator and the fuzz targets build with.
    if !matches!(folder, "topology" | "tests/sim" | "tests/fuzz") {
        let named = file.text.lines().enumerate().filter(|(_, line)| {
            line.contains("candlewick") && UNSHIPPED.iter().any(|feature| line.contains(feature))
        });
        found.extend(named.map(|(line, _)| {
            let rule = format!(
                "{folder} must not build the framework with what only the simulator and the fuzz targets need"
            );
            Violation::new(&file.path, line + 1, rule)
        }));
    }
    for (line, name) in dependencies(&file.text) {
        let own = name == "candlewick" || name.starts_with("candlewick-");
        if (own || name == "xtask") && !(allowed.contains(&name.as_str()) || own && allowed.contains(&"*")) {
            let rule = format!("{folder} must not depend on {name}: the arrow points the other way");
            found.push(Violation::new(&file.path, line, rule));
        }
        let rooms = BELONGS.iter().find(|(library, _)| *library == name).map(|(_, rooms)| rooms);
        if rooms.is_some_and(|rooms| !rooms.contains(&folder)) && !matches!(folder, "tests" | "bench") {
            found.push(Violation::new(&file.path, line, format!("{name} does not belong in {folder}")));
        }
    }
    found
}

/// The crates a manifest depends on, in any of its dependency tables, by their real names.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut table = String::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = header.to_owned();
            // `[dependencies.name]`
            if let Some((_, name)) = table.rsplit_once("dependencies.") {
                found.push((index + 1, name.trim_matches('"').to_owned()));
            }
        } else if let (true, Some((key, value))) = (table.ends_with("dependencies"), line.split_once('=')) {
            let renamed = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
            let name = key.split('.').next().unwrap_or_default().trim().trim_matches('"');
            if !name.starts_with('#') {
                found.push((index + 1, renamed.unwrap_or(name).to_owned()));
            }
        }
    }
    found
}
