//!include shared/grid.wgsl
// out[0, c] = x[rows - 1, c].

struct Params {
    cols: u32,
    // First element of the last row.
    start: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let column = unfold(workgroup, workgroups) * 64u + local;
    if (column < params.cols) {
        output[column] = x[params.start + column];
    }
}
