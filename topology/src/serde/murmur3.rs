//! The hash by which foreign-key joins tell an answer to the current row from one to a row before it: 128-bit murmur3 of
//! the serialized value, as Kafka Streams computes it.

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;
const SEED: u64 = 104_729;

/// Both halves of the hash (`org.apache.kafka.streams.state.internals.Murmur3.hash128`).
pub(crate) fn murmur3_128(data: &[u8]) -> [u64; 2] {
    let (mut h1, mut h2) = (SEED, SEED);
    let (blocks, tail) = data.as_chunks::<16>();
    for block in blocks {
        let (k1, k2) = halves(block);
        h1 ^= mix1(k1);
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix2(k2);
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let mut last = [0; 16];
    last[..tail.len()].copy_from_slice(tail);
    let (k1, k2) = halves(&last);
    // Mixing a half without bytes gives zero, which changes nothing.
    h1 ^= mix1(k1);
    h2 ^= mix2(k2);
    let length = data.len() as u64;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finish(h1);
    h2 = finish(h2);
    h1 = h1.wrapping_add(h2);
    [h1, h2.wrapping_add(h1)]
}

fn halves(block: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*block);
    (both as u64, (both >> 64) as u64)
}

fn mix1(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn mix2(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn finish(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_jvm() {
        // Printed by Murmur3.hash128 of kafka-streams 4.3.1.
        let hashes = [
            ("", [0x9d27_64a0_18e3_2942, 0x8c3c_f3b0_3593_8518]),
            ("a", [0x3361_634e_7e0f_5188, 0xe9c7_dda2_4eae_326b]),
            ("hello, world! 0123456789abcdef", [0x3e61_00e4_d96f_c879, 0x3370_dc2a_075e_cd17]),
        ];
        for (text, hash) in hashes {
            assert_eq!(murmur3_128(text.as_bytes()), hash, "{text}");
        }
    }
}
