//! Requests to a status server over a real socket: whatever is asked, it goes on to answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use candlewick::client::{EmbeddedLog, Log, NewTopic};
use candlewick::{
    Consumed, Grouped, I64Serde, KafkaStreams, Materialized, RunningStreams, StreamsBuilder, StreamsConfig,
    StringSerde,
};
use candlewick_server::{Access, Feed, StatusServer, StreamsApplication, install_recorder};

const TIMEOUT: Duration = Duration::from_secs(5);

/// An application with a store, and its server, for as long as the process lives.
fn server() -> SocketAddr {
    static SERVER: OnceLock<(StatusServer, RunningStreams)> = OnceLock::new();
    let (server, _) = SERVER.get_or_init(|| {
        let log = EmbeddedLog::in_memory();
        let topic =
            NewTopic { name: "words".into(), partitions: 1, replication: 1, config: Default::default() };
        log.admin().expect("an administrator").create(&[topic], TIMEOUT).expect("a topic");
        let builder = StreamsBuilder::new();
        builder
            .stream("words", Consumed::with(StringSerde, I64Serde))
            .group_by_key(Grouped::with(StringSerde, I64Serde))
            .count(Materialized::named("counts"));
        let topology = builder.build().expect("a topology");
        let streams =
            KafkaStreams::new(topology, StreamsConfig::new("fuzz"), log).start().expect("it starts");
        let application = Arc::new(StreamsApplication::new(streams.handle()));
        let metrics = install_recorder().expect("the first one");
        let (local, feed) = (([127, 0, 0, 1], 0).into(), Arc::new(Feed::default()));
        let access = Access::default().with_token("secret");
        let server = StatusServer::start(local, &access, application, feed, metrics).expect("it listens");
        (server, streams)
    });
    server.local_addr()
}

pub(super) fn requests() -> Vec<Vec<u8>> {
    [
        "/stores/counts?from=a&to=b&limit=2&reverse=true&after=00ff",
        "/stores/counts/key?at=5&versions=true&local=true",
        "/stores/counts/a%2Fb%00%ff?staleness_max_ms=1",
        "/stores/counts?prefix=%F0%9F&from_time=-1&to_time=9223372036854775807",
        "/feed/snapshot?since=1",
        "/health/live",
    ]
    .map(|path| {
        let head = "HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nConnection: close\r\n\r\n";
        format!("GET {path} {head}").into_bytes()
    })
    .to_vec()
}

/// What is answered within a time; nothing where more of the request is awaited.
fn answer(request: &[u8], patience: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect_timeout(&server(), TIMEOUT).expect("the server listens");
    stream.set_read_timeout(Some(patience)).expect("a socket takes a timeout");
    // It may have hung up on what it has seen so far.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.take(1 << 20).read_to_end(&mut answer);
    answer
}

/// Asks, and asks for the health behind it.
pub(super) fn ask(bytes: &[u8]) {
    // The end of a head, that it need not be waited for.
    let answered = answer(&[bytes, b"\r\n\r\n"].concat(), Duration::from_millis(50));
    assert!(!answered.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(&answered));
    let live = answer(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", TIMEOUT);
    assert!(live.starts_with(b"HTTP/1.1 200"), "the health is {:?}", String::from_utf8_lossy(&live));
}
