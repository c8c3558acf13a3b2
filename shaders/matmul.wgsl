//!include shared/grid.wgsl
//!include shared/product.wgsl
//!include $WEIGHT
//!include $SCHEDULE
// out[t, n] = sum_k x[t, k] * w[n, k]. The part of the weight that is bound holds `rows` rows and gives the columns
// `row_start .. row_start + rows` of the output.

struct Params {
    tokens: u32,
    k: u32,
    rows: u32,
    row_start: u32,
    // Columns of the whole output.
    cols: u32,
    blocks: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> weight: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const NORMALISED = false;

fn scaled8(values: Eight, column: u32) -> Eight {
    return values;
}

fn row_factor(squares: f32) -> f32 {
    return 1.0;
}
