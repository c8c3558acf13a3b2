//! Gaussian error linear unit (Hendrycks and Gimpel 2016, arXiv 1606.08415), not approximated:
//! `out[i] = x[i]/2 · (1 + erf(x[i] / sqrt(2)))`.
//!
//! Shapes: `x`, `out` `[rows, cols]` F32.
//!
//! Executors compute `erf(u)` as `u · P(u²) / Q(u²)` with `u` held within ±[`CLAMP`], where it rounds to ±1: no branch and no
//! exponential. The coefficients are a least-squares fit, reweighted towards the largest error; in f32 it errs by 5e-7 at most.

use super::{Case, CaseInput, EPS32, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, params::params, shader::grid_of};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Gelu;

/// Beyond it `erf` is 1 to within 2e-7.
pub const CLAMP: f32 = 3.7;
/// Coefficients of `P`, constant first.
pub const NUMERATOR: [f32; 5] = [1.128_378_1, 0.284_896_5, 0.063_071_81, 0.007_302_729, 0.000_270_211_64];
/// Coefficients of `Q`, constant first.
pub const DENOMINATOR: [f32; 6] =
    [1.0, 0.585_803_6, 0.151_210_41, 0.022_026_41, 0.001_852_239_3, 1.633_238_2e-5];

params! {
    /// Elements of the output.
    elements: u32,
}

/// `erf` from its series `2/sqrt(π) · exp(-x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1))`, whose terms have one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > sum.abs() * f64::EPSILON {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

impl Kernel for Gelu {
    fn stem(&self) -> &'static str {
        "gelu"
    }
}

impl Reference for Gelu {
    fn reference(&self, _io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let element = |&x: &f64| {
            let value = 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2));
            // For negative x `1 + erf` cancels: the error is one of the argument, not of the small result.
            Judged { value, magnitude: x.abs() }
        };
        vec![inputs[0].iter().map(element).collect()]
    }

    /// `erf` errs by 5e-7, half of which reaches the result.
    fn tolerance(&self, _io: &Io<'_>) -> f64 {
        2.5e-7 + 4.0 * EPS32
    }
}

impl Shader for Gelu {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        out.extend(bytemuck::bytes_of(&Params { elements: io.outputs[0].elements() as u32 }));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.outputs[0].elements(), 64)
    }
}

/// One element, odd, prime, over a workgroup, over 65,535 workgroups; numbers small enough to be linear and large enough to saturate.
pub fn cases() -> Vec<Case> {
    [(1, 1, 1.0), (3, 7, 9.0), (1, 641, 0.01), (5, 1536, 4.0), (2, 300, 100.0), (65_537, 65, 3.0)]
        .into_iter()
        .map(|(rows, cols, scale)| Case {
            op: Gelu.into(),
            inputs: vec![CaseInput::f32(rows, cols, scale)],
            outputs: vec![Operand::new(DType::F32, rows, cols)],
            tokens: rows,
            keys: 0,
            weights: &[],
            caches: &[],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::erf;

    /// Values from Abramowitz and Stegun, "Handbook of Mathematical Functions", table 7.1.
    #[test]
    fn the_reference_is_the_error_function() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_8),
            (1.0, 0.842_700_792_9),
            (-1.5, -0.966_105_146_5),
            (2.0, 0.995_322_265_0),
        ] {
            assert!((erf(x) - expected).abs() < 1e-10, "erf({x}) = {}", erf(x));
        }
        assert_eq!(erf(7.0), 1.0);
        assert!((erf(5.9) - 1.0).abs() < 1e-15);
    }
}
