//! Starts a worker in the sandbox, and holds its whole tree to its budget while it has work.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gathering_core::ReachedLimit;
use gathering_sandbox::{Budget, Child, Exit, Job, Newborn, Policy, SetupError, Stdio, Tier, spawn};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;

use super::{Attended, Ended, Pipes, Process, Redacted, Surroundings, signal_name};

/// How often the tree of a worker that has work is measured.
const LOOK: Duration = Duration::from_millis(200);

/// Why a worker does not run.
#[derive(Debug)]
pub(crate) enum NotStarted {
    /// Its confinement could not be set up.
    Setup(SetupError),
    /// Something else.
    Io(io::Error),
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Process {
    /// Starts a worker in `tier` under `policy`: a newborn, if there is one.
    pub(crate) async fn start_confined(
        around: Surroundings<'_>,
        launcher: &Path,
        tier: Tier,
        policy: Policy,
        newborn: Option<Newborn>,
    ) -> Result<(Self, Pipes), NotStarted> {
        std::fs::create_dir_all(around.home)?;
        let job = Job {
            program: around.interpreter.to_owned(),
            args: vec!["-I".into(), "-S".into(), around.program.into()],
            stdin: Stdio::Piped,
            stdout: Stdio::Piped,
            stderr: Stdio::Piped,
            channels: Vec::new(),
            newborn,
        };
        let budget = Budget::from(&policy.limits);
        let launcher = launcher.to_owned();
        // Waits some milliseconds for the launcher. Whoever gives up waiting drops the child, which ends it.
        let mut child = tokio::task::spawn_blocking(move || spawn(&launcher, tier, &policy, job))
            .await
            .map_err(io::Error::other)?
            .map_err(NotStarted::Setup)?;
        let to = child.stdin.take().expect("it is piped").into();
        let from = child.stdout.take().expect("it is piped").into();
        let prints = child.stderr.take().expect("it is piped").into();
        let mut proxies = JoinSet::new();
        if let (Some(proxy), Some(listener)) = (around.proxy, child.proxy.take()) {
            proxies.spawn(proxy.serve(listener));
        }
        let log = Redacted { log: around.log, secrets: around.secrets };
        Ok(Self::attended(to, from, prints, log, move |attended| async move {
            attend(Arc::new(child), budget, attended).await;
            // Its connections end with it.
            drop(proxies);
        })?)
    }
}

/// Waits for the child, kills it when told to or when it uses too much, and tells how it ended.
async fn attend(child: Arc<Child>, budget: Budget, attended: Attended) {
    let ended = match wait(&child, budget, &attended).await {
        Ok(exit) => Ended { how: describe(&exit), limit: limit(&exit) },
        Err(error) => Ended::new(format!("its end could not be learnt: {error}")),
    };
    attended.tell.send_replace(Some(ended));
}

async fn wait(child: &Arc<Child>, budget: Budget, attended: &Attended) -> io::Result<Exit> {
    use std::os::fd::AsFd;
    // Readable when nothing of the tree is left.
    let gone = child.as_fd().try_clone_to_owned()?;
    // SAFETY: the descriptor is owned by what waits on it, and so open for as long as that lives.
    let gone = unsafe { AsyncFd::register_with_interest(gone, Interest::READABLE) }?;
    let work = attended.work.clone();
    let (mut killed, mut watching) = (false, false);
    loop {
        tokio::select! {
            ready = gone.readable() => {
                ready?.retain_ready();
                break;
            }
            () = attended.kill.notified(), if !killed => {
                killed = true;
                child.end(gathering_sandbox::Ended::Killed)?;
            }
            () = work.begun.notified(), if !watching && !killed => {
                watching = true;
                work.watched.store(true, Ordering::SeqCst);
            }
            () = tokio::time::sleep(LOOK), if watching && !killed => {
                let child = child.clone();
                tokio::task::spawn_blocking(move || child.hold_to(&budget)).await.map_err(io::Error::other)??;
                // Whoever begins between the two lines either finds nobody watching, or is found here.
                work.watched.store(false, Ordering::SeqCst);
                watching = work.busy.load(Ordering::SeqCst);
                work.watched.store(watching, Ordering::SeqCst);
            }
        }
    }
    let child = child.clone();
    tokio::task::spawn_blocking(move || child.wait()).await.map_err(io::Error::other)?
}

fn limit(exit: &Exit) -> Option<ReachedLimit> {
    use gathering_sandbox::Ended as Reason;
    match exit.ended {
        Reason::CpuLimit => Some(ReachedLimit::Cpu),
        Reason::FileSizeLimit => Some(ReachedLimit::FileSize),
        Reason::MemoryLimit => Some(ReachedLimit::Memory),
        Reason::ProcessLimit => Some(ReachedLimit::Processes),
        Reason::DiskLimit => Some(ReachedLimit::Disk),
        Reason::Exited | Reason::Signalled | Reason::Killed | Reason::LauncherLost => None,
    }
}

fn describe(exit: &Exit) -> String {
    use gathering_sandbox::Ended as Reason;
    match (exit.ended, exit.code, exit.signal) {
        (Reason::CpuLimit, ..) => "it used up its processor time".into(),
        (Reason::FileSizeLimit, ..) => "a file it wrote grew beyond its limit".into(),
        (Reason::MemoryLimit, ..) => "it used more memory than it may".into(),
        (Reason::ProcessLimit, ..) => "it started more processes than it may".into(),
        (Reason::DiskLimit, ..) => {
            "its files took more disk than they may: see its limit `disk`, and empty its scratch folder"
                .into()
        }
        (Reason::LauncherLost, ..) => "its launcher was lost".into(),
        (_, Some(code), _) => format!("exit code {code}"),
        (_, None, Some(number)) => match signal_name(number) {
            Some(name) => format!("signal {number}, {name}"),
            None => format!("signal {number}"),
        },
        (_, None, None) => "it was stopped".into(),
    }
}
