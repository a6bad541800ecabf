//! The files of a deployment: Compose, Dockerfile, manifests, dashboards and alerts. They parse, they pass the judges that
//! there are, and every name in them that the application has to know is one it knows. Nothing is deployed here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use candlewick_tests::deploy::{
    CommandLine, PanelQuery, Variables, composecheck, documents, panels, strimzi_definitions,
};
use candlewick_tests::{checkout, require};
use serde_json::{Value, json};

fn text(path: &str) -> String {
    std::fs::read_to_string(checkout().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Vec<Value> {
    documents(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn compose() -> Value {
    yaml("docker-compose.yml").remove(0)
}

/// The names of the manifests in `deploy/strimzi`, and what they say.
fn manifests() -> Vec<(String, Value)> {
    let folder = std::fs::read_dir(checkout().join("deploy/strimzi")).expect("the folder is there");
    let names = folder.map(|entry| entry.expect("it is readable").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
    names.retain(|name| name != "kustomization.yaml");
    names.sort();
    let read = |name: &String| {
        yaml(&format!("deploy/strimzi/{name}")).into_iter().map(|m| (name.clone(), m)).collect()
    };
    names.iter().flat_map(|name| -> Vec<_> { read(name) }).collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    manifests()
        .into_iter()
        .map(|(_, manifest)| manifest)
        .filter(|manifest| manifest["kind"] == kind)
        .collect()
}

fn container() -> Value {
    of_kind("StatefulSet")[0]["spec"]["template"]["spec"]["containers"][0].clone()
}

/// The Dockerfile's instructions, each on one line.
fn dockerfile() -> Vec<(String, String)> {
    let lines = text("Dockerfile").replace("\\\n", " ");
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' ').map(|(word, rest)| (word.into(), rest.trim().into())))
        .collect()
}

fn instruction(word: &str) -> String {
    let mut found = dockerfile().into_iter().filter(|(instruction, _)| instruction == word);
    found.next_back().unwrap_or_else(|| panic!("the Dockerfile has no {word}")).1
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|word| word.as_str().expect("words").to_owned()).collect()
}

/// Arguments of the binary, each with where they are written.
fn invocations() -> Vec<(&'static str, Vec<String>)> {
    let json =
        |text: &str| words(&serde_json::from_str(text).expect("the Dockerfile writes commands as JSON"));
    let service = compose()["services"]["candlewick"].clone();
    let (_, health) = instruction("HEALTHCHECK")
        .split_once("CMD ")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a command");
    assert_eq!(json(&instruction("ENTRYPOINT")), ["candlewick"]);
    assert_eq!(json(&health)[0], "candlewick", "the health check is the binary itself");
    assert_eq!(words(&service["healthcheck"]["test"])[..2], ["CMD", "candlewick"]);
    vec![
        ("Dockerfile CMD", json(&instruction("CMD"))),
        ("Dockerfile HEALTHCHECK", json(&health)[1..].to_vec()),
        ("docker-compose.yml command", words(&service["command"])),
        ("docker-compose.yml healthcheck", words(&service["healthcheck"]["test"])[2..].to_vec()),
        ("app-statefulset.yaml args", words(&container()["args"])),
    ]
}

/// The application's variables by file.
fn variables() -> Vec<(&'static str, BTreeMap<String, String>)> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let image = instruction("ENV");
    let image = image.split_whitespace().filter_map(|pair| pair.split_once('='));
    let service = compose()["services"]["candlewick"]["environment"].clone();
    let service =
        service.as_object().expect("variables").iter().map(|(name, value)| (name.clone(), plain(value)));
    let container = container()["env"].clone();
    let pod = container.as_array().expect("variables").iter();
    let pod = pod.map(|variable| (plain(&variable["name"]), plain(&variable["value"])));
    vec![
        ("Dockerfile", image.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        ("docker-compose.yml", service.collect()),
        ("app-statefulset.yaml", pod.collect()),
    ]
}

#[test]
fn the_compose_file_passes_the_reference_loader() {
    let loader = require!(composecheck());
    let project = loader.load(&checkout().join("docker-compose.yml")).expect("it is valid");
    let services = project["services"].as_object().expect("services");
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(names, ["candlewick", "elasticsearch", "grafana", "kafka", "prometheus", "registry"]);
    let mut mounted = BTreeSet::new();
    for (name, service) in services {
        let image = service["image"].as_str().expect("an image");
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(tag.split('.').count() == 3, "{name}: {image} is no pinned version");
        assert!(service["healthcheck"]["test"].is_array(), "{name} has no health check");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: nothing here asks for a password");
        }
        for (other, waits) in service["depends_on"].as_object().into_iter().flatten() {
            assert_eq!(waits["condition"], "service_healthy", "{name} on {other}");
        }
        let volumes = service["volumes"].as_array().into_iter().flatten();
        for volume in volumes {
            let source = volume["source"].as_str().expect("every volume has a name or a folder");
            match volume["type"].as_str() {
                Some("volume") => drop(mounted.insert(source.to_owned())),
                _ => assert!(checkout().join(source).exists(), "{name}: {source} is not in the checkout"),
            }
        }
    }
    let declared: BTreeSet<String> =
        project["volumes"].as_object().expect("volumes").keys().cloned().collect();
    assert_eq!(mounted, declared);
}

#[test]
fn a_compose_file_with_a_mistake_is_refused() {
    let loader = require!(composecheck());
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |from: &str, to: &str| {
        let broken = text("docker-compose.yml").replacen(from, to, 1);
        assert_ne!(broken, text("docker-compose.yml"));
        let path = folder.path().join("docker-compose.yml");
        std::fs::write(&path, broken).expect("it is written");
        loader.load(&path).expect_err("it is broken")
    };
    assert!(refused("    healthcheck:", "    healthchek:").contains("healthchek"));
    assert!(refused("      kafka:\n        condition", "      kafca:\n        condition").contains("kafca"));
}

/// What the binary's commands, flags and variables are declared in.
fn command_line() -> CommandLine {
    CommandLine::of_source(&["pipelines/src/cli.rs", "pipelines/src/endpoints.rs"].map(text).concat())
}

#[test]
fn every_command_and_flag_exists_in_the_binary() {
    let line = command_line();
    assert!(line.commands().any(|command| command == "run"), "the command line was not read");
    for (place, arguments) in invocations() {
        assert_eq!(line.faults(&arguments), [""; 0], "{place}: {arguments:?}");
    }
    let declared: Vec<Value> = container()["env"].as_array().cloned().unwrap_or_default();
    for argument in words(&container()["args"]) {
        if let Some((name, _)) = argument.split_once("$(").and_then(|(_, rest)| rest.split_once(')')) {
            assert!(declared.iter().any(|variable| variable["name"] == name), "{argument}: no such variable");
        }
    }
}

#[test]
fn every_variable_exists_in_the_binary_and_has_a_value_of_its_kind() {
    let line = command_line();
    assert!(line.variables().contains("CANDLEWICK_BROKERS"), "the command line was not read");
    for (place, variables) in variables() {
        assert!(
            variables.keys().any(|name| name.starts_with("CANDLEWICK_")),
            "{place}: its variables were not read"
        );
        for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("CANDLEWICK_")) {
            if let Some(key) = name.strip_prefix("CANDLEWICK_STREAMS_") {
                let key = format!("\"{}\",", key.to_lowercase().replace('_', "-"));
                assert!(text("topology/src/runtime/config.rs").contains(&key), "{place}: {name}");
            } else if name.starts_with("CANDLEWICK_KAFKA_PROPERTY_") {
                assert!(
                    text("pipelines/src/log.rs").contains("\"CANDLEWICK_KAFKA_PROPERTY_\""),
                    "{place}: {name}"
                );
            } else if name != "CANDLEWICK_LOG" {
                assert_eq!(line.variable_fault(name, value), None, "{place}");
            }
        }
    }
}

#[test]
fn every_port_and_health_check_is_the_status_servers() {
    let routes = text("server/src/endpoint/mod.rs");
    let served =
        |path: &str| assert!(routes.contains(&format!(".route(\"{path}\",")), "{path} is not served");
    for (place, variables) in variables() {
        assert_eq!(variables["CANDLEWICK_LISTEN"], "0.0.0.0:8080", "{place}: all of them say the same port");
    }
    assert_eq!(instruction("EXPOSE"), "8080");
    assert_eq!(words(&compose()["services"]["candlewick"]["ports"]), ["127.0.0.1:8080:8080"]);
    let container = container();
    assert_eq!(container["ports"], json!([{ "name": "http", "containerPort": 8080 }]));
    for (probe, path) in [
        ("startupProbe", "/health/live"),
        ("livenessProbe", "/health/live"),
        ("readinessProbe", "/health/ready"),
    ] {
        assert_eq!(container[probe]["httpGet"], json!({ "path": path, "port": "http" }), "{probe}");
        served(path);
    }
    for service in of_kind("Service") {
        assert_eq!(service["spec"]["ports"][0]["targetPort"], "http");
    }
    assert_eq!(of_kind("NetworkPolicy")[0]["spec"]["ingress"][0]["ports"][0]["port"], "http");
    let monitor = of_kind("PodMonitor")[0]["spec"]["podMetricsEndpoints"][0].clone();
    assert_eq!(monitor["port"], "http");
    served(monitor["path"].as_str().expect("a path"));
    let scraped = yaml("deploy/prometheus/prometheus.yml")[0]["scrape_configs"][0].clone();
    assert_eq!(scraped["static_configs"][0]["targets"], json!(["candlewick:8080"]));
    served(scraped["metrics_path"].as_str().expect("a path"));
}

#[test]
fn the_image_is_built_with_features_and_a_compiler_that_exist() {
    let built = dockerfile().into_iter().find(|(_, rest)| rest.contains("cargo build")).expect("a build").1;
    let after = |flag: &str| {
        let mut words = built.split_whitespace().skip_while(|word| *word != flag);
        words.nth(1).unwrap_or_else(|| panic!("{flag} says nothing")).to_owned()
    };
    let manifest = text("pipelines/Cargo.toml");
    assert!(manifest.contains(&format!("name = \"{}\"", after("--package"))));
    let (_, features) = manifest.split_once("[features]").expect("the package has features");
    for feature in after("--features").split(',') {
        assert!(features.contains(&format!("\n{feature} = [")), "{feature}");
    }
    let numbers =
        |version: &str| version.split('.').map(|part| part.parse().expect("a number")).collect::<Vec<u32>>();
    let (_, least) = text("Cargo.toml")
        .split_once("rust-version = \"")
        .map(|(a, b)| (a.len(), b.to_owned()))
        .expect("one");
    let (_, image) = dockerfile().into_iter().find(|(word, _)| word == "FROM").expect("an image");
    let image = image.trim_start_matches("rust:").split('-').next().expect("a version").to_owned();
    assert!(
        numbers(&image) >= numbers(least.split('"').next().expect("a version")),
        "{image} is older than {least}"
    );
    assert!(
        !matches!(instruction("USER").split(':').next(), None | Some("root" | "0")),
        "the image runs as root"
    );
}

#[test]
fn manifests_validate_against_strimzis_definitions() {
    let definitions = require!(strimzi_definitions());
    let ours: Vec<_> =
        manifests().into_iter().filter(|(_, manifest)| definitions.know_group_of(manifest)).collect();
    let kinds: BTreeSet<&str> = ours.iter().filter_map(|(_, manifest)| manifest["kind"].as_str()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser"]);
    for (file, manifest) in &ours {
        assert_eq!(definitions.faults(manifest), [""; 0], "{file}: {}", manifest["metadata"]["name"]);
    }
}

#[test]
fn a_manifest_with_a_mistake_is_refused() {
    let definitions = require!(strimzi_definitions());
    let refused = |kind: &str, place: &str, value: Value| {
        let mut manifest = of_kind(kind).remove(0);
        *manifest.pointer_mut(place).unwrap_or_else(|| panic!("{kind} has no {place}")) = value;
        definitions.faults(&manifest).join("; ")
    };
    assert_eq!(refused("KafkaTopic", "/spec", json!({ "partition": 6 })), "spec.partition: unknown field");
    let user = refused("KafkaUser", "/spec/authentication/type", json!("scram"));
    assert!(user.starts_with("spec.authentication.type: \"scram\" is none of"), "{user}");
    let pool = refused("KafkaNodePool", "/spec/replicas", json!("three"));
    assert_eq!(pool, "spec.replicas: \"three\" is not of the type integer");
    let cluster = refused(
        "Kafka",
        "/spec/kafka/listeners/0",
        json!({ "name": "scram", "type": "internal", "tls": true }),
    );
    assert_eq!(cluster, "spec.kafka.listeners[0]: port is missing");
    let version = refused("Kafka", "/apiVersion", json!("kafka.strimzi.io/v0"));
    assert_eq!(version, "there is no Kafka in kafka.strimzi.io/v0");
}

#[test]
fn kustomization_names_every_manifest() {
    let named = words(&yaml("deploy/strimzi/kustomization.yaml")[0]["resources"]);
    let there: BTreeSet<String> = manifests().into_iter().map(|(file, _)| file).collect();
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), there);
}

