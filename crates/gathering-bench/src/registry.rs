//! What the registries cost with 100,000 tools in them: reading, loading, unloading, memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gathering_core::PluginSource;
use gathering_host::{Dependencies, Host, Index};

use crate::many::{ManyRuntime, TOOLS};
use crate::table::{Row, median};
use crate::{Failure, check};

/// How many tools there are.
const ALL: usize = 100_000;

/// Reading and changing registries of 100,000 tools.
pub(crate) async fn rows() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let mut costs = Vec::new();
    for tools in [ALL / 4, ALL / 2, ALL] {
        let (cost, host) = load_and_unload(tools).await?;
        costs.push(cost);
        if tools == ALL {
            rows.extend(reads(&host).await?);
            rows.push(unload_one(&host).await?);
            rows.push(reads_during_a_load(&host).await?);
        }
    }
    let [quarter, _, whole] = costs[..] else { return Err("three sizes were measured".into()) };
    rows.push(Row::at_most(
        "load + unload of 100,000 tools: time a tool against that with 25,000 (1 is linear)",
        1.5,
        whole / quarter,
        "x",
    ));
    rows.push(Row::beside("  load + unload of one tool among 100,000", whole, "us"));
    Ok(rows)
}

/// Microseconds a tool for loading and unloading `tools`, and a host that holds them again.
async fn load_and_unload(tools: usize) -> Result<(f64, Host), Failure> {
    let host = Host::builder().runtime(Arc::new(ManyRuntime)).build();
    let ids: Vec<_> = (0..tools / TOOLS).map(|n| format!("many{n}")).collect();
    for id in &ids {
        host.add(PluginSource::Builtin(id.parse()?)).await?;
    }
    let started = Instant::now();
    for id in &ids {
        host.load(id, None, Dependencies::MustBeLoaded).await?;
    }
    check(host.snapshot().tools().len() == tools, "every tool is registered")?;
    for id in &ids {
        host.unload(id, false).await?;
    }
    let cost = started.elapsed().as_secs_f64() * 1e6 / tools as f64;
    check(host.snapshot().tools().is_empty(), "no tool is left")?;
    for id in &ids {
        host.load(id, None, Dependencies::MustBeLoaded).await?;
    }
    Ok((cost, host))
}

async fn reads(host: &Host) -> Result<Vec<Row>, Failure> {
    let expected = ALL / 5;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        // A change of the category, after which somebody is the first to read it.
        host.unload("many7", false).await?;
        host.load("many7", None, Dependencies::MustBeLoaded).await?;
        let started = Instant::now();
        let listed = host.snapshot().tools().list_by(Index::Category, "finance");
        first.push(started.elapsed().as_secs_f64() * 1e3);
        check(listed.len() == expected, "the category is whole")?;
        let started = Instant::now();
        for _ in 0..100 {
            check(
                host.snapshot().tools().list_by(Index::Category, "finance").len() == expected,
                "still whole",
            )?;
        }
        again.push(started.elapsed().as_secs_f64() * 1e6 / 100.0);
    }
    Ok(vec![
        Row::at_most("list by category, 20,000 of 100,000 tools, already built", 20.0, median(again), "us"),
        Row::at_most("  first reader after a change", 5.0, median(first), "ms"),
    ])
}

async fn unload_one(host: &Host) -> Result<Row, Failure> {
    let mut costs = Vec::new();
    for n in 0..40 {
        let id = format!("many{}", n * 37);
        let started = Instant::now();
        host.unload(&id, false).await?;
        costs.push(started.elapsed().as_secs_f64() * 1e3);
        host.load(&id, None, Dependencies::MustBeLoaded).await?;
    }
    Ok(Row::at_most("unload one plugin of 50 tools among 100,000", 3.0, median(costs), "ms"))
}

/// How long the reads take that a thread makes while plugins come and go. The very slowest are those in which the
/// machine had something else to do; the one in a thousand tells whether reads wait for the changes.
async fn reads_during_a_load(host: &Host) -> Result<Row, Failure> {
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (host, done) = (host.clone(), done.clone());
        std::thread::spawn(move || {
            let mut times = Vec::new();
            while !done.load(Ordering::Acquire) {
                let started = Instant::now();
                std::hint::black_box(host.snapshot().tools().get("many3_tool3").is_some());
                times.push(started.elapsed().as_secs_f64() * 1e6);
            }
            times
        })
    };
    for n in 0..40 {
        let id = format!("many{}", n * 31);
        host.unload(&id, false).await?;
        host.load(&id, None, Dependencies::MustBeLoaded).await?;
    }
    done.store(true, Ordering::Release);
    let mut times = reader.join().map_err(|_| "the reader panicked")?;
    check(times.len() > 1000, "there were enough reads")?;
    times.sort_by(f64::total_cmp);
    let slow = times[times.len() - times.len() / 1000 - 1];
    Ok(Row::beside("  look-up while plugins load and unload, the slowest of a thousand", slow, "us"))
}

/// Loads 100,000 tools and prints how many bytes of memory they took. Run in a process of its own.
pub(crate) async fn print_memory() -> Result<(), Failure> {
    let host = Host::builder().runtime(Arc::new(ManyRuntime)).build();
    let before = resident()?;
    for n in 0..ALL / TOOLS {
        let id = format!("many{n}");
        host.add(PluginSource::Builtin(id.parse()?)).await?;
        host.load(&id, None, Dependencies::MustBeLoaded).await?;
    }
    check(host.snapshot().tools().len() == ALL, "every tool is registered")?;
    crate::say(&(resident()? - before).to_string());
    Ok(())
}

/// The row of what [`print_memory`] prints in another process.
pub(crate) fn memory() -> Result<Row, Failure> {
    let output = std::process::Command::new(std::env::current_exe()?).arg("memory").output()?;
    check(output.status.success(), "the process that measures memory ends well")?;
    let bytes: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(Row::at_most("memory for 100,000 tools of two parameters", 120.0, bytes / 1e6, "MB"))
}

/// The resident memory of this process, in bytes.
fn resident() -> Result<u64, Failure> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split_whitespace().nth(1).ok_or("statm has no second field")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}
