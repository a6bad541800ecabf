//! Good records of an application's own topics, and settings.

/// Records of the control topic: a byte with the key's length, one with a quarter of the value's, and both.
pub(super) fn control() -> Vec<Vec<u8>> {
    let owner = r#"{"incarnation":{"instance":"a","member":"m","counter":1},"transactional_ids":["a-0"]}"#;
    let member = r#"{"incarnation":{"instance":"a","member":"m","counter":1},"threads":1,"fingerprint":"f","applied":2,"holds":["0_0"]}"#;
    let row = format!(r#"{{"epoch":3,"phase":"granted","owner":{owner},"standbys":[]}}"#);
    let leader = r#"{"instance":"a","fingerprint":"f"}"#;
    let record = |key: &str, value: &str| {
        let quarters = value.len().div_ceil(4);
        let mut bytes = vec![u8::try_from(key.len()).expect("short"), u8::try_from(quarters).expect("short")];
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(format!("{value:<width$}", width = quarters * 4).as_bytes());
        bytes
    };
    let all = [record("leader", leader), record("member/a", member), record("task/0_0", &row)];
    vec![all.concat(), all[1].clone(), record("task/0_0", "")]
}

/// Versions 1 and 2: `printf '\x02…' | base64`.
pub(super) fn offset_metadata() -> Vec<Vec<u8>> {
    [
        "AQAAAAAAAAAF",
        "AgAAAAAAAAAF",
        // One operator `k` with the value 7.
        "AgAAAAAAAAAFAAAAAQAAAAFrAAAAAAAAAAc=",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(super) fn settings() -> Vec<Vec<u8>> {
    let text = "application-id = \"counter\"\nthreads = 4\ncommit-interval-ms = 100\nguarantee = \"exactly-once\"\n\
                state-dir = \"/tmp/state\"\ncache-bytes-max = 1048576\n";
    vec![text.as_bytes().to_vec(), b"threads = 1\n".to_vec()]
}

/// A change, a subscription, an answer, a combined key, and windowed keys.
pub(super) fn topics() -> Vec<Vec<u8>> {
    let time = 60_000_i64.to_be_bytes();
    vec![
        [&b"\x06newold"[..], &[2]].concat(),
        [&[1_u8, 2][..], &[7; 16], b"key", &[0, 0, 0, 1]].concat(),
        [&[0x80_u8][..], b"value"].concat(),
        [&[0, 0, 0, 7][..], b"foreignprimary"].concat(),
        [&b"key"[..], &time].concat(),
        [&b"key"[..], &time, &time].concat(),
    ]
}

/// Keys and rows as the changelogs have them.
pub(super) fn rows() -> Vec<Vec<u8>> {
    let time = 60_000_i64.to_be_bytes();
    let topic = [&[0, 0, 0, 6][..], b"trades"].concat();
    let value = [&[0, 0, 0, 1][..], b"v"].concat();
    let header = [&[0, 0, 0, 1][..], &[0, 0, 0, 1], b"h", &[0xff; 4]].concat();
    let buffer =
        [&time[..], &time, &topic, &[0, 0, 0, 3], &header, &[0xff; 4], &value, &value, &time].concat();
    vec![
        [&b"key"[..], &time, &[0; 4]].concat(),
        [&b"key"[..], &time, &time].concat(),
        [&time[..], &[1], b"key"].concat(),
        [&[1_u8][..], &[0, 0, 0, 2], &[0, 0, 0, 2], b"\x01v", &[0, 0, 0, 2], b"\x00w"].concat(),
        buffer,
    ]
}

/// Records of changelogs of every kind: lengths of key and value, a time, and both.
pub(super) fn changelogs() -> Vec<Vec<u8>> {
    let record = |key: &[u8], value: Option<&[u8]>, time: u8| {
        let len = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
        [&[len(key), value.map_or(255, len), time][..], key, value.unwrap_or_default()].concat()
    };
    let kept = rows();
    vec![
        [record(b"key", Some(b"one"), 5), record(b"key", None, 6), record(b"other", Some(b"two"), 7)]
            .concat(),
        [record(&kept[0], Some(b"window"), 60), record(&kept[1], Some(b"session"), 61)].concat(),
        [record(b"key", Some(&kept[4]), 60), record(b"key", None, 61)].concat(),
        record(&kept[2], Some(&kept[3]), 1),
    ]
}
