//! Good answers of brokers, batches and logins.

/// Appends pieces.
fn joined(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

fn text(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).expect("short");
    joined(&[&len.to_be_bytes(), text.as_bytes()])
}

fn int(value: i32) -> [u8; 4] {
    value.to_be_bytes()
}

/// One answer of each of the four requests of a reader (Kafka's protocol guide), and a compact one.
pub(super) fn answers() -> Vec<Vec<u8>> {
    let topic = text("trades");
    let metadata = joined(&[
        &int(0),
        &int(1),
        &int(1),
        &text("localhost"),
        &int(9_092),
        &[0xff, 0xff],
        &text("cluster"),
        &int(1),
        &int(1),
        &[0, 0],
        &topic,
        &[0],
        &int(1),
        &[0, 0],
        &int(0),
        &int(1),
        &int(3),
        &int(1),
        &int(1),
        &int(1),
        &int(1),
        &int(0),
    ]);
    let fetch = joined(&[
        &int(0),
        &[0, 0],
        &int(0),
        &int(1),
        &topic,
        &int(1),
        &int(0),
        &[0, 0],
        &9_i64.to_be_bytes(),
        &9_i64.to_be_bytes(),
        &0_i64.to_be_bytes(),
        &int(1),
        &7_i64.to_be_bytes(),
        &3_i64.to_be_bytes(),
        &int(-1),
        &int(4),
        b"abcd",
    ]);
    let offsets = joined(&[
        &int(0),
        &int(1),
        &topic,
        &int(1),
        &int(0),
        &[0, 0],
        &(-1_i64).to_be_bytes(),
        &5_i64.to_be_bytes(),
        &int(1),
    ]);
    let compact = joined(&[
        &[0],
        &int(0),
        &[0, 0],
        &[2, 7],
        b"market",
        &int(1),
        &[10],
        b"localhost",
        &int(9_092),
        &[0, 0],
    ]);
    vec![metadata, fetch, offsets, compact, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 11].to_vec()]
}

/// A batch of two records with a header, packed by the codec with this number (KIP-98).
fn batch(codec: u8, pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let body = [0, 0, 0, 2, b'k', 4, b'v', b'w', 2, 2, b'h', 2, b'x'];
    let record = joined(&[&[u8::try_from(body.len() * 2).expect("short")], &body]);
    let records = pack(&joined(&[&record, &record]));
    let tail = joined(&[
        &[0, codec],
        &int(1),
        &1_000_i64.to_be_bytes(),
        &1_001_i64.to_be_bytes(),
        &(-1_i64).to_be_bytes(),
        &[0xff, 0xff],
        &int(-1),
        &int(2),
        &records,
    ]);
    let len = int(i32::try_from(tail.len() + 9).expect("short"));
    // Epoch, magic and the checksum, which the target makes right.
    joined(&[&0_i64.to_be_bytes(), &len, &int(0), &[2], &int(0), &tail])
}

/// Batches by every codec: the packed forms of short texts were made by the reference tools.
pub(super) fn batches() -> Vec<Vec<u8>> {
    let plain = batch(0, <[u8]>::to_vec);
    let snappy = batch(2, |bytes| snap::raw::Encoder::new().compress_vec(bytes).expect("short"));
    let java = batch(2, |bytes| {
        let block = snap::raw::Encoder::new().compress_vec(bytes).expect("short");
        let len = u32::try_from(block.len()).expect("short").to_be_bytes();
        joined(&[b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01", &len, &block])
    });
    // An LZ4 frame of one stored block: magic, independent blocks of 64 KiB at most, and a checksum nobody looks at.
    let lz4 = batch(3, |bytes| {
        let len = (u32::try_from(bytes.len()).expect("short") | 1 << 31).to_le_bytes();
        joined(&[&[0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82], &len, bytes, &[0; 4]])
    });
    // A zstd frame (RFC 8878): one segment of one raw block.
    let zstd = batch(4, |bytes| {
        let len = u8::try_from(bytes.len()).expect("short");
        let block = (u32::from(len) << 3 | 1).to_le_bytes();
        joined(&[&[0x28, 0xb5, 0x2f, 0xfd, 0x20, len], &block[..3], bytes])
    });
    // A gzip member (RFC 1952) of one stored block (RFC 1951), without its right checksum.
    let gzip = batch(1, |bytes| {
        let len = u16::try_from(bytes.len()).expect("short");
        let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
        joined(&[
            &head,
            &len.to_le_bytes(),
            &(!len).to_le_bytes(),
            bytes,
            &[0; 4],
            &u32::from(len).to_le_bytes(),
        ])
    });
    let both = joined(&[&plain, &snappy]);
    vec![plain, snappy, java, lz4, zstd, gzip, both]
}

/// The answers to a handshake and two messages, each behind its length.
pub(super) fn logins() -> Vec<Vec<u8>> {
    let framed = |answer: &[u8]| joined(&[&[u8::try_from(answer.len()).expect("short")], answer]);
    let handshake = framed(&joined(&[&int(0), &[0, 0], &int(1), &text("SCRAM-SHA-256")]));
    let message = |said: &str| {
        let len = int(i32::try_from(said.len()).expect("short"));
        framed(&joined(&[&int(0), &[0, 0, 0xff, 0xff], &len, said.as_bytes(), &[0; 8]]))
    };
    let refused =
        framed(&joined(&[&int(0), &[0, 58], &text("Invalid username or password"), &int(0), &[0; 8]]));
    vec![
        joined(&[
            &handshake,
            &message("r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
            &message("v=6rriTRBi23Wp"),
        ]),
        joined(&[&handshake, &message("")]),
        joined(&[&handshake, &refused]),
    ]
}
