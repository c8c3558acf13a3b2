//! What it costs to hand work to the pool's threads: a job of empty tasks, next to the same job on one thread.

use criterion::Criterion;
use rushlight::cpu::pool::Pool;

fn empty_jobs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool");
    let all = Pool::new(None);
    for (name, pool) in [("1-thread", &Pool::new(Some(1))), ("all-threads", &all)] {
        for tasks in [all.threads(), 64] {
            group.bench_function(format!("{tasks}-empty-tasks/{name}"), |bencher| {
                bencher.iter(|| {
                    pool.run(tasks, &|task| {
                        std::hint::black_box(task);
                    })
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    empty_jobs(&mut criterion);
    criterion.final_summary();
}
