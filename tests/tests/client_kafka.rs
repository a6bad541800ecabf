//! The client suite on real Kafka, and what only a real broker can do: die, come back, and not be there.

use std::sync::Arc;

use candlewick::client::Log;
use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick_tests::{client_suite, servers};

/// The broker of this test process; a test on it is skipped, loudly, where none can run.
fn kafka() -> Option<Arc<dyn Log>> {
    let kafka = servers::required(servers::kafka())?;
    let log =
        KafkaLog::connect(KafkaSettings::new(kafka.bootstrap(), "client-suite")).expect("the broker answers");
    Some(Arc::new(log))
}

client_suite!(on_kafka, kafka);
