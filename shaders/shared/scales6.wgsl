//!include shared/half.wgsl
// The first 16 bytes of a Q4_K or Q5_K superblock: d and dmin (f16 each), then eight 6-bit scales s and minimums m.
//
// Groups 0..4: scale in the low six bits of byte g, minimum in those of byte g + 4. Groups 4..8: the low four bits in
// byte g + 4 (scale low nibble, minimum high nibble), the top two of the scale on top of byte g - 4, those of the
// minimum on top of byte g.

// d s and dmin m of group g.
fn scale_minimum(header: vec4<u32>, group: u32) -> vec2<f32> {
    let shift = (group & 3u) * 8u;
    let scales = header.y >> shift;
    let minimums = header.z >> shift;
    let low = header.w >> shift;
    let first = vec2<u32>(scales & 63u, minimums & 63u);
    let second = vec2<u32>(
        (low & 15u) | (((scales >> 6u) & 3u) << 4u),
        ((low >> 4u) & 15u) | (((minimums >> 6u) & 3u) << 4u),
    );
    let d_dmin = vec2<f32>(f32_from_half(header.x & 0xffffu), f32_from_half(header.x >> 16u));
    return d_dmin * vec2<f32>(select(second, first, group < 4u));
}
