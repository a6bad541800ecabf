//! The client suite over encrypted connections: with a certificate of the client, and with a login by SCRAM; and what is
//! said where a certificate or a password is the wrong one. Needs the feature `kafka-tls`.
#![cfg(feature = "kafka-tls")]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use candlewick::client::kafka::{KafkaLog, KafkaSettings};
use candlewick::client::{ClientError, Isolation, Log};
use candlewick_tests::client_suite;
use candlewick_tests::client_suite::fixture::{Writer, read, reader, texts, topic};
use candlewick_tests::servers::{self, Acl, Missing, SecuredKafka};

/// The broker of this test process.
fn secured() -> Option<&'static SecuredKafka> {
    static SHARED: OnceLock<Result<SecuredKafka, Missing>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let kafka = SecuredKafka::start()?;
        // The suite makes and deletes whatever it likes.
        let everything = ["topic", "group", "transactionalId", "cluster"].map(|resource| Acl {
            resource: resource.to_owned(),
            name: if resource == "cluster" { "kafka-cluster" } else { "*" }.to_owned(),
            is_prefix: false,
            operation: "All".to_owned(),
        });
        kafka.allow_only(&everything);
        Ok(kafka)
    });
    servers::required(shared.as_ref().map_err(Clone::clone))
}

fn settings((bootstrap, properties): (String, Vec<(String, String)>)) -> KafkaSettings {
    let mut settings = KafkaSettings::new(bootstrap, "client-suite");
    settings.properties = properties.into_iter().collect();
    // Own connections or none: a silent way back to librdkafka's would go unnoticed.
    settings.properties.insert("fetcher".to_owned(), "plain".to_owned());
    settings
}

fn login(kafka: &SecuredKafka) -> KafkaSettings {
    let mut settings = settings(kafka.login());
    settings.properties.insert("sasl.password".to_owned(), kafka.password().to_owned());
    settings
}

fn connected(settings: KafkaSettings) -> Arc<dyn Log> {
    Arc::new(KafkaLog::connect(settings).expect("the broker answers"))
}

client_suite!(with_a_certificate, || secured().map(|kafka| connected(settings(kafka.mutual()))));
client_suite!(with_a_login, || secured().map(|kafka| connected(login(kafka))));

#[test]
fn encrypted_records_of_many_batches_come_whole() {
    let Some(kafka) = secured() else { return };
    let log = connected(settings(kafka.encrypted()));
    let topic = topic(&log, "encrypted", 1);
    let mut writer = Writer::plain(&log);
    // Larger than any buffer on the way, and not compressible to nothing.
    let values: Vec<String> = (0..20_000_u64)
        .map(|n| format!("{n} {:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(1 + n as usize % 20))
        .collect();
    for value in &values {
        writer.send(&topic, 0, "k", value);
    }
    writer.flush();
    let mut consumer = reader(&log, &topic, &[0], Isolation::ReadUncommitted);
    assert_eq!(texts(&read(&mut *consumer, values.len())), values);
}

/// What connecting says, and how long it took to say so.
fn refused(mut settings: KafkaSettings) -> (ClientError, Duration) {
    settings.connect_timeout = Duration::from_secs(8);
    let start = Instant::now();
    let error = KafkaLog::connect(settings).expect_err("it is refused");
    (error, start.elapsed())
}

#[test]
fn wrong_password_is_said_at_once_and_is_not_shown() {
    let Some(kafka) = secured() else { return };
    let mut wrong = login(kafka);
    wrong.properties.insert("sasl.password".to_owned(), "not-the-one".to_owned());
    let (error, after) = refused(wrong);
    let said = error.to_string();
    assert!(matches!(error, ClientError::Denied { .. }), "{error:?}");
    assert!(said.contains("market-user") && !said.contains("not-the-one"), "{said}");
    assert!(after < Duration::from_secs(4), "{after:?}");
}

#[test]
fn authority_that_has_not_signed_the_broker_is_said_at_once() {
    let Some(kafka) = secured() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let other = servers::Certificates::in_folder(folder.path());
    let mut wrong = settings(kafka.encrypted());
    wrong.properties.insert("ssl.ca.location".to_owned(), other.authority().display().to_string());
    let (error, after) = refused(wrong);
    assert!(matches!(error, ClientError::Denied { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(after < Duration::from_secs(4), "{after:?}");
}

#[test]
fn missing_certificate_of_the_client_is_said() {
    let Some(kafka) = secured() else { return };
    let (address, _) = kafka.mutual();
    let (_, properties) = kafka.encrypted();
    let (error, _) = refused(settings((address.clone(), properties)));
    assert!(error.to_string().contains(&address), "{error}");
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
}

#[test]
fn file_that_is_not_there_is_named() {
    let Some(kafka) = secured() else { return };
    let mut wrong = settings(kafka.encrypted());
    wrong.properties.insert("ssl.ca.location".to_owned(), "/nowhere/ca.pem".to_owned());
    let said = refused(wrong).0.to_string();
    assert!(said.contains("/nowhere/ca.pem"), "{said}");
}
