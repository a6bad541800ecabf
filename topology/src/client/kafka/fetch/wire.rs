//! Numbers, texts and arrays as Kafka's protocol writes them (its guide, "Protocol Primitive Types"): big-endian, lengths
//! before contents. Must not know any message.

/// What was read is not what the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not of Kafka's protocol: it ends or breaks within {0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// Bytes read from front to back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    left: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// `what` names the message in an error.
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { left: bytes, what }
    }

    /// The error for contents that make no sense.
    pub(super) fn malformed(&self) -> Malformed {
        Malformed(self.what)
    }

    pub(super) fn left(&self) -> &'a [u8] {
        self.left
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, left) = self.left.split_at_checked(len).ok_or(Malformed(self.what))?;
        self.left = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, left) = self.left.split_first_chunk::<N>().ok_or(Malformed(self.what))?;
        self.left = left;
        Ok(*taken)
    }

    pub(super) fn i8(&mut self) -> Result<i8, Malformed> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    /// A text that is never null.
    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        self.text_or_null()?.ok_or(Malformed(self.what))
    }

    pub(super) fn text_or_null(&mut self) -> Result<Option<&'a str>, Malformed> {
        let len = self.i16()?;
        let Ok(len) = usize::try_from(len) else { return Ok(None) };
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| self.malformed())
    }

    /// Bytes with their length before them; null ones are empty.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.i32()?;
        usize::try_from(len).map_or(Ok(&[][..]), |len| self.take(len))
    }

    /// How many elements follow; a null array has none.
    pub(super) fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.i32()?).unwrap_or(0);
        // An element takes a byte at least: a greater count is a lie that must not size anything.
        if count > self.left.len() { Err(self.malformed()) } else { Ok(count) }
    }

    /// Passes an array of `i32`.
    pub(super) fn skip_i32s(&mut self) -> Result<(), Malformed> {
        let count = self.count()?;
        self.take(count.saturating_mul(4)).map(|_| ())
    }

    /// A number of variable length, as in Protocol Buffers' `sint64`.
    pub(super) fn varlong(&mut self) -> Result<i64, Malformed> {
        let mut value = 0_u64;
        for (index, &byte) in self.left.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.left = &self.left[index + 1..];
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(self.malformed())
    }

    /// The length of a compact array, text or bytes; `None` for a null one.
    fn compact_len(&mut self) -> Result<Option<usize>, Malformed> {
        let mut len = 0_u32;
        for index in 0..5 {
            let byte = self.take(1)?[0];
            len |= u32::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok((len as usize).checked_sub(1));
            }
        }
        Err(self.malformed())
    }

    /// How many elements of a compact array follow.
    pub(super) fn compact_count(&mut self) -> Result<usize, Malformed> {
        let count = self.compact_len()?.unwrap_or(0);
        if count > self.left.len() { Err(self.malformed()) } else { Ok(count) }
    }

    /// A compact text; a null one is empty.
    pub(super) fn compact_text(&mut self) -> Result<&'a str, Malformed> {
        let len = self.compact_len()?.unwrap_or(0);
        std::str::from_utf8(self.take(len)?).map_err(|_| self.malformed())
    }

    /// Passes fields that later versions have added.
    pub(super) fn skip_tags(&mut self) -> Result<(), Malformed> {
        let count = self.compact_len()?.map_or(0, |count| count + 1);
        for _ in 0..count {
            self.compact_len()?;
            let len = self.compact_len()?.map_or(0, |len| len + 1);
            self.take(len)?;
        }
        Ok(())
    }

    /// Bytes with their length before them as a number of variable length; a negative one is null.
    pub(super) fn varbytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let len = self.varlong()?;
        if len < 0 {
            return Ok(None);
        }
        let len = usize::try_from(len).map_err(|_| self.malformed())?;
        self.take(len).map(Some)
    }
}

/// A request as it grows.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn i8(&mut self, value: i8) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// A name: Kafka's are short, and librdkafka and the settings have checked the users' own.
    pub(super) fn text(&mut self, text: &str) {
        self.i16(i16::try_from(text.len()).expect("names are shorter than 32 KiB"));
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn null_text(&mut self) {
        self.i16(-1);
    }

    /// How many elements of a compact array follow.
    pub(super) fn compact_count(&mut self, count: usize) {
        let mut left = count + 1;
        while left > 0x7f {
            self.0.push(u8::try_from(left & 0x7f).expect("seven bits") | 0x80);
            left >>= 7;
        }
        self.0.push(u8::try_from(left).expect("seven bits"));
    }

    /// A compact array or text that is null.
    pub(super) fn compact_null(&mut self) {
        self.0.push(0);
    }

    pub(super) fn compact_text(&mut self, text: &str) {
        self.compact_count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// No fields of later versions.
    pub(super) fn no_tags(&mut self) {
        self.0.push(0);
    }

    pub(super) fn count(&mut self, count: usize) {
        self.i32(i32::try_from(count).expect("an array in a request is short"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_variable_length_are_read_as_zigzag() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0xff, 0x01], -128),
            (&[0xfe, 0xff, 0xff, 0xff, 0x0f], i64::from(i32::MAX)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN),
        ] {
            let mut reader = Reader::new(bytes, "a test");
            assert_eq!(reader.varlong(), Ok(value));
            assert!(reader.left().is_empty());
        }
        assert!(Reader::new(&[0x80; 11], "a test").varlong().is_err());
        assert!(Reader::new(&[0x80], "a test").varlong().is_err());
    }

    #[test]
    fn count_that_cannot_be_is_refused_before_it_sizes_anything() {
        let mut writer = Writer::default();
        writer.i32(i32::MAX);
        assert!(Reader::new(&writer.0, "a test").count().is_err());
        writer = Writer::default();
        writer.i32(-1);
        assert_eq!(Reader::new(&writer.0, "a test").count(), Ok(0));
    }
}
