//!include shared/finite.wgsl
//!include shared/grid.wgsl
// out[r, c] = exp(x[r, c] - m) / sum_c exp(x[r, c] - m), m the largest of the row. One workgroup a row.

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

const LANES = 64u;

var<workgroup> maximums: array<f32, LANES>;
var<workgroup> sums: array<f32, LANES>;

// Whether a score leaves its row without probabilities: exp of -inf is 0, of NaN and of inf - inf it is what the implementation likes.
fn is_none(score: f32) -> bool {
    return !is_finite(score) && bitcast<u32>(score) != 0xff800000u;
}

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
    let lanes = min(LANES, params.cols);
    if (lane < lanes) {
        var largest = x[start + lane];
        for (var column = lane + LANES; column < params.cols; column += LANES) {
            largest = max(largest, x[start + column]);
        }
        maximums[lane] = largest;
    }
    workgroupBarrier();
    var largest = maximums[0];
    for (var other = 1u; other < lanes; other += 1u) {
        largest = max(largest, maximums[other]);
    }
    if (lane < lanes) {
        var sum = 0.0;
        var has_none = false;
        for (var column = lane; column < params.cols; column += LANES) {
            let score = x[start + column];
            has_none = has_none || is_none(score);
            sum += exp(score - largest);
        }
        sums[lane] = select(sum, nan_from(sum), has_none);
    }
    workgroupBarrier();
    var total = 0.0;
    for (var other = 0u; other < lanes; other += 1u) {
        total += sums[other];
    }
    let is_sound = is_finite(total);
    for (var column = lane; column < params.cols; column += LANES) {
        let share = exp(x[start + column] - largest) / total;
        output[start + column] = select(nan_from(total), share, is_sound);
    }
}
