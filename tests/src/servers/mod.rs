//! Real servers for tests: Apache Kafka, a schema registry, Elasticsearch, Prometheus, a bucket. Each is started once per test
//! process on a free loopback port and ends with that process. And real clients, which ask what answers as PostgreSQL does:
//! `psql` and the JDBC driver. Must not know any crate of the house.
//!
//! A server that cannot run here (no Java, no Maven) skips the test loudly; `CANDLEWICK_REQUIRE=kafka,registry,…`
//! turns the skip into a failure. A server that already runs is used instead where `CANDLEWICK_KAFKA=host:port`,
//! `CANDLEWICK_REGISTRY=url`, `CANDLEWICK_ELASTICSEARCH=url` or `CANDLEWICK_S3=url` names it.
//!
//! ```no_run
//! use candlewick_tests::{require, servers};
//! # fn test() {
//! let kafka = require!(servers::kafka());
//! println!("{}", kafka.bootstrap());
//! # }
//! ```

mod acls;
mod bucket;
pub(crate) mod cache;
mod certificates;
mod door;
mod elasticsearch;
mod jdbc;
mod kafka;
mod kafka_streams;
mod missing;
mod process;
mod prometheus;
mod psql;
mod registry;
mod secured_kafka;

pub use acls::Acl;
pub use bucket::{Bucket, bucket};
pub use certificates::Certificates;
pub use door::Door;
pub use elasticsearch::{Elasticsearch, elasticsearch};
pub use jdbc::{Jdbc, jdbc};
pub use kafka::{Kafka, kafka};
pub use kafka_streams::JavaStreams;
pub use missing::{Missing, required};
pub use process::{data_folder, free_port};
pub use prometheus::{Prometheus, prometheus};
pub use psql::{Psql, Said, psql};
pub use registry::{Registry, registry};
pub use secured_kafka::SecuredKafka;
