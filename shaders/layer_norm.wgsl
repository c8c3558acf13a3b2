//!include shared/finite.wgsl
//!include shared/grid.wgsl
// out[r, c] = w[c] * (x[r, c] - mean) / sqrt(variance + eps) + b[c]. One workgroup a row; the variance is taken of the
// differences, in a second pass, since the mean of squares less the squared mean cancels.

struct Params {
    rows: u32,
    cols: u32,
    eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> shift: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const LANES = 64u;

var<workgroup> sums: array<f32, LANES>;
var<workgroup> squares: array<f32, LANES>;

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
    var sum = 0.0;
    for (var column = lane; column < params.cols; column += LANES) {
        sum += x[start + column];
    }
    sums[lane] = sum;
    workgroupBarrier();
    var total = 0.0;
    for (var other = 0u; other < lanes; other += 1u) {
        total += sums[other];
    }
    let mean = total / f32(params.cols);
    var square = 0.0;
    for (var column = lane; column < params.cols; column += LANES) {
        let difference = x[start + column] - mean;
        square += difference * difference;
    }
    squares[lane] = square;
    workgroupBarrier();
    total = 0.0;
    for (var other = 0u; other < lanes; other += 1u) {
        total += squares[other];
    }
    var factor = inverseSqrt(total / f32(params.cols) + params.eps);
    if (!is_finite(total)) {
        // Of an infinite total it would be 0, and zeros would come of numbers that are far too large.
        factor = nan_from(total);
    }
    for (var column = lane; column < params.cols; column += LANES) {
        output[start + column] = (x[start + column] - mean) * factor * scale[column] + shift[column];
    }
}
