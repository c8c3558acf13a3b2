//!include shared/grid.wgsl
// out[r, c] = x[r, c] + y[r, c], or + y[0, c]: `y` starts again every `period` elements.

struct Params {
    elements: u32,
    period: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let element = unfold(workgroup, workgroups) * 256u + local;
    if (element < params.elements) {
        output[element] = x[element] + y[element % params.period];
    }
}
