//! A candle's bytes in stores, changelogs and topics: versioned, and about as long as the numbers in it are. Knows the
//! candle and the serde traits; must not know topics.
//!
//! Version 1: `1`, flags (bit 0: taker quote known), trades, then unless both times are unknown the first time and the
//! distance to the last; places of the prices, low, and open, high and close above it; places of the volumes, volume,
//! taker volume; places of the quote volumes, quote volume, its rest, and the same of the taker's if known. Numbers are
//! LEB128, signed ones in zigzag; `places` is one byte that tells how many decimals the numbers behind it have.

use candlewick::{DefaultSerde, Serde, SerdeError, Timestamp};

use crate::{Candle, Decimal, Product};

const VERSION: u8 = 1;
const TAKER_QUOTE: u8 = 1;

/// Candles as compact, versioned bytes: 30 to 70 for ordinary ones.
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
        out.push(VERSION);
        out.push(if candle.taker_buy_quote.is_some() { TAKER_QUOTE } else { 0 });
        put(out, candle.trades.into());
        put_signed(out, candle.first_time.as_millis().into());
        put_signed(out, i128::from(candle.last_time.as_millis()) - i128::from(candle.first_time.as_millis()));
        put_group(out, &[candle.low, candle.open, candle.high, candle.close]);
        put_group(out, &[candle.volume, candle.taker_buy_volume]);
        let (quote, rest) = candle.quote_volume.parts();
        let (taker_quote, taker_rest) = candle.taker_buy_quote.unwrap_or_default().parts();
        put_group(out, &[quote, taker_quote]);
        put(out, rest.into());
        put(out, taker_rest.into());
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

fn put(out: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        out.push(0x80 | (number & 0x7f).to_le_bytes()[0]);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn put_signed(out: &mut Vec<u8>, number: i128) {
    put(out, ((number << 1) ^ (number >> 127)).cast_unsigned());
}

/// The places that all numbers share, the first number, and the others as distances from it.
fn put_group(out: &mut Vec<u8>, numbers: &[Decimal]) {
    let places = numbers.iter().map(|number| number.places()).max().unwrap_or(0);
    out.push(places.to_le_bytes()[0]);
    let unit = 10_i128.pow(Decimal::SCALE - places);
    let mut base = 0;
    for number in numbers {
        let number = quotient(number.units(), unit);
        put_signed(out, number.wrapping_sub(base));
        if base == 0 {
            base = number;
        }
    }
}

/// Exact division, by 64 bits where the numbers allow it: 128-bit division is a call.
fn quotient(number: i128, unit: i128) -> i128 {
    match (u64::try_from(number), u64::try_from(unit)) {
        (Ok(number), Ok(unit)) => i128::from(number / unit),
        _ => number / unit,
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
        let mut number = 0;
        for shift in (0..128).step_by(7) {
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
        let unit = 10_i128.pow(Decimal::SCALE.checked_sub(u32::from(self.byte()?))?);
        let (mut base, mut numbers) = (0_i128, [Decimal::ZERO; N]);
        for slot in &mut numbers {
            let number = self.signed()?.wrapping_add(base);
            *slot = Decimal::from_units(number.checked_mul(unit)?);
            if base == 0 {
                base = number;
            }
        }
        Some(numbers)
    }
}
