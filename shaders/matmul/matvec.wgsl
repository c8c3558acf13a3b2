// Few tokens: 32 lanes share a weight row, each taking every 32nd eight of columns; a workgroup has four rows and up to
// four tokens (`workgroup.z` counts groups of four).

const ROWS = 4u;
const LANES = 32u;

var<workgroup> partials: array<vec4<f32>, 128>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first_row = unfold(workgroup, workgroups) * ROWS;
    let token = workgroup.z * 4u;
    // Lanes without a row of their own repeat the last one: every lane must reach the barrier.
    let row = min(first_row + local / LANES, params.rows - 1u);
    var sums = vec4<f32>();
    var squares = vec4<f32>();
    for (var column = (local % LANES) * 8u; column < params.k; column += LANES * 8u) {
        sums += four_tokens(token, column, w8(row, column));
        if (NORMALISED) {
            squares += four_squares(token, column);
        }
    }
    partials[local] = sums;
    workgroupBarrier();
    var total = vec4<f32>();
    if (local < ROWS) {
        for (var lane = 0u; lane < LANES; lane += 1u) {
            total += partials[local * LANES + lane];
        }
    }
    if (NORMALISED) {
        workgroupBarrier();
        partials[local] = squares;
        workgroupBarrier();
        // The lanes of one weight row have seen all columns.
        var all = vec4<f32>();
        for (var lane = 0u; lane < LANES; lane += 1u) {
            all += partials[lane];
        }
        total *= vec4<f32>(row_factor(all.x), row_factor(all.y), row_factor(all.z), row_factor(all.w));
    }
    if (local < ROWS && first_row + local < params.rows) {
        for (var t = 0u; t < min(4u, params.tokens - token); t += 1u) {
            output[(token + t) * params.cols + params.row_start + first_row + local] = total[t];
        }
    }
}
