//! One worker: how it is started, given a job, and what is said of it when it is lost.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use gathering_core::ReachedLimit;
use gathering_sandbox::{
    Budget, Child, Ended, Holds, Job, Limits, Policy, Stdio, receive_message, send_message, spawn,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::failure::WorkerFailure;
use super::{Answer, MAX_ANSWER, MAX_JOB, Order};

/// What one worker may use. It serves many jobs; [`Process::is_tired`] sees to it that each finds most of this.
pub(super) const LIMITS: Limits = Limits {
    cpu_seconds: 120,
    memory_bytes: 1 << 30,
    processes: 16,
    open_files: 64,
    file_bytes: 256 << 20,
    disk_bytes: 512 << 20,
};
/// A worker that uses more than this between two jobs is replaced.
const REPLACED_AT: (u64, Duration) = (256 << 20, Duration::from_secs(60));
/// How often it is looked at what a worker uses.
const LOOK: Duration = Duration::from_millis(100);
/// How long the rest of an answer may take whose beginning is there.
const REST: Duration = Duration::from_secs(20);
/// How much of what it printed last is kept, in bytes.
const LAST: usize = 4096;

/// What is started as a worker.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
}

/// A worker that runs. Dropping it ends it.
pub(super) struct Process {
    socket: UnixStream,
    errors: File,
    life: Life,
}

/// What keeps a worker.
enum Life {
    Confined(Box<Child>),
    /// Where the operator allows that: a process like any other.
    Unconfined(Mutex<std::process::Child>),
}

