//! What Grafana would ask for each panel: the queries of dashboard files, with variables filled in, ready to be sent to
//! the data source itself. Owns the translation of an Elasticsearch target into a search; must not send anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::yaml::documents;

/// One query of one panel, or of a dashboard's variable (its title is then `$name`).
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// The dashboard's uid.
    pub dashboard: String,
    /// The panel's title, as it is written.
    pub title: String,
    /// Which of the panel's queries.
    pub reference: String,
    /// What is asked.
    pub query: PanelQuery,
}

/// What is asked, and of whom.
#[derive(Clone, Debug, PartialEq)]
pub enum PanelQuery {
    /// `GET /api/v1/query?query=<expression>`.
    Prometheus {
        /// The expression.
        expression: String,
    },
    /// `POST /<index>/_search`.
    Elasticsearch {
        /// The index that the data source reads.
        index: String,
        /// The request's body.
        body: Value,
    },
}

/// What stands for the variables of a dashboard, and its time range.
#[derive(Clone, Debug)]
pub struct Variables {
    /// For `$__rate_interval`, such as `1m`.
    pub rate_interval: String,
    /// For the dashboard's own variables, by name.
    pub values: BTreeMap<String, String>,
    /// The range's begin, in milliseconds since 1970.
    pub from_ms: i64,
    /// The range's end, in milliseconds since 1970.
    pub to_ms: i64,
}

/// A file that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct PanelError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// The name, the type and the settings of a data source.
type Sources = BTreeMap<String, Value>;

/// The queries of all dashboards in `folder` (the one with `dashboards` and `provisioning`), in the order of their files.
///
/// # Errors
/// When a file cannot be read, or asks in a way that is not known here, or names a data source that is not provisioned.
pub fn panels(folder: &Path, variables: &Variables) -> Result<Vec<Panel>, PanelError> {
    let sources = sources(&folder.join("provisioning/datasources"))?;
    let mut found = Vec::new();
    for path in files(&folder.join("dashboards"))? {
        let wrong = |reason: String| PanelError { path: path.clone(), reason };
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let dashboard: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        found.extend(of_dashboard(&dashboard, &sources, variables).map_err(wrong)?);
    }
    Ok(found)
}

impl PanelQuery {
    /// Whether the data source's answer has something to draw.
    #[must_use]
    pub fn has_data(&self, answer: &Value) -> bool {
        match self {
            Self::Prometheus { .. } => {
                let series = answer["data"]["result"].as_array();
                answer["status"] == "success" && series.is_some_and(|series| series.iter().any(is_number))
            }
            Self::Elasticsearch { body, .. } => {
                let hits = answer["hits"]["total"]["value"].as_u64().unwrap_or_default() > 0;
                hits && body["aggs"]
                    .as_object()
                    .is_none_or(|asked| has_values(asked, &answer["aggregations"]))
            }
        }
    }
}

fn is_number(series: &Value) -> bool {
    series["value"][1]
        .as_str()
        .and_then(|text| text.parse::<f64>().ok())
        .is_some_and(|number| !number.is_nan())
}

