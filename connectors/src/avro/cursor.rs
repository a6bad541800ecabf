//! The primitives of Avro's binary encoding, read from a slice without a copy. Knows bytes only; `None` means that they
//! end too early or are no such primitive.

/// A position in a datum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_at_end(self) -> bool {
        self.rest.is_empty()
    }

    /// An int or long: zigzag, seven bits a byte.
    #[inline(always)]
    pub(super) fn long(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0_u64, 0_u32);
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            // The tenth byte holds one bit only.
            if shift == 63 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
            shift += 7;
        }
    }

    #[inline(always)]
    pub(super) fn double(&mut self) -> Option<f64> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(f64::from_le_bytes(*bytes))
    }

    pub(super) fn float(&mut self) -> Option<f32> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(f32::from_le_bytes(*bytes))
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        match byte {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Bytes or a string, with their length in front.
    #[inline(always)]
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.long()?).ok()?;
        self.take(len)
    }

    #[inline(always)]
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::put_long;
    use super::*;

    proptest! {
        #[test]
        fn longs_survive(value in any::<i64>()) {
            let mut out = Vec::new();
            put_long(value, &mut out);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.long(), Some(value));
            prop_assert!(cursor.is_at_end());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut cursor = Cursor::new(&bytes);
            while cursor.bytes().is_some() {}
            let mut cursor = Cursor::new(&bytes);
            while cursor.long().is_some() {}
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_refused() {
        assert_eq!(Cursor::new(&[0xff; 10]).long(), None);
        assert_eq!(
            Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).long(),
            Some(i64::MIN)
        );
    }
}
