//!include shared/finite.wgsl
// Attention of one query over a run of positions, softmax computed online: what kernels of attention share. They bind `queries`,
// `output` and `params` (with `quads` and `scale`), and say where a row of keys and values lies: `first_quad`, `key`, `value`.
//
// Positions are taken 128 at a time: each invocation scores one, then takes four columns of the values for a share of
// the positions. Two barriers a tile: `scores` is written again only after all have passed the barrier behind
// `weights`, and the other way round.

const LANES = 128u;
// Finite, so that no difference of two of them is NaN.
const LOWEST = -3.0e38;

var<workgroup> query: array<vec4<f32>, 64>;
var<workgroup> scores: array<f32, LANES>;
var<workgroup> weights: array<f32, LANES>;
var<workgroup> sums: array<vec4<f32>, LANES>;
var<workgroup> totals: array<f32, LANES>;

// A score that is no number makes the total NaN, and with it all that is divided by it.
//
// `place` is the query and its output, `base` what `first_quad` wants to know of the head, `seen` the first position and the end;
// all three are the same for the whole workgroup, which has LANES invocations.
fn attend(place: u32, base: u32, seen: vec2<u32>, local: u32) {
    let quads = params.quads;
    if (local < quads) {
        query[local] = queries[place * quads + local];
    }
    workgroupBarrier();

    // This invocation's four columns, and its share of the positions of a tile.
    let quad = local % quads;
    let share = local / quads;
    let shares = LANES / quads;
    var largest = LOWEST;
    var sum = vec4<f32>();
    var total = 0.0;
    for (var tile = seen.x; tile < seen.y; tile += LANES) {
        let position = tile + local;
        var score = LOWEST;
        if (position < seen.y) {
            let start = first_quad(base, position);
            var products = vec4<f32>();
            for (var i = 0u; i < quads; i += 1u) {
                products += query[i] * key(start + i);
            }
            score = (products.x + products.y + products.z + products.w) * params.scale;
        }
        scores[local] = score;
        workgroupBarrier();
        let count = min(LANES, seen.y - tile);
        let before = largest;
        for (var i = 0u; i < count; i += 1u) {
            largest = max(largest, scores[i]);
        }
        // Never far below zero: some drivers make NaN of exp(-3e38).
        let weight = select(0.0, exp(max(score - largest, -87.0)), position < seen.y);
        weights[local] = select(nan_from(score), weight, is_finite(score));
        workgroupBarrier();
        let factor = exp(max(before - largest, -87.0));
        sum *= factor;
        total *= factor;
        if (share < shares) {
            for (var i = share; i < count; i += shares) {
                sum += weights[i] * value(first_quad(base, tile + i) + quad);
                total += weights[i];
            }
        }
    }
    sums[local] = sum;
    totals[local] = total;
    workgroupBarrier();
    if (local < quads) {
        for (var other = 1u; other < shares; other += 1u) {
            sum += sums[other * quads + local];
            total += totals[other * quads + local];
        }
        output[place * quads + local] = sum / total;
    }
}
