//! Waiting for Rust: the interpreter goes on meanwhile, and Ctrl-C ends it.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

/// How often a wait looks whether Python was sent a signal.
const SIGNALS: Duration = Duration::from_millis(50);

/// Waits for `future` without holding the interpreter. A signal handler that raises ends the wait and drops the future,
/// which stops the work.
pub(crate) fn wait<T: Send>(py: Python<'_>, future: impl Future<Output = T> + Send) -> PyResult<T> {
    let runtime = runtime()?;
    let mut future = pin!(future);
    loop {
        let done =
            py.detach(|| runtime.block_on(async { tokio::time::timeout(SIGNALS, future.as_mut()).await }));
        match done {
            Ok(made) => return Ok(made),
            Err(_elapsed) => py.check_signals()?,
        }
    }
}

/// The threads that drive hosts, made by the first who waits: importing the package starts none. A forked child has none
/// of its parent's threads, so it makes its own.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);
    let mut held = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let this = process::id();
    if let Some((process, runtime)) = *held
        && process == this
    {
        return Ok(runtime);
    }
    let made = Builder::new_multi_thread().worker_threads(2).thread_name("gathering").enable_all().build()?;
    let runtime: &'static Runtime = Box::leak(Box::new(made));
    *held = Some((this, runtime));
    Ok(runtime)
}
