//!include shared/grid.wgsl
// out = x / 2 * (1 + erf(x / sqrt(2))), erf as a ratio of polynomials: src/kernel/gelu.rs has the coefficients and their error.

struct Params {
    elements: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

const SQRT_HALF = 0.70710678118654752;
const CLAMP = 3.7;

fn erf(x: f32) -> f32 {
    let u = clamp(x, -CLAMP, CLAMP);
    let s = u * u;
    let p = (((0.00027021164 * s + 0.007302729) * s + 0.06307181) * s + 0.2848965) * s + 1.1283781;
    let q = ((((1.6332382e-5 * s + 0.0018522393) * s + 0.02202641) * s + 0.15121041) * s + 0.5858036) * s + 1.0;
    return u * p / q;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let element = unfold(workgroup, workgroups) * 64u + local;
    if (element < params.elements) {
        let value = x[element];
        output[element] = 0.5 * value * (1.0 + erf(value * SQRT_HALF));
    }
}
