//!include shared/grid.wgsl
// out = act(gate) * up, both activations as gate * sigmoid(argument), since WGSL's own tanh may err by 1e-5:
// 0.5 (1 + tanh(u)) = 1 / (1 + exp(-2u)).

struct Params {
    elements: u32,
    // 1 for GELU with a hyperbolic tangent, 0 for SiLU.
    gelu: u32,
}

@group(0) @binding(0) var<storage, read> gate: array<f32>;
@group(0) @binding(1) var<storage, read> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const TWO_SQRT_TWO_OVER_PI = 1.5957691216057308;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let element = unfold(workgroup, workgroups) * 256u + local;
    if (element >= params.elements) {
        return;
    }
    let g = gate[element];
    let gelu_argument = TWO_SQRT_TWO_OVER_PI * (g + 0.044715 * g * g * g);
    let argument = select(g, gelu_argument, params.gelu != 0u);
    // Past 80 the sigmoid is below 2e-35; exp must not overflow, since WGSL does not promise an infinity then.
    output[element] = g / (1.0 + exp(min(-argument, 80.0))) * up[element];
}
