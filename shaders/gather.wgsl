//!include shared/grid.wgsl
// out[i, c] = x[wanted[i], c]; one invocation an element.

struct Params {
    elements: u32,
    cols: u32,
    // Index of the last row.
    last: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> wanted: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let element = unfold(workgroup, workgroups) * 64u + local;
    if (element >= params.elements) {
        return;
    }
    let row = min(wanted[element / params.cols], params.last);
    output[element] = x[row * params.cols + element % params.cols];
}
