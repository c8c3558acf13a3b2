//! The randomness of sampling: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! SC11), keyed by the seed, counted by token id and position.
//!
//! For every token id there is one 32-bit word, whatever other ids are drawn:
//! ```text
//! key     = [seed low, seed high]
//! counter = [id / 4, position low, position high, 0]
//! word    = philox4x32_10(counter, key)[id % 4]
//! u       = ((word >> 9) + 0.5) / 2^23        exact in f32, 2^-24 <= u <= 1 - 2^-24
//! gumbel  = -ln(-ln u)
//! ```
//! A device whose `log` is coarse near 1 (WGSL allows an absolute error of 2^-21) should take `-ln u` from
//! `d = 1 - u`, which is exact too, by the series `d + d^2/2 + ...`, where d is small.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// No [`Noise::gumbel`] is greater: `-ln(-ln(1 - 2^-24))` is 16.636.
pub const MAX_GUMBEL: f32 = 16.64;

/// Ten rounds of Philox on four words.
pub fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let [a, b, c, d] = counter;
        let even = u64::from(a) * u64::from(MULTIPLIERS[0]);
        let odd = u64::from(c) * u64::from(MULTIPLIERS[1]);
        counter =
            [(odd >> 32) as u32 ^ b ^ key[0], odd as u32, (even >> 32) as u32 ^ d ^ key[1], even as u32];
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

/// The noise of one position: a number for every token id.
#[derive(Clone, Debug)]
pub struct Noise {
    key: [u32; 2],
    position: [u32; 2],
    /// The block of four that was made last: neighbouring ids share it.
    block: Option<(u32, [u32; 4])>,
}

impl Noise {
    /// The noise at `position` under `seed`.
    pub fn new(seed: u64, position: u64) -> Self {
        let halves = |value: u64| [value as u32, (value >> 32) as u32];
        Noise { key: halves(seed), position: halves(position), block: None }
    }

    /// A number in (0, 1) for token `id`.
    pub fn uniform(&mut self, id: u32) -> f32 {
        let index = id / 4;
        let block = match self.block {
            Some((made, block)) if made == index => block,
            _ => philox4x32_10([index, self.position[0], self.position[1], 0], self.key),
        };
        self.block = Some((index, block));
        let word = block[id as usize % 4];
        ((word >> 9) as f32 + 0.5) / (1u32 << 23) as f32
    }

    /// Standard Gumbel noise for token `id`.
    pub fn gumbel(&mut self, id: u32) -> f32 {
        gumbel(self.uniform(id))
    }

    /// [`Noise::gumbel`] where it is greater than `least`, and perhaps where it is not. Nearly always that is
    /// ruled out without a logarithm: `-ln u >= d` for `d = 1 - u`, so the noise is at most `-ln d`, and that is
    /// at most `-e ln 2` for the exponent `e` of `d`.
    pub fn gumbel_above(&mut self, id: u32, least: f32) -> Option<f32> {
        if least > MAX_GUMBEL {
            return None;
        }
        let uniform = self.uniform(id);
        let exponent = ((1.0 - uniform).to_bits() >> 23) as f32 - 127.0;
        // 0.001 is far more than rounding makes of any of this.
        let bound = -exponent * std::f32::consts::LN_2 + 0.001;
        (bound > least).then(|| gumbel(uniform))
    }
}

fn gumbel(uniform: f32) -> f32 {
    -(-f64::from(uniform).ln()).ln() as f32
}
