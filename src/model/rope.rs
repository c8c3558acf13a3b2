//! The tables of cosines and sines that RoPE reads, computed in f64: angles of thousands of radians need it.

/// `[context, dims]` with cos and sin alternating: pair `i` at position `p` turns by
/// `p / linear · base^(-2i / dims) / factors[i]`. `factors` is Llama 3's scaling of each frequency, 1 where there is none.
///
/// ```
/// let table = rushlight::model::rope::table(2, 4, 10_000.0, 1.0, None);
/// assert_eq!(table[..4], [1.0, 0.0, 1.0, 0.0]);
/// assert!((table[4] - 1f32.cos()).abs() < 1e-6 && (table[7] - 0.01f32.sin()).abs() < 1e-6);
/// ```
pub fn table(context: usize, dims: usize, base: f32, linear: f32, factors: Option<&[f32]>) -> Vec<f32> {
    let frequencies: Vec<f64> = (0..dims / 2)
        .map(|i| {
            let factor = factors.and_then(|factors| factors.get(i)).map_or(1.0, |&factor| f64::from(factor));
            f64::from(base).powf(-2.0 * i as f64 / dims as f64) / factor / f64::from(linear)
        })
        .collect();
    let mut table = Vec::with_capacity(context * dims);
    for position in 0..context {
        for frequency in &frequencies {
            let angle = position as f64 * frequency;
            table.push(angle.cos() as f32);
            table.push(angle.sin() as f32);
        }
    }
    table
}