impl Process {
    /// Starts a worker as `holds` says.
    pub(super) fn start(holds: &Holds, program: &Program) -> Result<Self, WorkerFailure> {
        let failed =
            |error: io::Error| WorkerFailure::SetupFailed(format!("a worker could not be started: {error}"));
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        let (life, errors) = match holds {
            Holds::Nothing(report) => return Err(WorkerFailure::SetupFailed(report.refusal())),
            Holds::Sandbox { launcher, tier, .. } => {
                let policy = Policy { read: vec![program.path.clone()], limits: LIMITS, ..Policy::default() };
                let job = Job {
                    program: program.path.clone(),
                    args: program.arguments.iter().map(Into::into).collect(),
                    stdin: Stdio::Fd(theirs.into()),
                    stderr: Stdio::Piped,
                    ..Job::default()
                };
                let mut child = spawn(launcher, *tier, &policy, job)
                    .map_err(|error| WorkerFailure::SetupFailed(error.to_string()))?;
                let errors = child.stderr.take().expect("it is piped, and taken once");
                (Life::Confined(Box::new(child)), errors)
            }
            Holds::Unconfined(_) => {
                let mut child = Command::new(&program.path)
                    .args(&program.arguments)
                    .env_clear()
                    .stdin(OwnedFd::from(theirs))
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::piped())
                    .spawn()
                    .map_err(failed)?;
                let errors =
                    File::from(OwnedFd::from(child.stderr.take().expect("it is piped, and taken once")));
                (Life::Unconfined(Mutex::new(child)), errors)
            }
        };
        fcntl_getfl(&errors)
            .and_then(|flags| fcntl_setfl(&errors, flags | OFlags::NONBLOCK))
            .map_err(|error| failed(error.into()))?;
        socket.set_read_timeout(Some(REST)).map_err(failed)?;
        Ok(Self { socket, errors, life })
    }

    /// Gives it a job and waits for the answer. Any failure but a refusal means that the worker is lost.
    pub(super) fn exchange(&self, order: &Order, files: &[OwnedFd]) -> Result<Answer, WorkerFailure> {
        let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        match send_message(&self.socket, order, &files, MAX_JOB) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(WorkerFailure::JobTooLarge(MAX_JOB));
            }
            // If it is gone, its end says more.
            Err(_) => return Err(self.lost(String::new())),
            Ok(()) => {}
        }
        let mut words = String::new();
        let answer =
            self.wait_for_answer(&mut words).and_then(|()| receive_message(&self.socket, MAX_ANSWER));
        match answer {
            Ok(Some((answer, _))) => Ok(answer),
            Ok(None) => {
                self.listen(&mut words);
                Err(self.lost(words))
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(WorkerFailure::AnswerTooLarge(MAX_ANSWER))
            }
            Err(error) => Err(WorkerFailure::Protocol(error.to_string())),
        }
    }

    /// Waits until there is an answer, or the end. Holds the worker to its limits meanwhile and keeps what it prints last.
    fn wait_for_answer(&self, words: &mut String) -> io::Result<()> {
        let budget = Budget::from(&LIMITS);
        let look = Timespec::try_from(LOOK).map_err(io::Error::other)?;
        loop {
            let mut polled =
                [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&self.errors, PollFlags::IN)];
            match poll(&mut polled, Some(&look)) {
                Err(rustix::io::Errno::INTR) => continue,
                done => done?,
            };
            if !polled[0].revents().is_empty() {
                return Ok(());
            }
            if polled[1].revents().contains(PollFlags::IN) {
                self.listen(words);
            }
            if let Life::Confined(child) = &self.life {
                child.hold_to(&budget)?;
            }
        }
    }

    /// Reads what it printed, and keeps the last of it.
    fn listen(&self, words: &mut String) {
        let mut buffer = [0; LAST];
        // Nothing to read, the end and an error are the same here.
        while let Ok(length @ 1..) = (&self.errors).read(&mut buffer) {
            words.push_str(&String::from_utf8_lossy(&buffer[..length]));
            if words.len() > 2 * LAST {
                words.drain(..words.ceil_char_boundary(words.len() - LAST));
            }
        }
    }

    /// It ended in the middle of a job: says how.
    fn lost(&self, words: String) -> WorkerFailure {
        let (ended, code, signal) = match &self.life {
            Life::Confined(child) => match child.wait_timeout(REST).and_then(|exit| match exit {
                Some(exit) => Ok(exit),
                None => child.kill(),
            }) {
                Ok(exit) => (exit.ended, exit.code, exit.signal),
                Err(error) => return WorkerFailure::Crashed(format!("it was lost: {error}")),
            },
            Life::Unconfined(child) => {
                let waited = child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).wait();
                match waited {
                    Ok(status) => (Ended::Exited, status.code(), status.signal()),
                    Err(error) => return WorkerFailure::Crashed(format!("it was lost: {error}")),
                }
            }
        };
        // What Rust itself says before it aborts.
        let limit = match ended {
            Ended::MemoryLimit => Some(ReachedLimit::Memory),
            Ended::ProcessLimit => Some(ReachedLimit::Processes),
            Ended::CpuLimit => Some(ReachedLimit::Cpu),
            Ended::FileSizeLimit => Some(ReachedLimit::FileSize),
            Ended::DiskLimit => Some(ReachedLimit::Disk),
            _ if words.contains("memory allocation of ") => Some(ReachedLimit::Memory),
            _ => None,
        };
        if let Some(limit) = limit {
            return WorkerFailure::LimitReached(limit);
        }
        if words.contains("has overflowed its stack") {
            return WorkerFailure::Crashed("its stack overflowed".to_owned());
        }
        let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let last: String = last.chars().take(300).collect();
        let how = match (code, signal) {
            (_, Some(signal)) => format!("signal {signal}"),
            (Some(code), _) => format!("exit code {code}"),
            (None, None) => "its exit code is not known".to_owned(),
        };
        WorkerFailure::Crashed(if last.is_empty() { how } else { format!("{how}: {last}") })
    }

    /// Whether it has used so much that another should do the next job.
    pub(super) fn is_tired(&self) -> bool {
        match &self.life {
            Life::Confined(child) => child.usage().map_or(true, |usage| {
                let (memory, cpu) = REPLACED_AT;
                usage.memory > memory || usage.cpu > cpu
            }),
            Life::Unconfined(_) => false,
        }
    }

    /// Whether it is there, with nothing said that nobody asked for.
    pub(super) fn is_well(&self) -> bool {
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        matches!(poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
    }

    /// Begins to end it.
    pub(super) fn end(&self) {
        match &self.life {
            // That it is gone already is the one error.
            Life::Confined(child) => drop(child.end(Ended::Killed)),
            Life::Unconfined(child) => {
                drop(child.lock().unwrap_or_else(std::sync::PoisonError::into_inner).kill());
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Life::Unconfined(child) = &mut self.life {
            let child = child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
            // It may have ended by itself; it is collected in any case.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
