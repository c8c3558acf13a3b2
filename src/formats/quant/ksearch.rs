//! The search for the scales of 256-element blocks that give the least squared error.
//!
//! A group's scale (and minimum) comes from least squares over the quants of several trial scales; then the block's own f16 units
//! round it to a few bits, and the neighbours of that rounding are tried too. ggml's quantisers search alike, but weigh errors by
//! the size of the element; what counts here is the plain squared error of the whole block.

use half::f16;

/// Elements of a superblock.
pub(super) const BLOCK: usize = 256;
/// Trial scales of a group lie so many tenths of a step around the one that its range gives.
const TRIALS: std::ops::RangeInclusive<i32> = -10..=10;
/// Times that units and group scales are fitted to each other.
const ROUNDS: usize = 2;

/// A superblock of a type with minimums: w = d s q - dmin m.
pub(super) struct Ranged<const GROUPS: usize> {
    pub d: f16,
    pub dmin: f16,
    /// Per group, s and m.
    pub groups: [(u8, u8); GROUPS],
    pub q: [u8; BLOCK],
}

/// A superblock of a type without minimums, in groups of 16: w = d s (q - zero).
pub(super) struct Signed {
    pub d: f16,
    pub s: [i8; 16],
    pub q: [u8; BLOCK],
}

/// Sums over a group with quants q, from which least squares follow.
#[derive(Clone, Copy, Default)]
struct Sums {
    q: f32,
    qq: f32,
    xq: f32,
}

impl Sums {
    fn of(values: &[f32], quant: impl Fn(f32) -> f32) -> Self {
        let mut sums = Sums::default();
        for &x in values {
            let q = quant(x);
            sums.q += q;
            sums.qq += q * q;
            sums.xq += x * q;
        }
        sums
    }
}

/// `x / unit`, or 0 where the unit is.
fn ratio(x: f32, unit: f32) -> f32 {
    if unit == 0.0 { 0.0 } else { x / unit }
}

/// Nearest integer by the sum with 1.5 · 2²³, whose lowest bit is 1: vector code where `round` is a call. Exact below 2²², halves to even.
#[inline(always)]
fn nearest(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (x + SHIFT) - SHIFT
}

/// Squared error of a group at `scale · q - min`, q the best of `0..=steps`.
fn ranged_error(values: &[f32], scale: f32, min: f32, steps: f32) -> f32 {
    let inverse = ratio(1.0, scale);
    let mut error = 0.0;
    for x in values {
        let q = nearest(((x + min) * inverse).clamp(0.0, steps));
        let difference = x - (scale * q - min);
        error += difference * difference;
    }
    error
}

/// Scale and minimum, neither negative, of least error for a group.
fn fit_ranged(values: &[f32], steps: f32) -> (f32, f32) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let smallest = values.iter().copied().fold(0.0, f32::min);
    let range = largest - smallest;
    if range <= 0.0 || !range.is_finite() {
        return (0.0, -smallest);
    }
    let (n, sum) = (values.len() as f32, values.iter().sum::<f32>());
    let mut best = (range / steps, -smallest);
    let mut least = ranged_error(values, best.0, best.1, steps);
    for trial in TRIALS {
        let inverse = (steps + trial as f32 / 10.0) / range;
        let sums = Sums::of(values, |x| nearest(((x - smallest) * inverse).clamp(0.0, steps)));
        let determinant = n * sums.qq - sums.q * sums.q;
        if determinant <= 0.0 {
            continue;
        }
        let mut scale = (n * sums.xq - sum * sums.q) / determinant;
        let mut min = (sums.q * sums.xq - sums.qq * sum) / determinant;
        if min < 0.0 {
            (scale, min) = (sums.xq / sums.qq, 0.0);
        }
        if scale > 0.0 {
            let error = ranged_error(values, scale, min, steps);
            if error < least {
                (least, best) = (error, (scale, min));
            }
        }
    }
    best
}

