//!include shared/finite.wgsl
//!include shared/grid.wgsl
// out[i] = w[i mod g] * x[i] / sqrt(mean(x^2) + eps) over groups of g elements. One workgroup a group.

struct Params {
    groups: u32,
    // Elements of a group.
    width: u32,
    eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const LANES = 64u;

var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = unfold(workgroup, workgroups);
    if (group >= params.groups) {
        return;
    }
    let start = group * params.width;
    var sum = 0.0;
    for (var column = lane; column < params.width; column += LANES) {
        let value = x[start + column];
        sum += value * value;
    }
    sums[lane] = sum;
    workgroupBarrier();
    var total = 0.0;
    for (var other = 0u; other < min(LANES, params.width); other += 1u) {
        total += sums[other];
    }
    var factor = inverseSqrt(total / f32(params.width) + params.eps);
    if (!is_finite(total)) {
        // Of an infinite total it would be 0, and zeros would come of numbers that are far too large.
        factor = nan_from(total);
    }
    for (var column = lane; column < params.width; column += LANES) {
        output[start + column] = x[start + column] * factor * scale[column];
    }
}
