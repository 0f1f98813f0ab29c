//! A command that runs: confined by the sandbox, or, where its operator said so, not at all.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child as Plain, Command};
use std::time::Duration;

use gathering_core::ToolError;
use gathering_sandbox::{Budget, Child, Ended, Exit, Holds, Job, Policy, Stdio, spawn};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::Failure;

/// The most folders of which something is said.
const MAX_NOTES: usize = 3;

/// A command that runs. Dropping it ends it, with all that can be found of what it started.
pub(super) enum Program {
    /// Below a launcher that ends its whole tree.
    Confined { child: Box<Child>, budget: Budget },
    /// A group of processes. Who leaves the group is not found again.
    Unconfined(Group),
}

/// An unconfined shell, and what it started.
pub(super) struct Group {
    shell: Plain,
    pidfd: OwnedFd,
    pid: Pid,
    ended: bool,
}

impl Program {
    /// Starts `shell` with `command` as `holds` says.
    pub(super) fn start(
        holds: &Holds,
        policy: Policy,
        shell: PathBuf,
        command: &str,
    ) -> Result<Self, Failure> {
        match holds {
            Holds::Sandbox { launcher, tier, .. } => {
                let budget = Budget::from(&policy.limits);
                let job = Job {
                    program: shell,
                    args: vec!["-c".into(), command.into()],
                    stdout: Stdio::Piped,
                    stderr: Stdio::Piped,
                    ..Job::default()
                };
                let child = spawn(launcher, *tier, &policy, job)
                    .map_err(|error| ToolError::SandboxSetupFailed { reason: error.to_string() })?;
                Ok(Self::Confined { child: Box::new(child), budget })
            }
            Holds::Unconfined(_) => Group::start(&policy, &shell, command)
                .map(Self::Unconfined)
                .map_err(|error| format!("`{}` could not be started: {error}", shell.display()).into()),
            Holds::Nothing(report) => Err(ToolError::SandboxSetupFailed { reason: report.refusal() }.into()),
        }
    }

    /// Its output and its errors.
    pub(super) fn take_streams(&mut self) -> [File; 2] {
        let piped = "both are piped, and taken once";
        match self {
            Self::Confined { child, .. } => {
                [child.stdout.take().expect(piped), child.stderr.take().expect(piped)]
            }
            Self::Unconfined(Group { shell, .. }) => [
                File::from(OwnedFd::from(shell.stdout.take().expect(piped))),
                File::from(OwnedFd::from(shell.stderr.take().expect(piped))),
            ],
        }
    }

    /// Ends it if its tree uses too much. Of an unconfined one nothing is measured.
    pub(super) fn hold_to_its_budget(&self) -> io::Result<()> {
        match self {
            Self::Confined { child, budget } => child.hold_to(budget).map(drop),
            Self::Unconfined(_) => Ok(()),
        }
    }

    /// Begins to end it.
    pub(super) fn end(&mut self, reason: Ended) -> io::Result<()> {
        match self {
            Self::Confined { child, .. } => child.end(reason),
            Self::Unconfined(group) => {
                group.kill();
                Ok(())
            }
        }
    }

    /// Waits until nothing of it is left.
    pub(super) fn wait(&mut self) -> io::Result<Exit> {
        match self {
            Self::Confined { child, .. } => child.wait(),
            Self::Unconfined(group) => group.wait(),
        }
    }

    /// What is to be said of folders that it could not write, or not in all ways.
    pub(super) fn notes(&self) -> Vec<String> {
        let Self::Confined { child, .. } = self else { return Vec::new() };
        let applied = child.applied();
        let note = |folder: &PathBuf| {
            let folder = folder.display();
            let named = format!("`{folder}`");
            match applied.gaps.iter().find(|gap| gap.what.starts_with(&named)) {
                Some(gap) => format!("{}: {}", gap.what, gap.remedy),
                None => format!(
                    "in {named} itself nothing can be made, removed or renamed, since something in it is protected and \
                     this machine lets no namespaces be made: work in a folder below it"
                ),
            }
        };
        applied.read_only.iter().take(MAX_NOTES).map(note).collect()
    }
}

impl AsFd for Program {
    /// Becomes readable when it is gone.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Confined { child, .. } => child.as_fd(),
            Self::Unconfined(group) => group.pidfd.as_fd(),
        }
    }
}

impl Group {
    fn start(policy: &Policy, shell: &Path, command: &str) -> io::Result<Self> {
        let mut shell = Command::new(shell)
            .args(["-c", command])
            .env_clear()
            .envs(&policy.env)
            .current_dir(&policy.cwd)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&shell);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { shell, pidfd, pid, ended: false }),
            Err(error) => {
                shell.kill()?;
                shell.wait()?;
                Err(error.into())
            }
        }
    }

    /// As long as the shell was not waited for, nobody else has its number, or its group's.
    fn kill(&self) {
        if !self.ended {
            // The one error, that nobody is left in the group, is what is wanted.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    fn wait(&mut self) -> io::Result<Exit> {
        rustix::event::poll(
            &mut [rustix::event::PollFd::new(&self.pidfd, rustix::event::PollFlags::IN)],
            None,
        )?;
        // What it started goes with it.
        self.kill();
        let status = self.shell.wait()?;
        self.ended = true;
        let ended = if status.signal().is_some() { Ended::Signalled } else { Ended::Exited };
        let (code, signal) = (status.code(), status.signal());
        Ok(Exit { ended, code, signal, cpu: Duration::ZERO, leftover: None })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
            // There is nobody left to tell of an error.
            let _ = self.shell.wait();
        }
    }
}
