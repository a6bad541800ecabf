//! Unpacks what producers have packed: the four codecs of record batches. Must not know what is inside.

use std::io::Read;

use super::wire::{Malformed, Reader};

/// The error of every codec: which one says the batch's header.
const BROKEN: Malformed = Malformed("a compressed record batch");
/// A batch that grows beyond this is no batch but an attack, or broken.
const UNPACKED_MAX: u64 = 1 << 30;

/// Appends what `packed` holds to `out`. `codec` is the lowest three bits of a batch's attributes, and not zero.
pub(super) fn unpack(codec: i16, packed: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    match codec {
        1 => read_to_end(flate2::read::MultiGzDecoder::new(packed), out),
        2 => snappy(packed, out),
        3 => lz4(packed, out),
        4 => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(packed).map_err(|_| BROKEN)?;
            read_to_end(decoder, out)
        }
        _ => Err(Malformed("a record batch of an unknown compression")),
    }
}

fn read_to_end(decoder: impl Read, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let read = decoder.take(UNPACKED_MAX).read_to_end(out).map_err(|_| BROKEN)?;
    if read as u64 == UNPACKED_MAX { Err(BROKEN) } else { Ok(()) }
}

/// Raw snappy, or the frames that Java's library puts around blocks of it.
fn snappy(packed: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    const JAVA: &[u8] = b"\x82SNAPPY\0";
    if !packed.starts_with(JAVA) {
        return snappy_block(packed, out);
    }
    let mut reader = Reader::new(packed, "a compressed record batch");
    // The magic, a version and the oldest version that can read it.
    reader.take(JAVA.len() + 8)?;
    while !reader.left().is_empty() {
        snappy_block(reader.bytes()?, out)?;
    }
    Ok(())
}

fn snappy_block(packed: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let len = snap::raw::decompress_len(packed).map_err(|_| BROKEN)?;
    let start = out.len();
    // The length is only said: no three bytes stand for more than 64.
    if len / 32 > packed.len() || (start + len) as u64 > UNPACKED_MAX {
        return Err(BROKEN);
    }
    out.resize(start + len, 0);
    snap::raw::Decoder::new().decompress(packed, &mut out[start..]).map_err(|_| BROKEN)?;
    Ok(())
}

/// LZ4 frames (the format's specification, "LZ4 Frame Format"). Those of Kafka's producers have independent blocks, which
/// are unpacked in place; linked ones go to the library's decoder of streams.
fn lz4(packed: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
    const INDEPENDENT: u8 = 0x20;
    const BLOCK_CHECKSUM: u8 = 0x10;
    const CONTENT_SIZE: u8 = 0x08;
    const DICTIONARY: u8 = 0x01;
    let mut reader = Reader::new(packed, "a compressed record batch");
    let magic = reader.take(4)?;
    let (flags, descriptor) = (reader.take(1)?[0], reader.take(1)?[0]);
    if magic != MAGIC || flags & INDEPENDENT == 0 || flags & DICTIONARY != 0 {
        return read_to_end(lz4_flex::frame::FrameDecoder::new(packed), out);
    }
    let block_max = match descriptor >> 4 & 7 {
        size @ 4..=7 => 1_usize << (8 + 2 * size),
        _ => return Err(BROKEN),
    };
    reader.take(if flags & CONTENT_SIZE == 0 { 1 } else { 9 })?;
    loop {
        let size = reader.u32()?.swap_bytes();
        if size == 0 {
            return Ok(());
        }
        let stored = size >> 31 == 1;
        let block = reader.take((size & 0x7fff_ffff) as usize)?;
        if stored {
            out.extend_from_slice(block);
        } else {
            let start = out.len();
            // No byte stands for more than 255: a small block needs no room for a full one.
            let room = block_max.min(block.len().saturating_mul(255) + 16);
            if (start + room) as u64 > UNPACKED_MAX {
                return Err(BROKEN);
            }
            out.resize(start + room, 0);
            let len = lz4_flex::block::decompress_into(block, &mut out[start..]).map_err(|_| BROKEN)?;
            out.truncate(start + len);
        }
        if flags & BLOCK_CHECKSUM != 0 {
            reader.take(4)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    fn framed_lz4(bytes: &[u8], mode: lz4_flex::frame::BlockMode) -> Vec<u8> {
        let info =
            lz4_flex::frame::FrameInfo::new().block_mode(mode).block_checksums(bytes.len().is_multiple_of(2));
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(bytes).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    fn java_snappy(bytes: &[u8]) -> Vec<u8> {
        let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        for chunk in bytes.chunks(1_000) {
            let block = snap::raw::Encoder::new().compress_vec(chunk).expect("a short block");
            framed.extend_from_slice(&u32::try_from(block.len()).expect("a short block").to_be_bytes());
            framed.extend_from_slice(&block);
        }
        framed
    }

    proptest! {
        #[test]
        fn every_codec_gives_back_what_was_packed(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..40),
            times in 1_usize..200,
        ) {
            let bytes = pieces.concat().repeat(times);
            let zstd = ruzstd::encoding::compress_to_vec(&bytes[..], ruzstd::encoding::CompressionLevel::Fastest);
            let raw_snappy = snap::raw::Encoder::new().compress_vec(&bytes).expect("not too long");
            for (codec, packed) in [
                (1, gzip(&bytes)),
                (2, raw_snappy),
                (2, java_snappy(&bytes)),
                (3, framed_lz4(&bytes, lz4_flex::frame::BlockMode::Independent)),
                (3, framed_lz4(&bytes, lz4_flex::frame::BlockMode::Linked)),
                (4, zstd),
            ] {
                let mut out = b"before".to_vec();
                prop_assert_eq!(unpack(codec, &packed, &mut out), Ok(()));
                prop_assert!(out.strip_prefix(b"before").is_some_and(|unpacked| unpacked == bytes), "codec {}", codec);
            }
        }

        #[test]
        fn a_length_that_is_only_said_makes_no_room(len in 10_000_u32..0x3fff_ffff) {
            // A varint of the length, and a literal of one byte.
            let mut packed: Vec<u8> = (0..5_u32).map(|at| (len >> (7 * at) & 0x7f) as u8 | 0x80).collect();
            packed[4] &= 0x7f;
            packed.extend([0, b'x']);
            let mut out = Vec::new();
            prop_assert_eq!(unpack(2, &packed, &mut out), Err(BROKEN));
            prop_assert!(out.capacity() < 1_000, "{} bytes were taken", out.capacity());
        }

        #[test]
        fn garbage_is_refused_or_read_and_never_ends_the_process(
            codec in 1_i16..6, bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = unpack(codec, &bytes, &mut Vec::new());
            let mut framed = 0x184D_2204_u32.to_le_bytes().to_vec();
            framed.extend_from_slice(&bytes);
            let _ = unpack(3, &framed, &mut Vec::new());
        }
    }
}
