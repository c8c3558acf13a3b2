//! Which tokens are left after top-k, top-p and min-p, without sorting what need not be sorted.

use super::Settings;

/// Tokens in a form that sorts as integers: see [`pack`].
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    packed: Vec<u64>,
}

impl Candidates {
    /// Keeps the tokens that pass the filters of `settings`. Returns false, and leaves nothing, when no filter
    /// is on: then all of `logits` stay.
    pub fn select(&mut self, logits: &[f32], best: u32, settings: &Settings) -> bool {
        let top_k = settings.top_k > 0 && settings.top_k < logits.len();
        let top_p = settings.top_p < 1.0;
        let min_p = settings.min_p > 0.0;
        if !top_k && !top_p && !min_p {
            return false;
        }
        let greatest = logits.get(best as usize).copied().unwrap_or_default();
        self.packed.clear();
        let least = if min_p { greatest + settings.min_p.ln() } else { f32::NEG_INFINITY };
        if top_k {
            self.keep_greatest(logits, settings.top_k);
        } else if top_p {
            self.packed.extend(logits.iter().zip(0u32..).map(|(&logit, id)| pack(logit, id)));
        } else {
            // Min-p alone compares with the greatest logit: nothing to sort.
            let kept = logits.iter().zip(0u32..).filter(|&(&logit, _)| logit >= least);
            self.packed.extend(kept.map(|(&logit, id)| pack(logit, id)));
            return true;
        }
        if top_p {
            self.keep_top_p(f64::from(greatest), f64::from(settings.top_p));
        }
        if min_p {
            self.packed.retain(|&packed| unpack(packed).0 >= least);
        }
        true
    }

    /// The `count` greatest logits in order, of equals the lowest id first.
    pub fn greatest(&mut self, logits: &[f32], count: usize) -> impl Iterator<Item = (f32, u32)> {
        self.packed.clear();
        self.keep_greatest(logits, count);
        self.packed.sort_unstable();
        self.iter()
    }

    /// Logit and id of each token that is left.
    pub fn iter(&self) -> impl Iterator<Item = (f32, u32)> {
        self.packed.iter().map(|&packed| unpack(packed))
    }

    /// One pass that keeps up to twice as many as wanted and cuts them back when full, so that most
    /// logits cost one comparison.
    fn keep_greatest(&mut self, logits: &[f32], count: usize) {
        if count == 0 {
            return;
        }
        let room = count.saturating_mul(2).max(64);
        let mut limit = u64::MAX;
        for (&logit, id) in logits.iter().zip(0u32..) {
            let packed = pack(logit, id);
            if packed > limit {
                continue;
            }
            self.packed.push(packed);
            if self.packed.len() >= room {
                limit = self.cut(count);
            }
        }
        if self.packed.len() > count {
            self.cut(count);
        }
    }

    /// Drops all but the first `count`; returns the last that stays.
    fn cut(&mut self, count: usize) -> u64 {
        let (_, &mut last, _) = self.packed.select_nth_unstable(count - 1);
        self.packed.truncate(count);
        last
    }

    /// Keeps the fewest most probable tokens whose probabilities sum to at least `p`, one at least.
    fn keep_top_p(&mut self, greatest: f64, p: f64) {
        let weight = |packed: u64| (f64::from(unpack(packed).0) - greatest).exp();
        let wanted = p * self.packed.iter().map(|&packed| weight(packed)).sum::<f64>();
        let mut sum = 0.0;
        let mut kept = 0;
        // Sorts the next stretch only while the sum still falls short: 256 tokens nearly always do.
        let mut stretch = 256;
        while kept < self.packed.len() {
            let rest = self.packed.get_mut(kept..).unwrap_or_default();
            let stretch_end = stretch.min(rest.len());
            if stretch_end < rest.len() {
                rest.select_nth_unstable(stretch_end);
            }
            let sorted = rest.get_mut(..stretch_end).unwrap_or_default();
            sorted.sort_unstable();
            for &packed in sorted.iter() {
                sum += weight(packed);
                kept += 1;
                if sum >= wanted {
                    self.packed.truncate(kept);
                    return;
                }
            }
            stretch *= 8;
        }
    }
}

/// A token as an integer that is smaller for a greater logit, then for a lower id.
fn pack(logit: f32, id: u32) -> u64 {
    let bits = (logit + 0.0).to_bits(); // + 0.0: -0.0 and 0.0 are equal logits
    let rising = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!rising) << 32 | u64::from(id)
}

fn unpack(packed: u64) -> (f32, u32) {
    let rising = !((packed >> 32) as u32);
    let bits = if rising >> 31 == 1 { rising ^ 1 << 31 } else { !rising };
    (f32::from_bits(bits), packed as u32)
}