/// Quants `0..=steps`, group scales and minimums `0..=most`. The range of a group always includes 0, since the minimum is subtracted
/// and m is not negative.
pub(super) fn ranged<const GROUPS: usize>(values: &[f32; BLOCK], steps: f32, most: f32) -> Ranged<GROUPS> {
    let size = BLOCK / GROUPS;
    let mut wanted = [(0.0f32, 0.0f32); GROUPS];
    for (wanted, group) in wanted.iter_mut().zip(values.chunks_exact(size)) {
        *wanted = fit_ranged(group, steps);
    }
    let largest = wanted.iter().fold((0.0f32, 0.0f32), |l, w| (l.0.max(w.0), l.1.max(w.1)));
    let mut units = (f16::from_f32(largest.0 / most), f16::from_f32(largest.1 / most));
    let mut groups = wanted.map(|(scale, min)| {
        let level = |wanted, unit: f16| ratio(wanted, unit.to_f32()).round().clamp(0.0, most) as u8;
        (level(scale, units.0), level(min, units.1))
    });
    let mut least = f32::INFINITY;
    let mut best = (units, groups);
    for _ in 0..ROUNDS {
        let (d, dmin) = (units.0.to_f32(), units.1.to_f32());
        let mut total = 0.0;
        for (group, values) in groups.iter_mut().zip(values.chunks_exact(size)) {
            total += best_neighbour(group, values, (d, dmin), steps, most);
        }
        if total < least {
            (least, best) = (total, (units, groups));
        }
        units = refit_ranged(values, &groups, units, steps);
    }
    let ((d, dmin), groups) = best;
    let mut q = [0; BLOCK];
    for ((q, values), (s, m)) in q.chunks_exact_mut(size).zip(values.chunks_exact(size)).zip(groups) {
        let (scale, min) = (d.to_f32() * f32::from(s), dmin.to_f32() * f32::from(m));
        let inverse = ratio(1.0, scale);
        for (q, x) in q.iter_mut().zip(values) {
            *q = nearest(((x + min) * inverse).clamp(0.0, steps)) as u8;
        }
    }
    Ranged { d, dmin, groups, q }
}

/// Moves a group's s and m to the best of their neighbours; its error there.
fn best_neighbour(group: &mut (u8, u8), values: &[f32], (d, dmin): (f32, f32), steps: f32, most: f32) -> f32 {
    let around = |level: u8| level.saturating_sub(1)..=level.saturating_add(1).min(most as u8);
    let (mut best, mut least) = (*group, f32::INFINITY);
    for s in around(group.0) {
        for m in around(group.1) {
            let error = ranged_error(values, d * f32::from(s), dmin * f32::from(m), steps);
            if error < least {
                (least, best) = (error, (s, m));
            }
        }
    }
    *group = best;
    least
}

/// The units d and dmin that least squares give for the quants of now.
fn refit_ranged<const GROUPS: usize>(
    values: &[f32; BLOCK],
    groups: &[(u8, u8); GROUPS],
    (d, dmin): (f16, f16),
    steps: f32,
) -> (f16, f16) {
    let size = BLOCK / GROUPS;
    // Of a = s q and b = -m: sums of aa, ab, bb, xa, xb.
    let (mut aa, mut ab, mut bb, mut xa, mut xb) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for (values, &(s, m)) in values.chunks_exact(size).zip(groups) {
        let (s, m) = (f32::from(s), f32::from(m));
        let (scale, min) = (d.to_f32() * s, dmin.to_f32() * m);
        let inverse = ratio(1.0, scale);
        let sums = Sums::of(values, |x| nearest(((x + min) * inverse).clamp(0.0, steps)));
        aa += f64::from(s * s * sums.qq);
        ab -= f64::from(s * m * sums.q);
        bb += f64::from(m * m) * size as f64;
        xa += f64::from(s * sums.xq);
        xb -= f64::from(m * values.iter().sum::<f32>());
    }
    let determinant = aa * bb - ab * ab;
    let (new, new_min) = match () {
        () if determinant > 1e-12 * aa * bb => {
            ((xa * bb - xb * ab) / determinant, (xb * aa - xa * ab) / determinant)
        }
        () if aa > 0.0 => (xa / aa, f64::from(dmin.to_f32())),
        () => return (d, dmin),
    };
    if new > 0.0 && new_min >= 0.0 { (f16::from_f64(new), f16::from_f64(new_min)) } else { (d, dmin) }
}

