//! Philox 4x32-10, the counter-based generator of every random number (Salmon et al., "Parallel random numbers: as easy
//! as 1, 2, 3", SC 2011). Bits depend on (seed, stream, step, iteration, element) alone, on every device.

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// One block of four words for a 128-bit counter and a 64-bit key.
#[inline(always)]
pub fn block(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = MULTIPLIER[0] as u64 * counter[0] as u64;
        let b = MULTIPLIER[1] as u64 * counter[2] as u64;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// The words of elements `4 * quad .. 4 * quad + 4` of a stream at a step and scan iteration.
#[inline(always)]
pub fn quad(seed: [u32; 2], stream: u32, step: u32, iteration: u32, quad: u32) -> [u32; 4] {
    block([quad, step, stream, iteration], seed)
}

#[cfg(test)]
mod tests {
    use super::block;

    // Known answers published with the reference implementation (Random123, kat_vectors).
    #[test]
    fn known_answers() {
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(block([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            block([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}
