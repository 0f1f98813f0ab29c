//! A worker's process: how it is started, what it prints, and that it ends.

mod confined;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io};

use gathering_core::{PluginSecrets, ReachedLimit};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};

pub(crate) use confined::NotStarted;

use crate::log::{Lines, PluginLog, Redacted};
use crate::proxy::Proxy;

/// The most that a pipe holds, unless the system was told otherwise (`/proc/sys/fs/pipe-max-size`).
const MAX_PIPE: usize = 1 << 20;

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit code or signal, in words.
    how: String,
    /// The limit that it came to, if it was stopped there.
    pub(crate) limit: Option<ReachedLimit>,
}

impl Ended {
    pub(crate) fn new(how: impl Into<String>) -> Self {
        Self { how: how.into(), limit: None }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.how)
    }
}

/// Where a process runs.
pub(crate) struct Surroundings<'a> {
    /// The interpreter.
    pub(crate) interpreter: &'a Path,
    /// The worker's program.
    pub(crate) program: &'a Path,
    /// The plugin's scratch folder: its home and where it starts.
    pub(crate) home: &'a Path,
    /// Where what it prints goes.
    pub(crate) log: Arc<PluginLog>,
    /// What is kept out of the log.
    pub(crate) secrets: Arc<PluginSecrets>,
    /// Its way to a network, if it has one.
    pub(crate) proxy: Option<Arc<Proxy>>,
}

/// A running process. It is killed, with all that it started, when this is dropped.
pub(crate) struct Process {
    ended: watch::Receiver<Option<Ended>>,
    /// Closed when what it printed is in the log.
    copied: watch::Receiver<()>,
    kill: Arc<Notify>,
    work: Arc<Work>,
}

/// The two ends of the protocol.
pub(crate) struct Pipes {
    pub(crate) to: pipe::Sender,
    pub(crate) from: pipe::Receiver,
}

/// A process that was started, as whoever waits for it is given it.
struct Attended {
    kill: Arc<Notify>,
    work: Arc<Work>,
    tell: watch::Sender<Option<Ended>>,
}

impl Process {
    /// Starts a worker with all the rights of this user.
    ///
    /// Nothing runs between fork and exec, so that the standard library can use `posix_spawn`; the worker moves its
    /// pipes out of the way by itself.
    pub(crate) fn start(around: Surroundings<'_>) -> io::Result<(Self, Pipes)> {
        let temporary = around.home.join("tmp");
        std::fs::create_dir_all(&temporary)?;
        let mut child = Command::new(around.interpreter)
            .args(["-I", "-S"])
            .arg(around.program)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", std::env::var_os("LANG").unwrap_or_else(|| "C.UTF-8".into()))
            .env("HOME", around.home)
            .env("TMPDIR", &temporary)
            .current_dir(around.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let to = child.stdin.take().expect("it is piped").into_owned_fd()?;
        let from = child.stdout.take().expect("it is piped").into_owned_fd()?;
        let prints = child.stderr.take().expect("it is piped").into_owned_fd()?;
        let log = Redacted { log: around.log, secrets: around.secrets };
        Self::attended(to, from, prints, log, move |attended| attend(child, attended))
    }

    /// Takes charge of a process that has these pipes: copies what it prints, and lets `attend` wait for its end.
    fn attended<F: Future<Output = ()> + Send + 'static>(
        to: OwnedFd,
        from: OwnedFd,
        prints: OwnedFd,
        log: Redacted,
        attend: impl FnOnce(Attended) -> F,
    ) -> io::Result<(Self, Pipes)> {
        let pipes =
            Pipes { to: pipe::Sender::from_owned_fd(to)?, from: pipe::Receiver::from_owned_fd(from)? };
        let (tell, ended) = watch::channel(None);
        let kill = Arc::new(Notify::new());
        let work = Arc::new(Work::default());
        let (copying, copied) = watch::channel(());
        let prints = copy_prints(pipe::Receiver::from_owned_fd(prints)?, log, ended.clone());
        tokio::spawn(async move {
            prints.await;
            drop(copying);
        });
        tokio::spawn(attend(Attended { kill: kill.clone(), work: work.clone(), tell }));
        Ok((Self { ended, copied, kill, work }, pipes))
    }

