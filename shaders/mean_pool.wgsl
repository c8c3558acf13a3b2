//!include shared/grid.wgsl
// out[s, c] = mean of x[t, c] over first <= t < end; one invocation an element. A segment without rows gives zeros.

struct Params {
    segments: u32,
    cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> segments: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let element = unfold(workgroup, workgroups) * 64u + local;
    if (element >= params.segments * params.cols) {
        return;
    }
    let segment = segments[element / params.cols];
    var sum = 0.0;
    for (var row = segment.x; row < segment.y; row += 1u) {
        sum += x[row * params.cols + element % params.cols];
    }
    output[element] = sum / f32(max(segment.y - segment.x, 1u));
}