/// Whether every aggregation asked for has a bucket, or a number, and so down to the innermost.
fn has_values(asked: &Map<String, Value>, answered: &Value) -> bool {
    asked.iter().all(|(name, aggregation)| {
        let answer = &answered[name];
        let Some(buckets) = answer["buckets"].as_array() else { return answer["value"].is_number() };
        let inner = aggregation["aggs"].as_object();
        buckets.iter().any(|bucket| inner.is_none_or(|inner| has_values(inner, bucket)))
    })
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, PanelError> {
    let wrong = |error: std::io::Error| PanelError { path: folder.to_owned(), reason: error.to_string() };
    let entries = std::fs::read_dir(folder).map_err(wrong)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(wrong)?;
    paths.sort();
    Ok(paths)
}

/// The provisioned data sources, by uid.
fn sources(folder: &Path) -> Result<Sources, PanelError> {
    let mut found = Sources::new();
    for path in files(folder)? {
        let wrong = |reason: String| PanelError { path: path.clone(), reason };
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        for document in documents(&text).map_err(|error| wrong(error.to_string()))? {
            for source in document["datasources"].as_array().into_iter().flatten() {
                let uid = source["uid"].as_str().ok_or_else(|| wrong("a data source has no uid".into()))?;
                found.insert(uid.to_owned(), source.clone());
            }
        }
    }
    Ok(found)
}

fn of_dashboard(dashboard: &Value, sources: &Sources, variables: &Variables) -> Result<Vec<Panel>, String> {
    let uid = dashboard["uid"].as_str().ok_or("the dashboard has no uid")?;
    let mut found = Vec::new();
    let mut add = |title: &str, reference: &str, query: PanelQuery| {
        found.push(Panel { dashboard: uid.into(), title: title.into(), reference: reference.into(), query });
    };
    for variable in dashboard["templating"]["list"].as_array().into_iter().flatten() {
        if variable["type"] == "query" {
            let title = format!("${}", variable["name"].as_str().unwrap_or_default());
            let query = of_variable(variable, sources, variables).map_err(|why| format!("{title}: {why}"))?;
            add(&title, "", query);
        }
    }
    // A row keeps its panels inside when it is folded.
    let outer = dashboard["panels"].as_array().ok_or("the dashboard has no panels")?;
    let inner = outer.iter().flat_map(|panel| panel["panels"].as_array().into_iter().flatten());
    for panel in outer.iter().chain(inner).filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap_or_default();
        let targets = panel["targets"].as_array().filter(|targets| !targets.is_empty());
        for target in targets.ok_or_else(|| format!("{title}: it asks nothing"))? {
            let reference = target["refId"].as_str().unwrap_or_default();
            let query = of_target(target, panel, sources, variables);
            add(title, reference, query.map_err(|why| format!("{title} {reference}: {why}"))?);
        }
    }
    Ok(found)
}

fn source<'a>(asking: &Value, panel: &Value, sources: &'a Sources) -> Result<&'a Value, String> {
    let named =
        [asking, panel].iter().find_map(|place| place["datasource"]["uid"].as_str().map(str::to_owned));
    let uid = named.ok_or("no data source is named by its uid")?;
    sources.get(&uid).ok_or_else(|| format!("the data source {uid} is not provisioned"))
}

fn of_target(
    target: &Value,
    panel: &Value,
    sources: &Sources,
    variables: &Variables,
) -> Result<PanelQuery, String> {
    let source = source(target, panel, sources)?;
    match source["type"].as_str() {
        Some("prometheus") => {
            let expression = target["expr"].as_str().ok_or("there is no expression")?;
            Ok(PanelQuery::Prometheus { expression: filled(expression, variables)? })
        }
        Some("elasticsearch") => {
            let (index, time) = index(source)?;
            Ok(PanelQuery::Elasticsearch { index, body: search(target, &time, variables)? })
        }
        other => Err(format!("data sources of the type {other:?} are not known here")),
    }
}

fn of_variable(variable: &Value, sources: &Sources, variables: &Variables) -> Result<PanelQuery, String> {
    let source = source(variable, variable, sources)?;
    let asked = variable["query"].as_str().unwrap_or_default();
    let asked: Value = serde_json::from_str(asked).map_err(|error| error.to_string())?;
    let (Some("elasticsearch"), "terms", Some(field)) =
        (source["type"].as_str(), asked["find"].as_str().unwrap_or_default(), asked["field"].as_str())
    else {
        return Err("only the terms of an Elasticsearch field are known here".into());
    };
    let (index, time) = index(source)?;
    let mut body = ranged(&time, "*", variables);
    body["aggs"] = json!({ "1": { "terms": { "field": field, "size": 500, "order": { "_key": "asc" } } } });
    Ok(PanelQuery::Elasticsearch { index, body })
}

/// A data source's index and its field of time.
fn index(source: &Value) -> Result<(String, String), String> {
    let setting = |name: &str| source["jsonData"][name].as_str().map(str::to_owned);
    let index = setting("index").ok_or("the data source names no index")?;
    Ok((index, setting("timeField").ok_or("the data source names no field of time")?))
}

