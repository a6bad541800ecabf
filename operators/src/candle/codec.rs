//! A candle's bytes in stores, changelogs and topics: versioned, and about as long as the numbers in it are. Knows the
//! candle and the serde traits; must not know topics.
//!
//! Version 1: `1`, flags (bit 0: taker quote known), trades, the first time (-1 without trades) and from it the
//! distance to the last; places of the prices, low, and from it open, high and close; places of the volumes, volume,
//! taker volume; places of the quote volumes, quote volume, the taker's (0 if unknown), and the rests of both. Numbers are
//! LEB128, signed ones in zigzag; `places` is one byte that tells how many decimals the numbers behind it have.

use candlewick::{DefaultSerde, Serde, SerdeError, Timestamp};

use crate::{Candle, Decimal, Product};

const VERSION: u8 = 1;
const TAKER_QUOTE: u8 = 1;

/// Candles as compact, versioned bytes: 30 to 60 for ordinary ones.
///
/// ```
/// use candlewick::Serde;
/// use candlewick_operators::{Candle, CandleSerde, Decimal};
/// let mut bytes = Vec::new();
/// let candle = Candle::carried(Decimal::from_int(42));
/// CandleSerde.serialize("candles", &candle, &mut bytes).expect("every candle has bytes");
/// assert_eq!(CandleSerde.deserialize("candles", &bytes).expect("the same candle"), candle);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CandleSerde;

impl DefaultSerde for Candle {
    type Serde = CandleSerde;

    fn default_serde() -> CandleSerde {
        CandleSerde
    }
}

impl Serde<Candle> for CandleSerde {
    fn serialize(&self, _: &str, candle: &Candle, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        let mut writer = Writer { bytes: [0; LENGTH_MAX], length: 0 };
        writer.candle(candle);
        out.extend_from_slice(&writer.bytes[..writer.length]);
        Ok(())
    }

    fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<Candle, SerdeError> {
        let mut reader = Reader { bytes };
        let candle =
            reader.candle().ok_or_else(|| malformed("they end early or hold a number out of range"))?;
        if reader.bytes.is_empty() { Ok(candle) } else { Err(malformed("bytes follow the candle's end")) }
    }
}

fn malformed(reason: &str) -> SerdeError {
    let reason = format!("the bytes are not a candle of version {VERSION}: {reason}");
    SerdeError::Malformed { format: "candle", reason }
}

/// Two bytes, ten for the count, nineteen for each of two times, three groups' places, eight decimals and two rests.
const LENGTH_MAX: usize = 2 + 10 + 2 * 19 + 3 + 8 * 19 + 2 * 10;

/// Bytes on the stack, copied out once: a vector would check its capacity for every one.
struct Writer {
    bytes: [u8; LENGTH_MAX],
    length: usize,
}