#[test]
fn the_user_may_use_the_applications_topics_and_groups_and_no_others() {
    let topics: BTreeSet<String> = of_kind("KafkaTopic")
        .iter()
        .map(|topic| topic["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(
        topics.iter().map(String::as_str).collect::<Vec<_>>(),
        ["candles", "indicators", "predictions", "trades"]
    );
    let source = text("pipelines/src/market/topology.rs") + &text("pipelines/src/cli.rs");
    for topic in &topics {
        let named = [format!("{{prefix}}{topic}\""), format!("default_value = \"{topic}\"")];
        assert!(named.iter().any(|name| source.contains(name)), "the application has no topic {topic}");
    }
    let id = variables().pop().expect("the pod's").1["CANDLEWICK_APPLICATION_ID"].clone();
    let mut allowed: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for rule in of_kind("KafkaUser")[0]["spec"]["authorization"]["acls"].as_array().expect("rules") {
        let resource =
            |field: &str| rule["resource"][field].as_str().expect("every rule is whole").to_owned();
        let name =
            if resource("patternType") == "prefix" { resource("name") + "*" } else { resource("name") };
        allowed.insert((resource("type"), name), words(&rule["operations"]));
    }
    let mut expected: BTreeSet<(String, String)> =
        topics.into_iter().map(|topic| ("topic".to_owned(), topic)).collect();
    for (kind, name) in [
        ("topic", format!("{id}-*")),
        ("topic", "predictions-dlq".to_owned()),
        ("group", id.clone()),
        ("group", "predictions-sink".to_owned()),
        ("transactionalId", format!("{id}-*")),
    ] {
        expected.insert((kind.to_owned(), name));
    }
    assert_eq!(allowed.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(text("connectors/src/elasticsearch/config.rs").contains("{index}-sink"), "the sink's group");
    assert!(text("connectors/src/elasticsearch/config.rs").contains("{}-dlq"), "the sink's dead letters");
    let may_write =
        |topic: &str| allowed[&("topic".to_owned(), topic.to_owned())].contains(&"Write".to_owned());
    assert!(
        !may_write("trades") && may_write("candles") && may_write("indicators") && may_write("predictions")
    );
}

/// The metrics that Rust code of the house makes, by the macros of the `metrics` facade.
fn metrics_in_source() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = ["topology", "operators", "connectors", "models", "server", "pipelines"]
        .map(|room| checkout().join(room).join("src"))
        .into();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(&path)
                    .expect("it is readable")
                    .map(|entry| entry.expect("an entry").path()),
            );
        } else if path.extension().is_some_and(|end| end == "rs") {
            let code = std::fs::read_to_string(&path).expect("it is readable");
            for call in ["counter!(", "gauge!(", "histogram!("] {
                let quoted = code.split(call).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
                found.extend(quoted.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()));
            }
        }
    }
    found
}

