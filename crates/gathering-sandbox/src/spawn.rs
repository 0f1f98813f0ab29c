//! Starts a program under a policy, from the server's side.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use crate::protect::Shields;
use crate::wire::{self, Launch, Order, Reply, Role};
use crate::{Child, Network, Newborn, Policy, SetupError, Tier, launcher, parents};

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
    let (stdin, to) = open_stdin(job.stdin).map_err(lost)?;
    let (output, from_output) = open_output(job.stdout).map_err(lost)?;
    let (errors, from_errors) = open_output(job.stderr).map_err(lost)?;
    let forked = Forked::ask(launcher, output.as_fd(), errors.as_fd())?;
    // While it comes to be.
    let shields = match tier {
        Tier::Isolated => Shields::raise(policy)?,
        Tier::Confined => Shields::default(),
    };
    let (pid, pidfd, socket) = forked.meet(launcher, output.as_fd(), errors.as_fd())?;
    // Only what is started is to have them.
    drop((output, errors));
    let launch = Launch {
        role: if job.newborn.is_some() { Role::Newborn } else { Role::Program },
        tier,
        policy: policy.clone(),
        shields: shields.list.clone(),
        program: job.program,
        args: job.args,
    };
    // From here on, dropping `child` ends the launcher.
    let mut child = Child::new(pid, pidfd, socket, (to, from_output, from_errors), policy, shields);
    // It waits for the first word, and so has started nothing yet.
    child.group_up(policy);
    let descriptors: Vec<_> = std::iter::once(&stdin)
        .chain(&job.channels)
        .chain(job.newborn.as_ref().map(|newborn| &newborn.0))
        .map(AsFd::as_fd)
        .collect();
    begin(child, launch, &descriptors)
}

/// Hands over what is to be done, and waits for the answer.
fn begin(mut child: Child, launch: Launch, descriptors: &[BorrowedFd<'_>]) -> Result<Child, SetupError> {
    let (network, role) = (launch.policy.network, launch.role);
    let sent = wire::send(child.socket(), &Order::Launch(Box::new(launch)), descriptors);
    child.socket().set_read_timeout(Some(START)).map_err(lost)?;
    match wire::receive(child.socket()) {
        Ok(Some((Reply::Started(applied), descriptors))) => {
            child.socket().set_read_timeout(None).map_err(lost)?;
            let proxy = descriptors.into_iter().next();
            if proxy.is_some() != (network == Network::Proxy) {
                let why = "it handed over another number of sockets than the policy asks for";
                return Err(SetupError::Lost(why.to_owned()));
            }
            child.started(applied, proxy);
            if role == Role::Newborn {
                // It was not started by the launcher, and so is not where that one is. It has run nothing of its own yet.
                child.group_all().map_err(lost)?;
            }
            Ok(child)
        }
        Ok(Some((Reply::Failed(failure), _))) => Err(SetupError::Step(failure)),
        Ok(Some((Reply::Ended(_) | Reply::Warm | Reply::Here(_), _))) => {
            Err(SetupError::Lost("it ended before it began".to_owned()))
        }
        Ok(None) => {
            let why = sent.err().map_or_else(String::new, |error| format!(": {error}"));
            Err(SetupError::Lost(format!("it ended without a word{why}")))
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
        Stdio::Null => (File::open("/dev/null")?.into(), None),
        Stdio::Piped => {
            let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            (reader, Some(writer))
        }
        Stdio::Fd(descriptor) => (descriptor, None),
    })
}

/// The descriptor for the program, and our end if there is one.
fn open_output(output: Stdio) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    Ok(match output {
        Stdio::Null => (File::options().write(true).open("/dev/null")?.into(), None),
        Stdio::Piped => {
            let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            (writer, Some(reader))
        }
        Stdio::Fd(descriptor) => (descriptor, None),
    })
}

/// A launcher that was asked for.
struct Forked(UnixStream);

impl Forked {
    fn ask(launcher: &Path, output: BorrowedFd<'_>, errors: BorrowedFd<'_>) -> Result<Self, SetupError> {
        let started = |source| SetupError::Launcher { path: launcher.to_owned(), source };
        let (ours, theirs) = UnixStream::pair().map_err(started)?;
        parents::fork(launcher, [theirs.as_fd(), output, errors]).map_err(started)?;
        Ok(Self(ours))
    }

    /// Waits until it is there. Another one is asked for, once, if it does not come because its parent ended just then.
    fn meet(
        self,
        launcher: &Path,
        output: BorrowedFd<'_>,
        errors: BorrowedFd<'_>,
    ) -> Result<(Pid, OwnedFd, UnixStream), SetupError> {
        if let Some(met) = self.wait()? {
            return Ok(met);
        }
        Self::ask(launcher, output, errors)?.wait()?.ok_or_else(|| {
            let argument = launcher::ARGUMENT;
            SetupError::Lost(format!("it ended without a word; is it a program that knows `{argument}`?"))
        })
    }

    fn wait(self) -> Result<Option<(Pid, OwnedFd, UnixStream)>, SetupError> {
        let Self(socket) = self;
        socket.set_read_timeout(Some(START)).map_err(lost)?;
        match wire::receive(&socket) {
            Ok(Some((Reply::Here(pid), descriptors))) => {
                let there = Pid::from_raw(pid).zip(descriptors.into_iter().next());
                let (pid, pidfd) =
                    there.ok_or_else(|| SetupError::Lost("it said who it is in other words".to_owned()))?;
                Ok(Some((pid, pidfd, socket)))
            }
            Ok(Some((Reply::Failed(failure), _))) => Err(SetupError::Step(failure)),
            Ok(Some(_)) => Err(SetupError::Lost("it answered what nobody asked".to_owned())),
            Ok(None) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(SetupError::Lost(format!("it was not there within {START:?}")))
            }
            Err(error) => Err(lost(error)),
        }
    }
}

fn lost(error: io::Error) -> SetupError {
    SetupError::Lost(error.to_string())
}