impl Writer {
    fn candle(&mut self, candle: &Candle) {
        self.byte(VERSION);
        self.byte(if candle.taker_buy_quote.is_some() { TAKER_QUOTE } else { 0 });
        self.number(candle.trades.into());
        self.signed(candle.first_time.as_millis().into());
        self.signed(i128::from(candle.last_time.as_millis()) - i128::from(candle.first_time.as_millis()));
        self.group([candle.low, candle.open, candle.high, candle.close]);
        self.group([candle.volume, candle.taker_buy_volume]);
        let (quote, rest) = candle.quote_volume.parts();
        let (taker_quote, taker_rest) = candle.taker_buy_quote.unwrap_or_default().parts();
        self.group([quote, taker_quote]);
        self.number(rest.into());
        self.number(taker_rest.into());
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    #[inline]
    fn number(&mut self, mut number: u128) {
        // The loop on 64 bits is the quick one, and the only one for amounts in use.
        while number > u128::from(u64::MAX) {
            self.byte(0x80 | (number & 0x7f).to_le_bytes()[0]);
            number >>= 7;
        }
        let mut number = u64::try_from(number).unwrap_or_default();
        while number >= 0x80 {
            self.byte(0x80 | number.to_le_bytes()[0]);
            number >>= 7;
        }
        self.byte(number.to_le_bytes()[0]);
    }

    fn signed(&mut self, number: i128) {
        self.number(((number << 1) ^ (number >> 127)).cast_unsigned());
    }

    /// The places that all numbers share, the first number, and the others as distances from it.
    fn group<const N: usize>(&mut self, numbers: [Decimal; N]) {
        let places = numbers.iter().fold(0, |places, number| number.places_from(places));
        self.byte(places.to_le_bytes()[0]);
        let mut base = 0;
        for number in numbers {
            let number = number.units_of(places);
            self.signed(number.wrapping_sub(base));
            if base == 0 {
                base = number;
            }
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn candle(&mut self) -> Option<Candle> {
        if self.byte()? != VERSION {
            return None;
        }
        let flags = self.byte()?;
        let trades = u64::try_from(self.number()?).ok()?;
        let first = i64::try_from(self.signed()?).ok()?;
        let last = i64::try_from(i128::from(first).checked_add(self.signed()?)?).ok()?;
        let [low, open, high, close] = self.group()?;
        let [volume, taker_buy_volume] = self.group()?;
        let [quote, taker_quote] = self.group()?;
        let quote_volume = Product::from_parts(quote, self.rest()?)?;
        let taker_buy_quote = Product::from_parts(taker_quote, self.rest()?)?;
        Some(Candle {
            open,
            high,
            low,
            close,
            volume,
            taker_buy_volume,
            quote_volume,
            taker_buy_quote: (flags & TAKER_QUOTE != 0).then_some(taker_buy_quote),
            trades,
            first_time: Timestamp(first),
            last_time: Timestamp(last),
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u128> {
        // The loop on 64 bits is the quick one; nine bytes hold 63.
        let mut number = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number.into());
            }
        }
        self.long_number(number.into())
    }

    #[cold]
    fn long_number(&mut self, mut number: u128) -> Option<u128> {
        for shift in (63..128).step_by(7) {
            let byte = self.byte()?;
            let part = u128::from(byte & 0x7f);
            if (part << shift) >> shift != part {
                return None;
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i128> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn rest(&mut self) -> Option<u64> {
        u64::try_from(self.number()?).ok()
    }

    fn group<const N: usize>(&mut self) -> Option<[Decimal; N]> {
        let places = self.byte()?;
        let (mut base, mut numbers) = (0_i128, [Decimal::ZERO; N]);
        for slot in &mut numbers {
            let number = self.signed()?.wrapping_add(base);
            *slot = Decimal::from_units_of(number, places)?;
            if base == 0 {
                base = number;
            }
        }
        Some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimals() -> impl Strategy<Value = Decimal> {
        (any::<i128>(), 0_u32..128, 0_u32..13).prop_map(|(units, shift, places)| {
            let units = units.checked_shr(shift).unwrap_or(0);
            let unit = 10_i128.pow(places);
            Decimal::from_units(units / unit * unit)
        })
    }

    fn products() -> impl Strategy<Value = Product> {
        (decimals(), 0_u64..1_000_000_000_000)
            .prop_map(|(whole, rest)| Product::from_parts(whole, rest).expect("the rest is below the limit"))
    }

    fn bytes_of(candle: &Candle) -> Vec<u8> {
        let mut bytes = Vec::new();
        CandleSerde.serialize("t", candle, &mut bytes).expect("every candle has bytes");
        bytes
    }

    proptest! {
        #[test]
        fn any_candle_reads_back_and_no_prefix_of_it_does(
            prices in [decimals(), decimals(), decimals(), decimals()], volumes in [decimals(), decimals()],
            quote in products(), taker in prop::option::of(products()), trades in any::<u64>(), times in any::<[i64; 2]>()
        ) {
            let candle = Candle {
                open: prices[0], high: prices[1], low: prices[2], close: prices[3],
                volume: volumes[0], taker_buy_volume: volumes[1], quote_volume: quote, taker_buy_quote: taker,
                trades, first_time: Timestamp(times[0]), last_time: Timestamp(times[1]),
            };
            let bytes = bytes_of(&candle);
            prop_assert_eq!(CandleSerde.deserialize("t", &bytes).expect("the same"), candle);
            for end in 0..bytes.len() {
                prop_assert!(CandleSerde.deserialize("t", &bytes[..end]).is_err());
            }
        }

        #[test]
        fn foreign_bytes_are_refused_or_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            let _ = CandleSerde.deserialize("t", &bytes);
        }
    }

    /// These bytes lie in changelogs: they may be read for ever, and a change of them is a new version.
    #[test]
    fn bytes_of_version_one_stay_as_they_are() {
        let decimal = |text: &str| text.parse::<Decimal>().expect("a number");
        let candle = Candle {
            open: decimal("42000.5"),
            high: decimal("42001"),
            low: decimal("41999.75"),
            close: decimal("42000"),
            volume: decimal("1.5"),
            taker_buy_volume: decimal("0.25"),
            quote_volume: decimal("63000.375").into(),
            taker_buy_quote: Some(decimal("10500").into()),
            trades: 3,
            first_time: Timestamp(1_700_000_000_000),
            last_time: Timestamp(1_700_000_059_999),
        };
        let hex: String = bytes_of(&candle).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "01010380a0abfef962bea90702ced880049601fa013202ac02f90103eebc8a3cadde88320000");
    }

    #[test]
    fn other_versions_and_trailing_bytes_are_refused_with_a_sentence() {
        let mut bytes = bytes_of(&Candle::default());
        bytes.push(0);
        assert!(
            CandleSerde.deserialize("t", &bytes).expect_err("one too many").to_string().contains("follow")
        );
        bytes[0] = 9;
        assert!(CandleSerde.deserialize("t", &bytes).is_err());
    }
}
