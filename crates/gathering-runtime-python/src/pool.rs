//! The workers of one plugin: leased for a call, put back after it, replaced when they are lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use gathering_core::{CallContext, CallId, LoadError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::frame::Refusal;
use crate::starter::Starter;
use crate::worker::{ReturningCall, Worker};

/// The workers of one plugin, each started when it is first needed.
pub(crate) struct Pool {
    starter: Starter,
    size: usize,
    /// One permit a worker, so that whoever holds one finds a place in `idle`.
    permits: Arc<Semaphore>,
    /// The workers that nobody has leased. There may be fewer than permits: the others are not started.
    idle: Mutex<Vec<Idle>>,
    /// Which root calls are being served, and how a call that comes back reaches the worker.
    serving: Mutex<HashMap<CallId, mpsc::UnboundedSender<ReturningCall>>>,
    enabled: AtomicBool,
    closed: AtomicBool,
}

impl Pool {
    /// A pool of `size` workers, of which one runs already. Those that have had no work for `rest` are stopped.
    pub(crate) fn new(starter: Starter, size: usize, first: Worker, rest: Option<Duration>) -> Arc<Self> {
        let pool = Arc::new(Self {
            starter,
            size,
            permits: Arc::new(Semaphore::new(size)),
            idle: Mutex::new(vec![Idle::now(first)]),
            serving: Mutex::default(),
            enabled: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        if let Some(rest) = rest {
            tokio::spawn(send_to_rest(Arc::downgrade(&pool), rest));
        }
        pool
    }

    /// Adds to a refusal what would allow the plugin's code what it was denied.
    pub(crate) fn explain(&self, refusal: Refusal) -> Refusal {
        self.starter.explain(refusal)
    }

    /// How many workers there may be.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Waits for a worker; starts one if none is idle.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<Lease, LoadError> {
        let permit = self.permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        self.fill(permit).await
    }

    /// A worker if one is idle at this moment; none is started. It counts as idle all the same.
    pub(crate) fn try_lease(self: &Arc<Self>) -> Option<Lease> {
        let permit = self.permits.clone().try_acquire_owned().ok()?;
        let Idle { worker, since } = self.take_idle()?;
        let mut lease = Lease::new(self, worker, permit);
        lease.idle_since = Some(since);
        Some(lease)
    }

    async fn fill(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Result<Lease, LoadError> {
        let worker = match self.take_idle() {
            Some(idle) => idle.worker,
            None => self.starter.replace(self.enabled.load(Ordering::Acquire)).await?,
        };
        Ok(Lease::new(self, worker, permit))
    }

    /// An idle worker that is alive; those that died while they were idle are dropped.
    fn take_idle(&self) -> Option<Idle> {
        let mut idle = lock(&self.idle);
        while let Some(next) = idle.pop() {
            match next.worker.process.ended() {
                None => return Some(next),
                Some(ended) => {
                    tracing::warn!(plugin = %self.starter.label, "an idle worker had ended ({ended})")
                }
            }
        }
        None
    }

    /// Whether no worker runs because there has been nothing to do.
    pub(crate) fn rests(&self) -> bool {
        self.permits.available_permits() == self.size && lock(&self.idle).is_empty()
    }

    /// Notes that a root call is served by the worker behind `returning`, until the guard is dropped.
    pub(crate) fn serve(&self, call: CallId, returning: mpsc::UnboundedSender<ReturningCall>) -> Serving<'_> {
        lock(&self.serving).insert(call, returning);
        Serving { pool: self, call }
    }

    /// How the call `cx` reaches the worker that it came from, and the worker's own number for what asked for it;
    /// `None` for a root call.
    pub(crate) fn returning(&self, cx: &CallContext) -> Option<(mpsc::UnboundedSender<ReturningCall>, u64)> {
        let of_this_plugin =
            |outer: &&CallContext| outer.instance() == cx.instance() && outer.plugin() == cx.plugin();
        let origin = cx.chain().skip(1).find(of_this_plugin)?;
        let serving = lock(&self.serving);
        let sender =
            cx.chain().skip(1).filter(of_this_plugin).find_map(|outer| serving.get(&outer.call_id()))?;
        Some((sender.clone(), origin.branch()))
    }

    /// Whether workers that are started from now on are enabled after they are loaded.
    pub(crate) fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Release);
    }

    /// All workers that run, once none of them has work any more. No other is started before they are given back.
    pub(crate) async fn lease_all(self: &Arc<Self>) -> AllLeases {
        let all = u32::try_from(self.size).expect("a plugin has few workers");
        let mut others =
            self.permits.clone().acquire_many_owned(all).await.expect("the semaphore is never closed");
        let mut leases = Vec::new();
        while let Some(Idle { worker, .. }) = self.take_idle() {
            let permit = others.split(1).expect("there is a permit for each worker");
            leases.push(Lease::new(self, worker, permit));
        }
        AllLeases { leases, _others: others }
    }

    /// From now on no worker is replaced; those that are idle end.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        lock(&self.idle).clear();
    }

    /// Puts another worker in the place of one that was lost, in the background, so that the next call need not wait
    /// for all of it. If it cannot be started, the next call tries again and says why.
    fn replace(self: &Arc<Self>, permit: OwnedSemaphorePermit) {
        // Without a runtime the program is ending, and nobody will call.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let pool = Arc::downgrade(self);
        runtime.spawn(async move {
            let Some(pool) = pool.upgrade() else { return };
            match pool.starter.replace(pool.enabled.load(Ordering::Acquire)).await {
                Ok(worker) if !pool.closed.load(Ordering::Acquire) => {
                    lock(&pool.idle).push(Idle::now(worker));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(plugin = %pool.starter.label, "a worker could not be replaced: {error}");
                }
            }
            drop(permit);
        });
    }
}