    /// Says that it has work until the guard is dropped: how much it uses is looked at meanwhile.
    pub(crate) fn at_work(&self) -> AtWork {
        self.work.busy.store(true, Ordering::SeqCst);
        if !self.work.watched.load(Ordering::SeqCst) {
            self.work.begun.notify_one();
        }
        AtWork(self.work.clone())
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn wait(&self) -> Ended {
        wait(self.ended.clone()).await
    }

    /// Kills it and waits until nothing of it is left and what it printed is in the log.
    pub(crate) async fn kill(&self) -> Ended {
        self.kill.notify_one();
        let ended = self.wait().await;
        // Nothing is ever sent: the error, that the other end is gone, is what is waited for.
        let _ = self.copied.clone().changed().await;
        ended
    }
}

/// Whether a process has work, and whether somebody looks. A call tells only the first of a row of calls: whoever looks
/// goes on until he finds it idle.
#[derive(Default)]
struct Work {
    busy: AtomicBool,
    watched: AtomicBool,
    begun: Notify,
}

/// A process has work.
pub(crate) struct AtWork(Arc<Work>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::SeqCst);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill.notify_one();
    }
}

/// Waits until a process has ended.
pub(crate) async fn wait(mut ended: watch::Receiver<Option<Ended>>) -> Ended {
    match ended.wait_for(Option::is_some).await {
        Ok(ended) => ended.clone().expect("it was waited for"),
        Err(_) => Ended::new("its fate is not known"),
    }
}

/// Waits for the child, kills it when told to, and tells how it ended.
async fn attend(mut child: Child, attended: Attended) {
    let Attended { kill, tell, .. } = attended;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => {
            // While the child has not been waited for, its number, and so its group's, belongs to nobody else.
            kill_group(group);
            child.wait().await
        }
    };
    // What it started in its group goes with it. A group of this number that is not its own could exist only if
    // all numbers had been used up once since the line above.
    kill_group(group);
    let ended = match status {
        Ok(status) => Ended::new(describe(status)),
        Err(error) => Ended::new(format!("its end could not be learnt: {error}")),
    };
    tell.send_replace(Some(ended));
}

fn kill_group(group: Option<Pid>) {
    if let Some(group) = group {
        // The one error, that nobody is left in the group, is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(number)) => match signal_name(number) {
            Some(name) => format!("signal {number}, {name}"),
            None => format!("signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}

fn signal_name(number: i32) -> Option<&'static str> {
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::SYS, "SIGSYS"),
    ];
    names.into_iter().find(|(signal, _)| signal.as_raw() == number).map(|(_, name)| name)
}

/// Copies what the worker prints to the log until it has ended, however much that is.
///
/// Not until the end of the pipe: what the worker started may outlive it, keep the pipe open and print for ever. Once the
/// worker has ended, no more is read than a pipe can hold.
async fn copy_prints(from: pipe::Receiver, log: Redacted, ended: watch::Receiver<Option<Ended>>) {
    let mut lines = Lines::default();
    let mut buffer = vec![0; 64 << 10];
    let mut left = None;
    loop {
        if left.is_none() && ended.borrow().is_some() {
            left = Some(MAX_PIPE);
        }
        match from.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                log.append(lines.push(&buffer[..length])).await;
                left = left.map(|left: usize| left.saturating_sub(length));
                if left == Some(0) {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && left.is_none() => {
                tokio::select! {
                    _ = wait(ended.clone()) => {}
                    ready = from.readable() => if ready.is_err() { break },
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if lines.is_open() {
        log.append(lines.end()).await;
    }
}