/// The text with every variable replaced.
fn filled(text: &str, variables: &Variables) -> Result<String, String> {
    let mut text = text.replace("$__rate_interval", &variables.rate_interval);
    for (name, value) in &variables.values {
        text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    match text.find('$') {
        Some(at) => Err(format!("nothing is given for the variable in `{}`", &text[at..])),
        None => Ok(text),
    }
}

/// A search over the range, without documents.
fn ranged(time: &str, query: &str, variables: &Variables) -> Value {
    let range = json!({ "gte": variables.from_ms, "lte": variables.to_ms, "format": "epoch_millis" });
    json!({
        "size": 0,
        "track_total_hits": true,
        "query": { "bool": { "filter": [
            { "range": { time: range } },
            { "query_string": { "analyze_wildcard": true, "query": query } },
        ] } },
    })
}

fn search(target: &Value, time: &str, variables: &Variables) -> Result<Value, String> {
    let query = target["query"].as_str().filter(|query| !query.is_empty()).unwrap_or("*");
    let mut body = ranged(time, &filled(query, variables)?, variables);
    let metrics =
        target["metrics"].as_array().filter(|metrics| !metrics.is_empty()).ok_or("it has no metrics")?;
    if metrics.iter().any(|metric| metric["type"] == "raw_data") {
        let size = metrics[0]["settings"]["size"].as_str().unwrap_or("500");
        body["size"] = json!(size.parse::<u32>().map_err(|_| format!("{size} is no number of documents"))?);
        body["sort"] = json!([{ time: { "order": "desc", "unmapped_type": "boolean" } }, { "_doc": "desc" }]);
        return Ok(body);
    }
    let mut aggregations = Map::new();
    for metric in metrics {
        if let Some((name, aggregation)) = measured(metric)? {
            aggregations.insert(name, aggregation);
        }
    }
    let buckets = target["bucketAggs"].as_array().ok_or("it has no bucketAggs")?;
    for bucket in buckets.iter().rev() {
        let (name, mut outer) = bucketed(bucket)?;
        if !aggregations.is_empty() {
            outer["aggs"] = Value::Object(std::mem::take(&mut aggregations));
        }
        aggregations = Map::from_iter([(name, outer)]);
    }
    body["aggs"] = Value::Object(aggregations);
    Ok(body)
}

/// A metric as an aggregation; counting needs none, for every bucket is counted.
fn measured(metric: &Value) -> Result<Option<(String, Value)>, String> {
    let name = metric["id"].as_str().ok_or("a metric has no id")?.to_owned();
    match (metric["type"].as_str(), metric["field"].as_str()) {
        (Some("count"), _) => Ok(None),
        (Some(kind @ ("avg" | "min" | "max" | "sum" | "cardinality")), Some(field)) => {
            Ok(Some((name, json!({ kind: { "field": field } }))))
        }
        _ => Err(format!("the metric {metric} is not known here")),
    }
}

fn bucketed(bucket: &Value) -> Result<(String, Value), String> {
    let name = bucket["id"].as_str().ok_or("a bucket aggregation has no id")?.to_owned();
    let field = bucket["field"].as_str().ok_or("a bucket aggregation has no field")?;
    let settings = &bucket["settings"];
    let number = |key: &str| settings[key].as_str().and_then(|text| text.parse::<u32>().ok());
    let aggregation = match bucket["type"].as_str() {
        Some("terms") => {
            let by =
                settings["orderBy"].as_str().map_or("_key", |by| if by == "_term" { "_key" } else { by });
            let order = settings["order"].as_str().unwrap_or("desc");
            json!({ "terms": {
                "field": field, "size": number("size").unwrap_or(10), "order": { by: order },
                "min_doc_count": number("min_doc_count").unwrap_or(1),
            } })
        }
        Some("date_histogram") => json!({ "date_histogram": {
            "field": field, "fixed_interval": settings["interval"].as_str().ok_or("a histogram has no interval")?,
            "min_doc_count": number("min_doc_count").unwrap_or(0), "format": "epoch_millis",
        } }),
        _ => return Err(format!("the bucket aggregation {bucket} is not known here")),
    };
    Ok((name, aggregation))
}
