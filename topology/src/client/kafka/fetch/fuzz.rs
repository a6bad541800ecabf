//! The decoders of what brokers send, opened to the fuzz targets. Must not know what is sent to them.

use bytes::Bytes;

use super::batch::Batch;
use super::group_offsets_messages::{read_coordinator, read_offsets};
use super::hanging_messages::{
    read_init_producer, read_listed, read_markers, read_producers, read_transactions,
};
use super::login::Login;
use super::messages::{check_versions, read_fetch, read_list_offsets, read_metadata};
use super::security::Security;
use super::wire::Reader;
use crate::client::kafka::KafkaSettings;

/// Every answer that a broker may give, read as each of them.
pub fn answers(bytes: &[u8]) {
    let reader = || Reader::new(bytes, "a fuzzed answer");
    let _ = check_versions(&mut reader());
    let _ = read_metadata(&mut reader());
    let _ = read_list_offsets(&mut reader());
    let _ = read_fetch(&mut reader());
    let _ = read_coordinator(&mut reader());
    let _ = read_offsets(&mut reader());
    let _ = read_producers(&mut reader());
    let _ = read_listed(&mut reader());
    let _ = read_transactions(&mut reader());
    let _ = read_init_producer(&mut reader());
    let _ = read_markers(&mut reader());
}

/// Record batches one after another, with their records; the checksums are made right.
pub fn batches(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    mend(&mut bytes);
    let _ = Batch::last_offset_in(&bytes);
    let mut left = Bytes::from(bytes);
    let mut room = Vec::new();
    while let Ok(Some(batch)) = Batch::next(&mut left) {
        if batch.is_control() {
            let _ = batch.marks_abort();
            continue;
        }
        let Ok(mut records) = batch.open(std::mem::take(&mut room)) else { continue };
        while let Ok(Some(record)) = records.next() {
            std::hint::black_box(record);
        }
        room = records.close();
    }
}

/// Puts the right checksum into each batch: without it nothing behind the header would ever be read.
fn mend(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 61) {
        let Ok(len) = usize::try_from(i32::from_be_bytes([head[8], head[9], head[10], head[11]])) else {
            return;
        };
        let Some(batch) = bytes.get_mut(at..at.saturating_add(len).saturating_add(12)) else { return };
        if batch.len() < 61 {
            return;
        }
        let checksum = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&checksum.to_be_bytes());
        at += batch.len();
    }
}

/// The answers to a login, each behind a byte with its length.
pub fn login(bytes: &[u8]) {
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let mut settings = KafkaSettings::new("localhost:9092", "fuzz");
        for (key, value) in [
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanism", mechanism),
            ("sasl.username", "user"),
            ("sasl.password", "pencil"),
        ] {
            settings.properties.insert(key.to_owned(), value.to_owned());
        }
        // A build without TLS knows no SCRAM.
        let Some(credentials) = Security::of(&settings, "admin").ok().and_then(|security| security.login)
        else {
            continue;
        };
        let (mut login, _) = Login::begin(credentials, "fuzz");
        let mut left = bytes;
        while let Some((len, rest)) = left.split_first() {
            let (answer, behind) = rest.split_at(rest.len().min(usize::from(*len)));
            if login.on(&Bytes::copy_from_slice(answer)).is_err() {
                break;
            }
            left = behind;
        }
    }
}
