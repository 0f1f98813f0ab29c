//! What the journal costs a call, and how many rows it takes.

use std::sync::Arc;
use std::time::Instant;

use gathering_core::{CallFilter, Caller, Journal, PluginSource};
use gathering_host::{CallOptions, Dependencies, Host};
use gathering_store::{CallJournal, JournalSettings};

use crate::call::{arguments, native_host};
use crate::many::ManyRuntime;
use crate::table::{Row, median};
use crate::{Failure, check};

/// How many calls are timed together, and how often.
const CALLS: usize = 1000;
const BATCHES: usize = 100;
/// How many rows are kept at once by how many threads.
const ROWS: usize = 100_000;
const THREADS: usize = 2;

/// A call with a row over one without, in turn; and rows kept and drained by two threads that do nothing else.
pub(crate) async fn rows() -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir()?;
    let settings = JournalSettings { keep_rows: 10_000_000, ..JournalSettings::default() };
    let journal = Arc::new(CallJournal::open(&folder.path().join("journal"), settings)?);
    let kept = Host::builder().runtime(Arc::new(ManyRuntime)).journal(journal.clone()).build();
    kept.add(PluginSource::Builtin("one".parse()?)).await?;
    kept.load("one", None, Dependencies::MustBeLoaded).await?;
    kept.enable("one").await?;
    let bare = native_host().await?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        without.push(batch(&bare).await?);
        with.push(batch(&kept).await?);
        // Rows that wait are drained before the next batch, as they are between calls.
        journal.calls(&CallFilter { limit: 1, ..CallFilter::default() })?;
    }
    let (with, without) = (median(with), median(without));

    let started = Instant::now();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let host = kept.clone();
            tokio::spawn(async move {
                for number in 0..ROWS / THREADS {
                    let report = host
                        .execute(Caller::Operator, "add", arguments(number), CallOptions::default())
                        .await;
                    check(report.outcome.is_ok(), "`add` answers")?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for thread in threads {
        thread.await??;
    }
    // A query sees all that was kept before it.
    let newest = journal.calls(&CallFilter { limit: 1, ..CallFilter::default() })?;
    let rate = ROWS as f64 / started.elapsed().as_secs_f64();
    check(newest.last == Some((BATCHES * CALLS + ROWS) as i64), "every call has its row")?;
    Ok(vec![
        Row::at_most("journal: what its row costs a native call, median", 5.0, with - without, "us"),
        Row::beside("  the call with its row", with, "us"),
        Row::beside("  the call without", without, "us"),
        Row::at_least("journal: calls a second with rows that are drained", 50_000.0, rate, "rows/s"),
    ])
}

async fn batch(host: &Host) -> Result<f64, Failure> {
    let prepared: Vec<_> = (0..CALLS).map(arguments).collect();
    let started = Instant::now();
    for arguments in prepared {
        let report = host.execute(Caller::Operator, "add", arguments, CallOptions::default()).await;
        check(report.outcome.is_ok(), "`add` answers")?;
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / CALLS as f64)
}
