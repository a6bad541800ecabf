//! Snapshots in a bucket of a real server: large ones in parts, and what is said when it is not there.

use candlewick::SnapshotStore;
use candlewick_connectors::snapshots::ObjectSnapshots;
use candlewick_tests::{require, servers};

/// More than two parts, and not a whole number of them.
const BYTES: usize = 21 * 1024 * 1024 + 17;

#[test]
fn a_large_file_comes_back_byte_for_byte() {
    let bucket = require!(servers::bucket());
    let folder = tempfile::tempdir().expect("a folder");
    let (file, copy) = (folder.path().join("file"), folder.path().join("copy"));
    // No part is like another.
    let bytes: Vec<u8> = (0..BYTES / 8 + 1)
        .flat_map(|n| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())
        .take(BYTES)
        .collect();
    std::fs::write(&file, &bytes).expect("written");
    let url = format!("s3://{}/large", bucket.name());
    let snapshots = ObjectSnapshots::open_with(&url, &bucket.variables()).expect("an address");
    for name in ["app/0_0/2-x", "app/0_0/1-x", "app/0_01/1-x"] {
        snapshots.put(name, &file).expect("put");
    }
    assert_eq!(snapshots.list("app/0_0/").expect("listed"), ["app/0_0/1-x", "app/0_0/2-x"]);
    snapshots.get("app/0_0/2-x", &copy).expect("got");
    assert!(std::fs::read(&copy).expect("a copy") == bytes, "every byte is as it was");
    for name in snapshots.list("").expect("listed") {
        snapshots.delete(&name).expect("deleted");
    }
    assert!(snapshots.list("").expect("listed").is_empty());
    let missing = snapshots.get("app/0_0/2-x", &copy).expect_err("it is deleted");
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_bucket_that_is_not_there_is_told_with_what_to_check_and_no_secret() {
    let bucket = require!(servers::bucket());
    let snapshots =
        ObjectSnapshots::open_with("s3://nobodys-bucket/x", &bucket.variables()).expect("an address");
    let error = snapshots.list("app/").expect_err("there is no such bucket").to_string();
    assert!(error.contains("s3://nobodys-bucket/x") && error.contains("check the"), "{error}");
    let secret = &bucket.variables().last().expect("the key").1.clone();
    assert!(!error.contains(secret.as_str()), "{error}");
}
