//! An application of plain data: a status, a drawing and one store of text and JSON. Owns what the tests compare with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use candlewick::{
    ApplicationState, NodeStatus, NodeView, PartitionStatus, Status, StoreInfo, StoreType, TaskPhase,
    TaskStatus, TopologyView,
};
use candlewick_server::{
    Access, Application, Feed, MetricsHandle, Question, ReadError, Reply, Row, Rows, StatusServer,
    install_recorder,
};
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

pub(crate) struct PlainApplication {
    pub(crate) status: Mutex<Status>,
    pub(crate) store: Result<BTreeMap<String, Value>, ReadError>,
}

/// The store that [`PlainApplication`] has.
pub(crate) const STORE: &str = "candles-1m";
pub(crate) const DESCRIPTION: &str = "Topologies:\n   Sub-topology: 0\n";

impl PlainApplication {
    pub(crate) fn new(state: ApplicationState) -> Self {
        let store = (0..5).map(|minute| (format!("BTC-USD/{minute}"), json!({ "close": minute }))).collect();
        Self { status: Mutex::new(status(state)), store: Ok(store) }
    }
}

impl Application for PlainApplication {
    fn status(&self) -> Status {
        self.status.lock().unwrap().clone()
    }

    fn topology(&self) -> TopologyView {
        topology()
    }

    fn describe(&self) -> String {
        DESCRIPTION.to_owned()
    }

    fn stores(&self) -> Vec<StoreInfo> {
        vec![StoreInfo { name: STORE.to_owned(), kind: StoreType::KeyValue, partitions: 2 }]
    }

    fn read(&self, store: &str, question: &Question) -> Result<Reply, ReadError> {
        if store != STORE {
            return Err(ReadError::UnknownStore);
        }
        let entries = self.store.as_ref().map_err(Clone::clone)?;
        let row = |key: &String, value: &Value| {
            let fields = json!({ "key": key, "value": value }).as_object().unwrap().clone();
            Row { fields, cursor: Some(key.clone().into_bytes().into()) }
        };
        let reply = |rows, next| Reply { rows, next, position: BTreeMap::new(), elsewhere: BTreeMap::new() };
        let range = match &question.rows {
            Rows::One { key, .. } => {
                return Ok(reply(entries.get(key).map(|value| row(key, value)).into_iter().collect(), None));
            }
            Rows::Many(range) => range,
        };
        let inside = entries.iter().filter(|(key, _)| {
            range.from.as_ref().is_none_or(|from| *key >= from)
                && range.to.as_ref().is_none_or(|to| *key <= to)
                && range.after.as_ref().is_none_or(|after| key.as_bytes() > after.as_bytes())
        });
        let mut rows: Vec<Row> = inside.map(|(key, value)| row(key, value)).collect();
        let next = (rows.len() > range.limit).then(|| rows[range.limit - 1].cursor.clone()).flatten();
        rows.truncate(range.limit);
        Ok(reply(rows, next))
    }
}

pub(crate) fn topology() -> TopologyView {
    let node = |name: &str, kind, sub_topology, stores: &[&str]| NodeView {
        name: name.to_owned(),
        kind,
        sub_topology,
        stores: stores.iter().map(|store| (*store).to_owned()).collect(),
    };
    let edge = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    TopologyView {
        nodes: vec![
            node("trades", "topic", None, &[]),
            node("KSTREAM-SOURCE-0000000000", "source", Some(0), &[]),
            node("KSTREAM-AGGREGATE-0000000001", "processor", Some(0), &[STORE]),
            node("KSTREAM-SINK-0000000002", "sink", Some(0), &[]),
            node("candles", "topic", None, &[]),
        ],
        edges: vec![
            edge("trades", "KSTREAM-SOURCE-0000000000"),
            edge("KSTREAM-SOURCE-0000000000", "KSTREAM-AGGREGATE-0000000001"),
            edge("KSTREAM-AGGREGATE-0000000001", "KSTREAM-SINK-0000000002"),
            edge("KSTREAM-SINK-0000000002", "candles"),
        ],
    }
}

pub(crate) fn status(state: ApplicationState) -> Status {
    let partition = |partition, position, end| PartitionStatus {
        topic: "trades".to_owned(),
        partition,
        position: Some(position),
        end,
        buffered: 3,
    };
    Status {
        application: "market".to_owned(),
        instance: "market-1".to_owned(),
        state,
        error: None,
        uptime_ms: 1_234,
        is_paused: false,
        stalled: Vec::new(),
        standbys: Vec::new(),
        tasks: vec![
            TaskStatus {
                id: "0_0".to_owned(),
                thread: 0,
                phase: TaskPhase::Running,
                processed: 70,
                stream_time_ms: 60_000,
                partitions: vec![partition(0, 70, Some(100)), partition(1, 5, Some(17))],
                restored: None,
            },
            TaskStatus {
                id: "0_1".to_owned(),
                thread: 1,
                phase: TaskPhase::Restoring,
                processed: 0,
                stream_time_ms: -1,
                partitions: vec![partition(2, 0, None)],
                restored: Some((25, 200)),
            },
        ],
        nodes: vec![NodeStatus { name: "KSTREAM-SOURCE-0000000000".to_owned(), processed: 70 }],
        dropped: vec![("late".to_owned(), 2)],
    }
}

/// A running server and a client that knows its address.
pub(crate) struct Served {
    pub(crate) server: StatusServer,
    pub(crate) feed: Arc<Feed>,
    client: Client,
}

impl Served {
    pub(crate) fn start(application: PlainApplication) -> Self {
        let feed = Arc::new(Feed::default());
        let anywhere = ([127, 0, 0, 1], 0).into();
        let server = StatusServer::start(
            anywhere,
            &Access::default(),
            Arc::new(application),
            Arc::clone(&feed),
            recorder(),
        )
        .unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { server, feed, client }
    }

    pub(crate) fn running() -> Self {
        Self::start(PlainApplication::new(ApplicationState::Running))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.local_addr())
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().unwrap()
    }

    pub(crate) fn get_accepting(&self, path: &str, accept: &str) -> Response {
        self.client.get(self.url(path)).header("accept", accept).send().unwrap()
    }

    pub(crate) fn post(&self, path: &str) -> Response {
        self.client.post(self.url(path)).send().unwrap()
    }

    /// The JSON at `path`, which must be answered with `code`.
    pub(crate) fn json(&self, path: &str, code: u16) -> Value {
        let response = self.get(path);
        assert_eq!(response.status(), code, "{path}");
        response.json().unwrap()
    }
}

/// The recorder of this process.
pub(crate) fn recorder() -> MetricsHandle {
    static RECORDER: OnceLock<MetricsHandle> = OnceLock::new();
    RECORDER.get_or_init(|| install_recorder().unwrap()).clone()
}
