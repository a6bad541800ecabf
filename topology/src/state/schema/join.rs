//! The bytes of what an outer join holds back, as Kafka Streams writes them: a key of time, side and key, and a list of
//! values that each say their side. Knows bytes and time only.

use crate::time::Timestamp;

/// Which input of a join a record came from. The right one comes first where times are equal, as in Kafka Streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    Right = 0,
    Left = 1,
}

/// Lists of values of any length; the other strategy is for types of a constant size.
const VARIABLE_SIZE: u8 = 1;

/// Bytes of time and side.
pub(crate) const PREFIX_BYTES: usize = 9;

/// Appends time and side, which stand before the key.
pub(crate) fn put_prefix(time: Timestamp, side: Side, out: &mut Vec<u8>) {
    out.extend_from_slice(&time.0.to_be_bytes());
    out.push(side as u8);
}

/// Splits a row's key into time, side and key.
pub(crate) fn split(bytes: &[u8]) -> Option<(Timestamp, Side, &[u8])> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    let (side, key) = rest.split_first()?;
    let side = match side {
        0 => Side::Right,
        1 => Side::Left,
        _ => return None,
    };
    Some((Timestamp(i64::from_be_bytes(*time)), side, key))
}

/// Begins a list of `count` values.
pub(crate) fn put_list(count: usize, out: &mut Vec<u8>) {
    out.push(VARIABLE_SIZE);
    put_length(count, out);
}

/// Appends a value that `write` writes, behind its length and its side.
pub(crate) fn put_value<E>(
    side: Side,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(side as u8);
    write(out)?;
    let length = length(out.len() - start - 4);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a record is smaller than 2 GiB in every log")
}

fn put_length(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&length(count).to_be_bytes());
}

/// Hands each value of a list, without its side, to `visit`; `None` when the bytes are not a list.
pub(crate) fn values<'a>(bytes: &'a [u8], mut visit: impl FnMut(&'a [u8])) -> Option<()> {
    let rest = bytes.strip_prefix(&[VARIABLE_SIZE])?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    for _ in 0..i32::from_be_bytes(*count) {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        let (value, behind) = behind.split_at_checked(length)?;
        visit(value.get(1..)?);
        rest = behind;
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_strategy_count_and_values_with_length_and_side() {
        // Serdes.ListSerde(ArrayList.class, Serdes.ByteArray()) of {1, 65} and {0, 66, 67}, printed by the JVM.
        let mut bytes = Vec::new();
        put_list(2, &mut bytes);
        for (side, value) in [(Side::Left, &b"A"[..]), (Side::Right, b"BC")] {
            let written = put_value(side, &mut bytes, |out| {
                out.extend_from_slice(value);
                Ok::<(), ()>(())
            });
            written.expect("never fails");
        }
        assert_eq!(bytes, [1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 65, 0, 0, 0, 3, 0, 66, 67]);
        let mut read = Vec::new();
        assert_eq!(values(&bytes, |value| read.push(value)), Some(()));
        assert_eq!(read, [&b"A"[..], b"BC"]);
        assert_eq!(values(&bytes[..17], |_| ()), None, "a torn list is none");
    }

    #[test]
    fn a_key_is_time_side_and_key() {
        // TimestampedKeyAndJoinSideSerializer of makeLeft("k", 258).
        let mut bytes = Vec::new();
        put_prefix(Timestamp(258), Side::Left, &mut bytes);
        bytes.push(b'k');
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 1, 2, 1, b'k']);
        assert_eq!(split(&bytes), Some((Timestamp(258), Side::Left, &b"k"[..])));
    }
}
