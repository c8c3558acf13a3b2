//!include shared/finite.wgsl
//!include shared/grid.wgsl
// out[r, c] = x[r, c] / max(sqrt(sum_c x[r, c]^2), 1e-12). One workgroup a row.

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

const LANES = 64u;
const SHORTEST = 1.0e-12;

var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = unfold(workgroup, workgroups);
    if (row >= params.rows) {
        return;
    }
    let start = row * params.cols;
    var sum = 0.0;
    for (var column = lane; column < params.cols; column += LANES) {
        let value = x[start + column];
        sum += value * value;
    }
    sums[lane] = sum;
    workgroupBarrier();
    var total = 0.0;
    for (var other = 0u; other < min(LANES, params.cols); other += 1u) {
        total += sums[other];
    }
    var length = max(sqrt(total), SHORTEST);
    if (!is_finite(total)) {
        // An infinite length would make zeros of numbers that are far too large.
        length = nan_from(total);
    }
    for (var column = lane; column < params.cols; column += LANES) {
        output[start + column] = x[start + column] / length;
    }
}
