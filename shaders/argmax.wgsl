//!include shared/finite.wgsl
//!include shared/grid.wgsl
// out[r] = the lowest index of the largest element of row r, NOT_FINITE if one of them is no number. One workgroup a row.

struct Params {
    rows: u32,
    cols: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

const LANES = 128u;
const NOT_FINITE = 0xffffffffu;

var<workgroup> largest: array<f32, LANES>;
var<workgroup> index_of: array<u32, LANES>;

@compute @workgroup_size(128)
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
    // A lane's columns rise, so that a strict comparison keeps the lowest of equals.
    if (lane < params.cols) {
        var best = x[start + lane];
        var at = lane;
        var finite = is_finite(best);
        for (var column = lane + LANES; column < params.cols; column += LANES) {
            let value = x[start + column];
            finite = finite && is_finite(value);
            if (value > best) {
                best = value;
                at = column;
            }
        }
        largest[lane] = best;
        index_of[lane] = select(NOT_FINITE, at, finite);
    }
    workgroupBarrier();
    if (lane == 0u) {
        var best = largest[0];
        var at = index_of[0];
        var finite = at != NOT_FINITE;
        for (var other = 1u; other < min(LANES, params.cols); other += 1u) {
            let value = largest[other];
            let index = index_of[other];
            finite = finite && index != NOT_FINITE;
            if (value > best || (value == best && index < at)) {
                best = value;
                at = index;
            }
        }
        output[row] = select(NOT_FINITE, at, finite);
    }
}
