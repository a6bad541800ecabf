//! What a bucket has to do, over a folder that is used as one: the real client, without a network.

use super::*;

/// A bucket in a folder, with parts of so many bytes.
fn bucket(folder: &Path, part_bytes: u64) -> ObjectSnapshots {
    let opened = ObjectSnapshots::open(&format!("file://{}/some/prefix", folder.display()));
    ObjectSnapshots { part_bytes, ..opened.expect("an address") }
}

#[test]
fn files_of_any_number_of_parts_come_back_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let bucket = bucket(folder.path(), 7);
    let (file, copy) = (folder.path().join("file"), folder.path().join("copy"));
    for length in [0_usize, 1, 6, 7, 8, 13, 14, 15, 7 * PARTS_AT_ONCE, 1_000] {
        let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("a byte")).collect();
        std::fs::write(&file, &bytes).expect("written");
        bucket.put("app/0_0/1", &file).expect("put");
        bucket.get("app/0_0/1", &copy).expect("got");
        assert_eq!(std::fs::read(&copy).expect("a copy"), bytes, "{length} bytes");
    }
}

#[test]
fn names_are_listed_in_order_by_how_they_begin_and_forgotten_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let bucket = bucket(folder.path(), 7);
    let file = folder.path().join("file");
    std::fs::write(&file, "rows").expect("written");
    assert!(bucket.list("app/").expect("listed").is_empty());
    for name in ["app/0_1/2-x", "app/0_1/10-y", "app/0_10/1-z", "app-two/0_1/1-x", "app/0_1/1-x"] {
        bucket.put(name, &file).expect("put");
    }
    assert_eq!(bucket.list("app/0_1/").expect("listed"), ["app/0_1/1-x", "app/0_1/10-y", "app/0_1/2-x"]);
    assert_eq!(bucket.list("app/0_1/1").expect("listed"), ["app/0_1/1-x", "app/0_1/10-y"]);
    assert_eq!(bucket.list("app/").expect("listed").len(), 4);
    assert_eq!(bucket.list("").expect("listed").len(), 5);
    bucket.delete("app/0_1/10-y").expect("deleted");
    assert_eq!(bucket.list("app/0_1/").expect("listed"), ["app/0_1/1-x", "app/0_1/2-x"]);
}

#[test]
fn what_is_not_there_is_told_with_the_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = bucket(folder.path(), 7).get("app/0_0/1", &folder.path().join("copy"));
    let error = error.expect_err("nothing is there");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("some/prefix"), "{error}");
}
