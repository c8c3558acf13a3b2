// What schedules of products share. Who includes it binds `x`, `weight`, `output` and `params` (tokens, k, rows, row_start, cols), and
// says how `x` is scaled: `scaled8`, and where NORMALISED, `row_factor` of the sum of a row's squares.

// Whether each row holds whole eights. Known when compiled for quantised weights, whose shaders so get no code for the
// other case.
fn whole_eights() -> bool {
    return BLOCK > 1u || (params.k & 7u) == 0u;
}

// x[token, column .. column + 8], zero past the end of the row.
fn raw8(token: u32, column: u32) -> Eight {
    let first = token * params.k + column;
    if (whole_eights()) {
        return Eight(x[first >> 2u], x[(first >> 2u) + 1u]);
    }
    return Eight(x4(first, column), x4(first + 4u, column + 4u));
}

fn x4(first: u32, column: u32) -> vec4<f32> {
    let at = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
    let values = vec4<f32>(
        x[at.x >> 2u][at.x & 3u],
        x[at.y >> 2u][at.y & 3u],
        x[at.z >> 2u][at.z & 3u],
        x[at.w >> 2u][at.w & 3u],
    );
    return within_row(values, column);
}

// w[row, column .. column + 8], zero past the end of the row.
fn w8(row: u32, column: u32) -> Eight {
    let values = weight8(row * params.k + column);
    if (whole_eights()) {
        return values;
    }
    return Eight(within_row(values.lo, column), within_row(values.hi, column + 4u));
}

fn within_row(values: vec4<f32>, column: u32) -> vec4<f32> {
    let columns = vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u);
    return select(vec4<f32>(), values, columns < vec4<u32>(params.k));
}

// x as it is multiplied.
fn x8(token: u32, column: u32) -> Eight {
    return scaled8(raw8(token, column), column);
}

fn dot8(a: Eight, b: Eight) -> f32 {
    return dot(a.lo, b.lo) + dot(a.hi, b.hi);
}

// Eight columns' share of the products of one weight row with the tokens `token .. token + 4`.
fn four_tokens(token: u32, column: u32, w: Eight) -> vec4<f32> {
    var products = vec4<f32>(dot8(x8(token, column), w), 0.0, 0.0, 0.0);
    let left = params.tokens - token;
    if (left > 1u) {
        products.y = dot8(x8(token + 1u, column), w);
    }
    if (left > 2u) {
        products.z = dot8(x8(token + 2u, column), w);
    }
    if (left > 3u) {
        products.w = dot8(x8(token + 3u, column), w);
    }
    return products;
}

// Eight columns' share of the squares of the tokens `token .. token + 4`.
fn four_squares(token: u32, column: u32) -> vec4<f32> {
    var squares = vec4<f32>();
    for (var t = 0u; t < min(4u, params.tokens - token); t += 1u) {
        let values = raw8(token + t, column);
        squares[t] = dot8(values, values);
    }
    return squares;
}
