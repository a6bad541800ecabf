//! Decimals in other people's formats: text for people, sixteen bytes for machines. Knows decimals and serde's traits.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Decimal;

impl Decimal {
    /// The units as 16 bytes, big-endian two's complement (an Avro or Connect decimal of scale 12).
    ///
    /// ```
    /// use candlewick_operators::Decimal;
    /// let decimal = "-1.5".parse::<Decimal>()?;
    /// assert_eq!(Decimal::from_be_bytes(decimal.to_be_bytes()), decimal);
    /// # Ok::<(), candlewick_operators::DecimalError>(())
    /// ```
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads what [`Decimal::to_be_bytes`] wrote.
    ///
    /// ```
    /// # use candlewick_operators::Decimal;
    /// assert_eq!(Decimal::from_be_bytes(1_500_000_000_000_i128.to_be_bytes()).to_string(), "1.5");
    /// ```
    #[must_use]
    pub const fn from_be_bytes(bytes: [u8; 16]) -> Self {
        Self::from_units(i128::from_be_bytes(bytes))
    }
}

/// As text where people read (JSON, TOML, CSV), as 16 big-endian bytes elsewhere.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.to_be_bytes().serialize(serializer)
        }
    }
}

/// From text or a number where people write; a float is read by [`Decimal::from_f64`].
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(DecimalVisitor)
        } else {
            deserializer.deserialize_tuple(16, DecimalVisitor)
        }
    }
}

struct DecimalVisitor;

impl<'de> Visitor<'de> for DecimalVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number as text or number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Decimal, E> {
        Decimal::from_f64(value).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Decimal, E> {
        Ok(Decimal::from_int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Decimal, E> {
        Ok(Decimal::from_units(i128::from(value) * super::ONE))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Decimal, A::Error> {
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(at, &self))?;
        }
        Ok(Decimal::from_be_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_holds_decimals_as_text_and_reads_numbers_too() {
        let decimal: Decimal = "0.00000001".parse().expect("a number");
        assert_eq!(serde_json::to_string(&decimal).expect("text"), "\"0.00000001\"");
        for text in ["\"0.00000001\"", "0.00000001", "1e-8"] {
            assert_eq!(serde_json::from_str::<Decimal>(text).expect("a number"), decimal);
        }
        assert_eq!(serde_json::from_str::<Decimal>("7").expect("a number"), Decimal::from_int(7));
        assert!(serde_json::from_str::<Decimal>("\"seven\"").is_err());
    }

    #[test]
    fn bytes_are_big_endian_twos_complement() {
        assert_eq!(Decimal::from_units(-2).to_be_bytes()[14..], [0xff, 0xfe]);
        assert_eq!(Decimal::from_units(258).to_be_bytes()[14..], [1, 2]);
    }
}