/// Squared error of a group at `scale · q`, q the best of `-zero..zero`.
fn signed_error(values: &[f32], scale: f32, zero: f32) -> f32 {
    let inverse = ratio(1.0, scale);
    let mut error = 0.0;
    for x in values {
        let q = nearest((x * inverse).clamp(-zero, zero - 1.0));
        let difference = x - scale * q;
        error += difference * difference;
    }
    error
}

/// The scale of least error for a group, of either sign.
fn fit_signed(values: &[f32], zero: f32) -> f32 {
    let extreme = values.iter().fold(0.0f32, |far, &x| if x.abs() > far.abs() { x } else { far });
    if extreme == 0.0 || !extreme.is_finite() {
        return 0.0;
    }
    let mut best = extreme / -zero;
    let mut least = signed_error(values, best, zero);
    // The largest value may also be left to the shorter end.
    for sign in [-1.0, 1.0] {
        for trial in TRIALS {
            let inverse = sign * (zero + trial as f32 / 10.0) / extreme;
            let sums = Sums::of(values, |x| nearest((x * inverse).clamp(-zero, zero - 1.0)));
            let scale = ratio(sums.xq, sums.qq);
            if scale != 0.0 {
                let error = signed_error(values, scale, zero);
                if error < least {
                    (least, best) = (error, scale);
                }
            }
        }
    }
    best
}

/// Quants `0..2 zero`, group scales `-most - 1..=most`: the scale of largest magnitude maps to the end that reaches further.
pub(super) fn signed(values: &[f32; BLOCK], zero: f32, most: f32) -> Signed {
    let mut wanted = [0.0f32; 16];
    for (scale, group) in wanted.iter_mut().zip(values.chunks_exact(16)) {
        *scale = fit_signed(group, zero);
    }
    let extreme = wanted.iter().fold(0.0f32, |far, &x| if x.abs() > far.abs() { x } else { far });
    let mut d = f16::from_f32(extreme / -(most + 1.0));
    let mut s = wanted.map(|scale| ratio(scale, d.to_f32()).round().clamp(-most - 1.0, most) as i8);
    let mut least = f32::INFINITY;
    let mut best = (d, s);
    for _ in 0..ROUNDS {
        let unit = d.to_f32();
        let (mut total, mut ll, mut xl) = (0.0, 0.0f64, 0.0f64);
        for (s, values) in s.iter_mut().zip(values.chunks_exact(16)) {
            let (mut nearest_s, mut error) = (*s, f32::INFINITY);
            for trial in [-1.0, 0.0, 1.0] {
                let level = (f32::from(*s) + trial).clamp(-most - 1.0, most);
                let tried = signed_error(values, unit * level, zero);
                if tried < error {
                    (error, nearest_s) = (tried, level as i8);
                }
            }
            *s = nearest_s;
            total += error;
            let level = f32::from(*s);
            let inverse = ratio(1.0, unit * level);
            let sums = Sums::of(values, |x| nearest((x * inverse).clamp(-zero, zero - 1.0)));
            ll += f64::from(level * level * sums.qq);
            xl += f64::from(level * sums.xq);
        }
        if total < least {
            (least, best) = (total, (d, s));
        }
        if ll > 0.0 {
            d = f16::from_f64(xl / ll);
        }
    }
    let (d, s) = best;
    let mut q = [0; BLOCK];
    for ((q, values), s) in q.chunks_exact_mut(16).zip(values.chunks_exact(16)).zip(s) {
        let inverse = ratio(1.0, d.to_f32() * f32::from(s));
        for (q, x) in q.iter_mut().zip(values) {
            *q = (nearest((x * inverse).clamp(-zero, zero - 1.0)) + zero) as u8;
        }
    }
    Signed { d, s, q }
}
