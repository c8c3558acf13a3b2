//! How fast a model will write here, from a tenth of a second of work: a product with a weight of the model's main type, and
//! steps that have next to nothing to do.
//!
//! Writing a token reads every weight once and takes so many steps; both are known from the plan.

use super::{AnyExecutor, Host, SessionError};
use crate::kernel::Primitive;
use crate::kernel::add::Add;
use crate::kernel::argmax::Argmax;
use crate::kernel::matmul::MatMul;
use crate::plan::executor::{PlanId, Submit};
use crate::plan::{Dim, Executor, Extent, Plan, Storage, ValueId};
use crate::tensor::{DType, Shape, TensorDesc};

/// Bytes of the weight: more than most caches hold, so that it comes from memory, as a model's do.
const WEIGHT_BYTES: usize = 32 << 20;
/// Milliseconds for each of the two measurements.
const BUDGET_MS: f64 = 50.0;
/// Runs of each at most: browsers' clocks may stand still for a short one.
const MOST_RUNS: usize = 1000;
/// Steps of the second one.
const STEPS: usize = 64;
/// Names of the values.
const WEIGHT: &str = "probe.weight";
const INPUT: &str = "probe.input";

/// Tokens per second of a decoding plan, computed on an executor without plans; it is cleared. `None` where there is nothing to
/// measure with.
pub(super) async fn tokens_per_second(
    executor: &mut AnyExecutor,
    host: &Host,
    decode: &Plan,
) -> Result<Option<f64>, SessionError> {
    let weights = products(decode);
    let bytes: f64 = weights.iter().map(|desc| desc.bytes().unwrap_or(0) as f64).sum();
    let Some(sample) = sample(&weights) else { return Ok(None) };
    let measured = measure(executor, host, &sample).await;
    executor.clear();
    let (product_ms, steps_ms) = measured?;
    let per_byte = product_ms / sample.bytes().unwrap_or(1) as f64;
    let ms = per_byte * bytes + steps_ms / STEPS as f64 * decode.steps.len() as f64;
    Ok((ms > 0.0).then_some(1e3 / ms))
}

/// The weights that a token is multiplied with. (Of an embedding table it reads one row.)
fn products(plan: &Plan) -> Vec<TensorDesc> {
    let products = plan.steps.iter().filter(|step| matches!(step.op.primitive(), Some(Primitive::MatMul(_))));
    let weights = products.filter_map(|step| step.reads.get(1)).map(|&id| plan.value(id));
    weights
        .filter_map(|value| {
            let [Dim::Fixed(rows)] = *value.dims.outer() else { return None };
            let shape = Shape::new(vec![rows, value.cols()]);
            Some(TensorDesc { name: WEIGHT.to_owned(), dtype: value.dtype, shape })
        })
        .collect()
}

/// A weight as wide as the largest of the type of most bytes, with as many rows as make [`WEIGHT_BYTES`].
fn sample(weights: &[TensorDesc]) -> Option<TensorDesc> {
    let bytes = |dtype: DType| -> u64 {
        let of_type = weights.iter().filter(|desc| desc.dtype == dtype).filter_map(TensorDesc::bytes);
        of_type.map(|bytes| bytes as u64).sum()
    };
    let largest = weights.iter().max_by_key(|desc| (bytes(desc.dtype), desc.bytes()))?;
    let cols = largest.shape.cols();
    let row = TensorDesc { shape: Shape::new(vec![1, cols]), ..largest.clone() }.bytes()?;
    let most = usize::try_from(bytes(largest.dtype)).unwrap_or(usize::MAX);
    let rows = (WEIGHT_BYTES.min(most) / row.max(1)).max(8);
    Some(TensorDesc { shape: Shape::new(vec![rows, cols]), ..largest.clone() })
}

/// Milliseconds of one product, and of [`STEPS`] small steps.
async fn measure(
    executor: &mut AnyExecutor,
    host: &Host,
    sample: &TensorDesc,
) -> Result<(f64, f64), SessionError> {
    executor.clear();
    let weight = executor.add_weight(sample)?;
    let (total, zeros) = (sample.bytes().unwrap_or(0), vec![0; 1 << 20]);
    let mut written = 0;
    while written < total {
        let count = zeros.len().min(total - written);
        executor.write_weight(weight, written, &zeros[..count]).await?;
        written += count;
    }
    executor.finish_weights().await?;

    let (rows, cols) = (sample.shape.rows(), sample.shape.cols());
    let mut product = Plan::new();
    let x = product.add(Storage::Input, INPUT, DType::F32, (Dim::Tokens, cols));
    let w = product.add(Storage::Weight, WEIGHT, sample.dtype, (Dim::Fixed(rows), cols));
    let y = product.step(MatMul, &[x, w], "y", (Dim::Tokens, rows));
    let token = product.add(Storage::Output, "token", DType::U32, (Dim::Tokens, 1));
    product.step_into(Argmax, &[y], token);
    let product = (executor.prepare(&product, Extent::tokens(1))?, token);

    let mut steps = Plan::new();
    let x = steps.add(Storage::Input, INPUT, DType::F32, (Dim::Tokens, cols));
    let mut last = x;
    for _ in 1..STEPS {
        last = steps.step(Add, &[last, x], "y", (Dim::Tokens, cols));
    }
    let sum = steps.add(Storage::Output, "sum", DType::F32, (Dim::Tokens, cols));
    steps.step_into(Add, &[last, x], sum);
    let steps = (executor.prepare(&steps, Extent::tokens(1))?, sum);

    Ok((time(executor, host, product).await?, time(executor, host, steps).await?))
}

/// The shortest of the runs that fit the budget, after one that is not timed: pipelines compile, pages are touched. What else the
/// machine does makes a run longer, and nothing makes it shorter.
async fn time(
    executor: &mut AnyExecutor,
    host: &Host,
    (plan, output): (PlanId, ValueId),
) -> Result<f64, SessionError> {
    let (mut shortest, mut spent) = (f64::INFINITY, 0.0);
    let mut run = 0;
    loop {
        let before = host.now();
        let submit = Submit { plan, extent: Extent::tokens(1), inputs: &[], outputs: &[output] };
        // Until its outcome has been taken, a GPU may not have begun.
        let ticket = executor.submit(submit)?;
        executor.take(ticket).await?;
        let ms = host.now() - before;
        if run > 0 {
            shortest = ms.min(shortest);
            spent += ms;
        }
        if spent >= BUDGET_MS || run >= MOST_RUNS {
            return Ok(shortest);
        }
        run += 1;
        (host.breathe)().await;
    }
}
