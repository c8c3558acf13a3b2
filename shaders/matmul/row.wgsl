// One weight row an invocation, up to four tokens (`workgroup.z` counts groups of four). No barrier: software adapters,
// for which a barrier costs more than the products, do best with this.

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = unfold(workgroup, workgroups) * 64u + local;
    if (row >= params.rows) {
        return;
    }
    let token = workgroup.z * 4u;
    var sums = vec4<f32>();
    var squares = vec4<f32>();
    for (var column = 0u; column < params.k; column += 8u) {
        sums += four_tokens(token, column, w8(row, column));
        if (NORMALISED) {
            squares += four_squares(token, column);
        }
    }
    if (NORMALISED) {
        sums *= vec4<f32>(row_factor(squares.x), row_factor(squares.y), row_factor(squares.z), row_factor(squares.w));
    }
    for (var t = 0u; t < min(4u, params.tokens - token); t += 1u) {
        output[(token + t) * params.cols + params.row_start + row] = sums[t];
    }
}
