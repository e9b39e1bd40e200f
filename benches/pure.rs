//! The decisions alone, without actors: fair queue, job runtime, aggregate, each at 10,000 shards.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Duration;

use bindery::RetryPolicy;
use bindery::content::from_markdown;
use bindery::internal::{
    FairQueue, Forms, JobEvent, JobRuntime, MarkdownWriter, PageResult, Route, ShardDone, ShardResult, Steps, page_view,
};
use bindery::processor::Step;
use bindery::task::{FindingSet, PageOutput, PageView, TaskId, TaskOptions, Usage};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const SHARDS: u32 = 10_000;

fn fair_queue(c: &mut Criterion) {
    let mut group = c.benchmark_group("fair_queue");
    group.throughput(Throughput::Elements(u64::from(SHARDS)));
    for tasks in [1, 100, 10_000] {
        group.bench_function(format!("push and pop, {tasks} tasks"), |b| {
            b.iter(|| {
                let mut queue = FairQueue::new();
                for item in 0..SHARDS {
                    let task = item % tasks;
                    queue.push(if task % 2 == 0 { "a" } else { "b" }, task, 0, item);
                }
                while let Some(item) = queue.pop() {
                    black_box(item);
                }
            });
        });
    }
    group.finish();
}

fn planned() -> JobRuntime {
    let (work_dir, output) = ("tasks/x".to_owned(), "tasks/x/result.md".to_owned());
    let steps = Steps::new(vec![Step::call("llm", "endpoint", 1.into())]).unwrap();
    let mut job = JobRuntime::new(
        TaskId::generate(),
        work_dir,
        output,
        Route { steps, shard_pages: None },
        None,
        RetryPolicy::default(),
        std::collections::BTreeMap::new(),
    );
    job.on(JobEvent::Planned { pages: (1..=SHARDS).collect(), known: Vec::new() });
    job
}

fn job_runtime(c: &mut Criterion) {
    let mut group = c.benchmark_group("job_runtime");
    group.throughput(Throughput::Elements(u64::from(SHARDS)));
    let page = || PageResult { usage: Usage::default(), findings: FindingSet::default(), view: None };
    let task = TaskId::generate();
    group.bench_function("started and done", |b| {
        b.iter_batched_ref(
            planned,
            |job| {
                for index in 0..SHARDS {
                    job.on(JobEvent::Started { index, attempt: 1 });
                    black_box(job.on(JobEvent::ShardDone(ShardDone {
                        job: task,
                        shard: index,
                        epoch: 1,
                        attempt: 1,
                        spent: Usage::default(),
                        result: ShardResult::Done(vec![(index + 1, Ok(page()))]),
                    })));
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn aggregate(c: &mut Criterion) {
    let mut group = c.benchmark_group("aggregate");
    group.throughput(Throughput::Elements(u64::from(SHARDS)));
    let output = PageOutput::new("text", from_markdown("A page of some length.\n\n".repeat(100)));
    let pages: Vec<PageView> = (1..=SHARDS).map(|page| page_view(page, output.clone(), Forms::default())).collect();
    let options = TaskOptions::default();
    group.bench_function("markdown", |b| {
        b.iter(|| {
            let mut writer = MarkdownWriter::new(std::io::sink(), &options);
            pages.iter().for_each(|page| writer.page(page).unwrap());
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = fair_queue, job_runtime, aggregate
}
criterion_main!(benches);