fn all_panels() -> Vec<candlewick_tests::deploy::Panel> {
    let variables = Variables {
        rate_interval: "1m".into(),
        values: BTreeMap::from([("symbol".into(), "BTC-USD".into())]),
        from_ms: 0,
        to_ms: 1,
    };
    panels(&checkout().join("deploy/grafana"), &variables).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_metric_in_dashboards_and_alerts_exists_in_the_source() {
    let made = metrics_in_source();
    let mut expressions: Vec<(String, String)> = Vec::new();
    for panel in all_panels() {
        if let PanelQuery::Prometheus { expression } = panel.query {
            expressions.push((panel.title, expression));
        }
    }
    for rule in yaml("deploy/prometheus/rules.yml")[0]["groups"][0]["rules"].as_array().expect("rules") {
        let said =
            |field: &str| rule[field].as_str().expect("every alert has a name and an expression").to_owned();
        expressions.push((said("alert"), said("expr")));
    }
    assert!(expressions.len() > 15, "the expressions were not read");
    for (place, expression) in expressions {
        let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let mut named = words.filter(|word| word.starts_with("candlewick_") || *word == "up").peekable();
        assert!(named.peek().is_some(), "{place}: {expression} names no metric");
        // A histogram is read by its parts.
        let base = |name: &str| {
            let part = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            made.contains(name) || part.is_some_and(|whole| made.contains(whole))
        };
        for name in named.filter(|name| *name != "up") {
            assert!(base(name), "{place}: no code makes the metric {name}");
        }
    }
}

#[test]
fn every_field_that_a_panel_asks_for_is_in_the_mapping_of_predictions() {
    fn fields(body: &Value, found: &mut BTreeSet<String>) {
        match body {
            Value::Object(entries) => {
                found.extend(entries.get("field").and_then(Value::as_str).map(str::to_owned));
                entries.values().for_each(|value| fields(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
            _ => {}
        }
    }
    let mapping = text("pipelines/src/sink.rs");
    let mut asked = 0;
    for panel in all_panels() {
        let PanelQuery::Elasticsearch { index, body } = panel.query else { continue };
        assert_eq!(index, "predictions");
        let mut found = BTreeSet::new();
        fields(&body, &mut found);
        asked += found.len();
        for field in found {
            assert!(mapping.contains(&format!("\"{field}\": {{ \"type\"")), "{}: {field}", panel.title);
        }
    }
    assert!(asked > 10, "the panels were not read");
}

#[test]
fn dashboards_have_fixed_uids_and_refresh_by_themselves() {
    for (file, uid) in [("predictions", "candlewick-predictions"), ("runtime", "candlewick-runtime")] {
        let dashboard: Value = serde_json::from_str(&text(&format!("deploy/grafana/dashboards/{file}.json")))
            .expect("it is JSON");
        assert_eq!(dashboard["uid"], uid);
        assert_eq!(dashboard["refresh"], "5s");
        let ids = dashboard["panels"].as_array().expect("panels").iter().map(|panel| panel["id"].to_string());
        let (all, different) = (ids.clone().count(), ids.collect::<BTreeSet<_>>().len());
        assert_eq!(all, different, "{file}: two panels have one id");
    }
    let provider = yaml("deploy/grafana/provisioning/dashboards/dashboards.yaml")[0]["providers"][0].clone();
    let mounted = compose()["services"]["grafana"]["volumes"].clone();
    let folder = provider["options"]["path"].as_str().expect("a folder");
    assert!(words(&mounted).iter().any(|volume| volume.contains(&format!("dashboards:{folder}:ro"))));
}
