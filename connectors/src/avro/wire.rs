//! Confluent's wire format: a zero byte, the schema's id in four bytes, big-endian, and the datum. Knows bytes only.

use super::error::AvroError;

/// Writes the header.
pub(super) fn put_header(id: u32, out: &mut Vec<u8>) {
    let [a, b, c, d] = id.to_be_bytes();
    out.extend_from_slice(&[0, a, b, c, d]);
}

/// The schema's id and the datum.
#[inline(always)]
pub(super) fn split(bytes: &[u8]) -> Result<(u32, &[u8]), AvroError> {
    match bytes {
        [0, a, b, c, d, datum @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        [0, ..] | [] => Err(AvroError::Short { len: bytes.len() }),
        [first, ..] => Err(AvroError::Magic { first: *first }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_a_zero_and_the_id_big_endian() {
        let mut out = Vec::new();
        put_header(0x0102_0304, &mut out);
        out.extend_from_slice(b"datum");
        assert_eq!(&out[..5], [0, 1, 2, 3, 4]);
        assert!(matches!(split(&out), Ok((0x0102_0304, b"datum"))));
    }

    #[test]
    fn bytes_without_the_header_are_refused() {
        assert!(matches!(split(b""), Err(AvroError::Short { len: 0 })));
        assert!(matches!(split(&[0, 1, 2, 3]), Err(AvroError::Short { len: 4 })));
        assert!(matches!(split(b"{\"a\":1}"), Err(AvroError::Magic { first: b'{' })));
    }
}
