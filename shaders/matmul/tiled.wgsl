// Many tokens: a workgroup gives 64 tokens x 64 weight rows of the output, an invocation 4 x 4 of them. 32 columns at a
// time of both operands lie in workgroup memory, the weights unpacked once.
//
// A tile row is 8 vec4, and the vec4 of columns 4c .. 4c + 4 lies at c ^ (row & 7): invocations that read the same
// columns of 8 neighbouring rows then touch all 32 banks.

const TILE = 64u;
const DEPTH = 32u;

var<workgroup> x_tile: array<vec4<f32>, 512>;
var<workgroup> w_tile: array<vec4<f32>, 512>;

fn tile_at(row: u32, quad: u32) -> u32 {
    return row * 8u + (quad ^ (row & 7u));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first_row = unfold(workgroup, workgroups) * TILE;
    let first_token = workgroup.z * TILE;
    // To load: a row of a tile and one of its four eights. Past the end, the last row again; it is not written.
    let load_row = local >> 2u;
    let load_quad = (local & 3u) * 2u;
    let token = min(first_token + load_row, params.tokens - 1u);
    let row = min(first_row + load_row, params.rows - 1u);
    // To compute: tokens ty + 16 i, weight rows tx + 16 j.
    let tx = local & 15u;
    let ty = local >> 4u;
    var sums = array<vec4<f32>, 4>();
    // Of the columns that this invocation loads.
    var squares = 0.0;
    for (var start = 0u; start < params.k; start += DEPTH) {
        let column = start + load_quad * 4u;
        var a = Eight();
        var b = Eight();
        if (column < params.k) {
            let raw = raw8(token, column);
            a = scaled8(raw, column);
            if (NORMALISED) {
                squares += dot8(raw, raw);
            }
            b = w8(row, column);
        }
        x_tile[tile_at(load_row, load_quad)] = a.lo;
        x_tile[tile_at(load_row, load_quad + 1u)] = a.hi;
        w_tile[tile_at(load_row, load_quad)] = b.lo;
        w_tile[tile_at(load_row, load_quad + 1u)] = b.hi;
        workgroupBarrier();
        for (var quad = 0u; quad < 8u; quad += 1u) {
            let w0 = w_tile[tile_at(tx, quad)];
            let w1 = w_tile[tile_at(tx + 16u, quad)];
            let w2 = w_tile[tile_at(tx + 32u, quad)];
            let w3 = w_tile[tile_at(tx + 48u, quad)];
            for (var i = 0u; i < 4u; i += 1u) {
                let v = x_tile[tile_at(ty + 16u * i, quad)];
                sums[i] += vec4<f32>(dot(v, w0), dot(v, w1), dot(v, w2), dot(v, w3));
            }
        }
        workgroupBarrier();
    }
    if (NORMALISED) {
        // Four invocations load a row: their sums lie side by side.
        x_tile[local].x = squares;
        workgroupBarrier();
        for (var i = 0u; i < 4u; i += 1u) {
            let first = (ty + 16u * i) * 4u;
            let all = x_tile[first].x + x_tile[first + 1u].x + x_tile[first + 2u].x + x_tile[first + 3u].x;
            sums[i] *= row_factor(all);
        }
    }
    for (var i = 0u; i < 4u; i += 1u) {
        for (var j = 0u; j < 4u; j += 1u) {
            let out_token = first_token + ty + 16u * i;
            let out_row = first_row + tx + 16u * j;
            if (out_token < params.tokens && out_row < params.rows) {
                output[out_token * params.cols + params.row_start + out_row] = sums[i][j];
            }
        }
    }
}