/// A worker that nobody has leased.
struct Idle {
    worker: Worker,
    since: Instant,
}

impl Idle {
    fn now(worker: Worker) -> Self {
        Self { worker, since: Instant::now() }
    }
}

/// Stops the workers of a pool that have had no work for `rest`, until the pool is gone. Looks once in that time, so a
/// worker is stopped after twice that at the latest.
async fn send_to_rest(pool: Weak<Pool>, rest: Duration) {
    loop {
        tokio::time::sleep(rest).await;
        let Some(pool) = pool.upgrade() else { return };
        // The longest idle are the first: the last one that was put back is taken first.
        lock(&pool.idle).retain(|idle| idle.since.elapsed() < rest);
    }
}

/// Every worker of a plugin.
pub(crate) struct AllLeases {
    pub(crate) leases: Vec<Lease>,
    /// The permits of the workers that are not started.
    _others: OwnedSemaphorePermit,
}

/// A worker for the time of one request. Dropped before it is whole again, the worker is killed and replaced.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    worker: Option<Worker>,
    permit: Option<OwnedSemaphorePermit>,
    intact: bool,
    /// Since when it has had no work, if this is none.
    idle_since: Option<Instant>,
}

impl Lease {
    fn new(pool: &Arc<Pool>, worker: Worker, permit: OwnedSemaphorePermit) -> Self {
        let (pool, worker, permit) = (pool.clone(), Some(worker), Some(permit));
        Self { pool, worker, permit, intact: true, idle_since: None }
    }

    /// The worker, for a request. Until [`Lease::keep`] says that the request came to its end, the worker counts as
    /// lost.
    pub(crate) fn worker(&mut self) -> &mut Worker {
        self.intact = false;
        self.worker.as_mut().expect("it is taken out only at the end of the lease")
    }

    /// The worker answered and can be used again.
    pub(crate) fn keep(&mut self) {
        self.intact = true;
    }

    /// Ends the worker and waits until nothing of it is left; it is not replaced.
    pub(crate) async fn end(mut self) {
        if let Some(worker) = self.worker.take() {
            worker.process.kill().await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(worker) = self.worker.take() else { return };
        let permit = self.permit.take();
        let closed = self.pool.closed.load(Ordering::Acquire);
        if self.intact && !closed {
            let since = self.idle_since.unwrap_or_else(Instant::now);
            lock(&self.pool.idle).push(Idle { worker, since });
        } else if let Some(permit) = permit
            && !closed
        {
            drop(worker);
            self.pool.replace(permit);
        }
    }
}

/// A root call that is being served.
pub(crate) struct Serving<'a> {
    pool: &'a Pool,
    call: CallId,
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        lock(&self.pool.serving).remove(&self.call);
    }
}

/// What these locks guard is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
