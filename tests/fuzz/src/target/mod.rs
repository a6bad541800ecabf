//! The table of targets: for each decoder good inputs, the decoder, and what it may cost.

mod connectors;
mod embedded;
mod files;
mod http;
mod kafka;
mod topology;

/// A decoder of outside bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What is typed.
    pub name: &'static str,
    /// Inputs that it reads well, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Reads; a refusal is fine, a panic is not.
    pub run: fn(&[u8]),
    /// Inputs in a round of the tests.
    pub inputs: u64,
    /// Bytes that one input may make it allocate at once.
    pub bytes_max: usize,
}

/// As [`Target`] with the ordinary bound: a decoder makes structs of bytes, some times as large.
const fn plain(name: &'static str, seeds: fn() -> Vec<Vec<u8>>, run: fn(&[u8])) -> Target {
    Target { name, seeds, run, inputs: 10_000, bytes_max: 4 << 20 }
}

/// All targets.
pub const ALL: [Target; 15] = [
    plain("kafka-answers", kafka::answers, candlewick::fuzz::kafka::answers),
    // What is packed grows: LZ4 255-fold, in blocks of 4 MiB; zstd and gzip more.
    Target {
        bytes_max: 256 << 20,
        ..plain("kafka-batches", kafka::batches, candlewick::fuzz::kafka::batches)
    },
    Target { inputs: 2_000, ..plain("kafka-login", kafka::logins, candlewick::fuzz::kafka::login) },
    plain("control", topology::control, candlewick::fuzz::runtime::control),
    plain("offset-metadata", topology::offset_metadata, candlewick::fuzz::runtime::offset_metadata),
    plain("settings", topology::settings, candlewick::fuzz::runtime::settings),
    plain("topics", topology::topics, candlewick::fuzz::dsl::topics),
    plain("rows", topology::rows, candlewick::fuzz::state::rows),
    Target {
        inputs: 2_000,
        ..plain("changelogs", topology::changelogs, candlewick::fuzz::state::changelogs)
    },
    Target { inputs: 100, ..plain("log-segment", embedded::segments, embedded::open) },
    Target { inputs: 5_000, ..plain("avro", connectors::avro, connectors::read_avro) },
    Target { inputs: 1_000, ..plain("exchange", connectors::exchange, connectors::read_exchange) },
    Target { inputs: 300, ..plain("model", files::models, files::load_model) },
    Target { inputs: 1_000, ..plain("schemas", files::schemas, files::read_schemas) },
    Target { inputs: 200, ..plain("http", http::requests, http::ask) },
];
