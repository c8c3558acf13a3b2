//!include shared/grid.wgsl
// (a, b) -> (a cos - b sin, a sin + b cos) for the pairs of each head; one invocation an element.

struct Params {
    elements: u32,
    // Elements of a token's row.
    cols: u32,
    head_dim: u32,
    // Pairs of a head that turn; the elements after them are copied.
    pairs: u32,
    // 1 pairs 2i with 2i + 1, 0 pairs i with i + pairs.
    neighbours: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
// Cosine and sine of each pair, a row a position.
@group(0) @binding(1) var<storage, read> table: array<vec2<f32>>;
// Token, position, sequence and slot of each row.
@group(0) @binding(2) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let element = unfold(workgroup, workgroups) * 64u + local;
    if (element >= params.elements) {
        return;
    }
    let within = (element % params.cols) % params.head_dim;
    if (within >= 2u * params.pairs) {
        output[element] = x[element];
        return;
    }
    let neighbours = params.neighbours != 0u;
    let pair = select(within % params.pairs, within >> 1u, neighbours);
    let second = select(within >= params.pairs, (within & 1u) == 1u, neighbours);
    let apart = select(params.pairs, 1u, neighbours);
    let a_at = select(element, element - apart, second);
    let a = x[a_at];
    let b = x[a_at + apart];
    let turn = table[rows[element / params.cols].y * params.pairs + pair];
    output[element] = select(a * turn.x - b * turn.y, a * turn.y + b * turn.x, second);
}
