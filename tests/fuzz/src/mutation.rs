//! New inputs from good ones: bits, numbers at their limits, pieces cut out, doubled, moved or taken from another input.
//! Owns the chance; must not know any format.

use rand::{Rng, RngExt};

/// An input grows no longer than this.
const LEN_MAX: usize = 8 << 10;

/// Numbers that lengths and counts are wrong with.
const LIMITS: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// A changed copy of one of `seeds`.
pub(crate) fn mutated(seeds: &[Vec<u8>], chance: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seeds[chance.random_range(0..seeds.len())].clone();
    // Most inputs differ little from a good one: only those get far.
    let changes = 1_usize << chance.random_range(0..5);
    for _ in 0..chance.random_range(1..=changes) {
        change(&mut bytes, seeds, chance);
    }
    bytes.truncate(LEN_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], chance: &mut impl Rng) {
    let at = chance.random_range(0..=bytes.len());
    let end = chance.random_range(at..=bytes.len().min(at + 64));
    match chance.random_range(0..9) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let piece = bytes[at..end].to_vec();
            let to = chance.random_range(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
        3 => {
            let other = &seeds[chance.random_range(0..seeds.len())];
            let from = chance.random_range(0..=other.len());
            let piece = &other[from..other.len().min(from + 64)];
            bytes.splice(at..end, piece.iter().copied());
        }
        4 => {
            let number = LIMITS[chance.random_range(0..LIMITS.len())];
            let wide = [1, 2, 4, 8][chance.random_range(0..4)];
            let big = number.to_be_bytes();
            let mut number = big[8 - wide..].to_vec();
            if chance.random() {
                number.reverse();
            }
            let over = bytes.len().min(at + wide);
            bytes.splice(at..over, number);
        }
        5 => bytes.insert(at, chance.random()),
        6 => bytes.extend((0..chance.random_range(0..32)).map(|_| chance.random::<u8>())),
        _ if at < bytes.len() && chance.random() => bytes[at] ^= 1 << chance.random_range(0..8),
        _ if at < bytes.len() => bytes[at] = chance.random(),
        _ => {}
    }
}
