//! Starts a program under a policy, from the server's side.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, io, process};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::protect::Shields;
use crate::wire::{self, Launch, Reply, Role};
use crate::{Child, Network, Newborn, Policy, SetupError, Tier, launcher};

/// How long the launcher may take until the program runs. It takes milliseconds; this is for machines that are
/// drowning.
const START: Duration = Duration::from_secs(20);

/// The most channels that a program is given.
const MAX_CHANNELS: usize = 7;

/// A program to run.
#[derive(Debug, Default)]
pub struct Job {
    /// Its absolute path, as seen from inside.
    pub program: PathBuf,
    /// Its arguments, without its name.
    pub args: Vec<OsString>,
    /// Its standard input.
    pub stdin: Stdio,
    /// Its standard output.
    pub stdout: Stdio,
    /// Its standard error.
    pub stderr: Stdio,
    /// Descriptors that it finds open as 3, 4 and so on; at most seven.
    pub channels: Vec<OwnedFd>,
    /// A process that joins the confinement in place of a new one, and is the program already. It has no channels.
    /// In [`Tier::Confined`], where there is nothing to join, it cannot be given.
    pub newborn: Option<Newborn>,
}

/// What a standard stream is connected to.
#[derive(Debug, Default)]
pub enum Stdio {
    /// `/dev/null`.
    #[default]
    Null,
    /// A pipe, whose other end is in [`Child`].
    Piped,
    /// This.
    Fd(OwnedFd),
}

/// Starts `job` in `tier` under `policy`; returns when it runs.
///
/// `launcher` is a program that calls [`launcher_main`](crate::launcher_main) when its first argument is `__sandbox`.
/// May be called from any thread of any program: nothing is forked here, and no descriptor is made inheritable.
/// Blocks for the few milliseconds that the set-up takes.
///
/// # Errors
///
/// If the confinement could not be set up exactly as `policy` asks in this tier, or the program could not be started
/// in it. Then nothing of `job` ran.
pub fn spawn(launcher: &Path, tier: Tier, policy: &Policy, job: Job) -> Result<Child, SetupError> {
    policy.check()?;
    if job.channels.len() > MAX_CHANNELS {
        return Err(SetupError::Policy(format!("at most {MAX_CHANNELS} channels can be handed over")));
    }
    if job.newborn.is_some() && (tier != Tier::Isolated || !job.channels.is_empty()) {
        return Err(SetupError::Policy("a newborn joins namespaces, and takes no channels".to_owned()));
    }
    let shields = match tier {
        Tier::Isolated => Shields::raise(policy)?,
        Tier::Confined => Shields::default(),
    };
    let started = |source| SetupError::Launcher { path: launcher.to_owned(), source };
    let (socket, theirs) = UnixStream::pair().map_err(started)?;
    let (stdin, pipe) = open_stdin(job.stdin).map_err(started)?;
    let mut process = Command::new(launcher)
        .arg(launcher::ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(job.stdout)
        .stderr(job.stderr)
        .spawn()
        .map_err(started)?;
    let pid = Pid::from_child(&process);
    let outputs = (process.stdout.take().map(OwnedFd::from), process.stderr.take().map(OwnedFd::from));
    // From here on, dropping `child` ends and collects the launcher.
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(error) => {
            drop(socket);
            process.wait().map_err(started)?;
            return Err(started(error.into()));
        }
    };
    let launch = Launch {
        role: if job.newborn.is_some() { Role::Newborn } else { Role::Program },
        tier,
        policy: policy.clone(),
        shields: shields.list.clone(),
        program: job.program,
        args: job.args,
    };
    let mut child = Child::new(process, pidfd, socket, (pipe, outputs.0, outputs.1), policy, shields);
    // It waits for the first word, and so has started nothing yet.
    child.group_up(policy);
    let descriptors: Vec<_> = std::iter::once(&stdin)
        .chain(&job.channels)
        .chain(job.newborn.as_ref().map(|newborn| &newborn.0))
        .map(AsFd::as_fd)
        .collect();
    begin(child, &launch, &descriptors)
}

/// Hands over what is to be done, and waits for the answer.
fn begin(
    mut child: Child,
    launch: &Launch,
    descriptors: &[std::os::fd::BorrowedFd<'_>],
) -> Result<Child, SetupError> {
    let sent = wire::send(child.socket(), launch, descriptors);
    let lost = |error: io::Error| SetupError::Lost(error.to_string());
    child.socket().set_read_timeout(Some(START)).map_err(lost)?;
    match wire::receive(child.socket()) {
        Ok(Some((Reply::Started(applied), descriptors))) => {
            child.socket().set_read_timeout(None).map_err(lost)?;
            let proxy = descriptors.into_iter().next();
            if proxy.is_some() != (launch.policy.network == Network::Proxy) {
                let why = "it handed over another number of sockets than the policy asks for";
                return Err(SetupError::Lost(why.to_owned()));
            }
            child.started(applied, proxy);
            if matches!(launch.role, Role::Newborn) {
                // It was not started by the launcher, and so is not where that one is. It has run nothing of its own yet.
                child.group_all().map_err(lost)?;
            }
            Ok(child)
        }
        Ok(Some((Reply::Failed(failure), _))) => Err(SetupError::Step(failure)),
        Ok(Some((Reply::Ended(_) | Reply::Warm, _))) => {
            Err(SetupError::Lost("it ended before it began".to_owned()))
        }
        Ok(None) => {
            let why = sent.err().map_or_else(String::new, |error| format!(": {error}"));
            Err(SetupError::Lost(format!(
                "it ended without a word{why}; is it a program that knows `{}`?",
                launcher::ARGUMENT
            )))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(SetupError::Lost(format!("the confinement was not set up within {START:?}")))
        }
        Err(error) => Err(lost(sent.err().unwrap_or(error))),
    }
}

/// The descriptor for the program, and our end if there is one.
fn open_stdin(stdin: Stdio) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    Ok(match stdin {
        Stdio::Null => (fs::File::open("/dev/null")?.into(), None),
        Stdio::Piped => {
            let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            (reader, Some(writer))
        }
        Stdio::Fd(descriptor) => (descriptor, None),
    })
}

impl From<Stdio> for process::Stdio {
    fn from(stdio: Stdio) -> Self {
        match stdio {
            Stdio::Null => Self::null(),
            Stdio::Piped => Self::piped(),
            Stdio::Fd(descriptor) => descriptor.into(),
        }
    }
}
