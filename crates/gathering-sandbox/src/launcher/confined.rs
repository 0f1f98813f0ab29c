//! Runs a program without namespaces: Landlock and a stricter filter hold it, and the launcher sweeps up after it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::poll;
use rustix::process::{Pid, Signal, kill_process};

use super::landlock::{self, Ruleset};
use super::program::{Inherits, Stage};
use super::scratch::Scratch;
use super::seccomp::Sockets;
use super::supervise::{Tree, supervise};
use super::{around, let_go_of_streams, parent, report, sources, user};
use crate::error::During;
use crate::wire::{Applied, Gap, Launch, Outcome};
use crate::{Failure, Network, Policy, Step, ToolUser, processes};

/// Outside of a user namespace the kernel counts all processes of the tool's user, and so those of other runs that
/// grow while this one goes on. They get this many times the limit; the tree itself is held to it by `watch`.
const SLACK: u64 = 3;

pub(super) fn run(socket: &UnixStream, launch: Launch, inherits: Inherits) -> Result<(), Failure> {
    let step = Step::Start;
    let Launch { mut policy, program, args, tier, .. } = launch;
    if policy.network == Network::Proxy {
        return Err(Failure::new(
            Step::Namespaces,
            "without a network namespace, a program that may reach a proxy may reach all else",
            "grant no network, or use the tier `isolated`: `gathering doctor` says what it needs",
        ));
    }
    if let Some(path) = policy.hidden.first() {
        return Err(Failure::new(
            Step::Namespaces,
            format!("without a mount namespace, `{}` cannot be hidden from a program", path.display()),
            "move it out of the folder that the program sees, or use the tier `isolated`: `gathering doctor` \
             says what it needs",
        ));
    }
    let tools = user::of_tools(policy.user);
    let version = landlock::version();
    if version == 0 {
        return Err(Failure::new(
            Step::Landlock,
            "the kernel has no Landlock, or a container's seccomp filter hides it",
            "boot a kernel from 5.13 on with `lsm=landlock,...`, or use the tier `isolated`",
        ));
    }
    let scratch = Scratch::make(tools).during(Step::Files, "making a private folder in `/tmp`")?;
    scratch.stand_in(&mut policy);
    let others = processes::threads_of(tools.uid).during(Step::Limits, "counting the user's processes")?;
    let others = others.saturating_add(policy.limits.processes.saturating_mul(SLACK));
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .during(step, "becoming the parent of orphans")?;
    let mut read_only = not_writable(&policy, tools);
    // Its places are opened as the user who we are now, who may see more than the tool's.
    let (rules, fixed) = rules(version, &policy, scratch.path())?;
    let applied = Applied {
        tier,
        landlock: version,
        uid: tools.uid,
        gaps: gaps(version, &read_only),
        read_only: {
            read_only.extend(fixed);
            read_only.sort();
            read_only.dedup();
            read_only
        },
        cgroup: false,
        private: Some(scratch.path().to_owned()),
    };
    let signals = parent::child_signals().during(step, "listening for signals")?;
    let (report, reporter) = report::pipe().during(step, "making a pipe")?;
    let null: OwnedFd = File::open("/dev/null").during(step, "opening `/dev/null`")?.into();
    let sockets = Sockets::None;
    let rules = Some(rules);
    let stage = Stage { policy, program, args, inherits, tools, others, rules, sockets, applied };
    let launcher = rustix::process::getpid();
    let tool = parent::fork(reporter, |reporter| {
        let mut stage = stage;
        if let Some(rules) = &mut stage.rules {
            // What a process reads of itself is its own; those of others stay closed.
            rules.allow_if_there(Path::new("/proc/self"), landlock::READ | landlock::USE)?;
        }
        if rustix::process::getppid() != Some(launcher) {
            return Err(Failure::new(step, "the launcher is gone", ""));
        }
        stage.run(reporter)
    })
    .during(step, "starting the tool")?;
    let_go_of_streams(null.as_fd()).during(step, "letting go of its streams")?;
    supervise(socket, signals, report, None, Confined { tool, ended: None, scratch })
}

/// The launcher's view: the tool, and whatever it left behind, which becomes a child of the launcher.
struct Confined {
    tool: Pid,
    ended: Option<Outcome>,
    scratch: Scratch,
}

/// How long a sweep waits for those whom it has killed.
const ROUND: Duration = Duration::from_millis(2);

impl Confined {
    /// Collects all that have ended; whether nobody is left.
    fn collect_all(&mut self) -> io::Result<bool> {
        loop {
            match parent::collect(None, false) {
                Ok(Some((pid, outcome))) if pid == self.tool => self.ended = Some(outcome),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(false),
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Tree for Confined {
    fn collect(&mut self) -> io::Result<bool> {
        self.collect_all()?;
        Ok(self.ended.is_some())
    }

    /// Kills all below the launcher until there is none. They are stopped first, because who is stopped does not fork
    /// while the others are being killed.
    fn end(mut self) -> io::Result<Outcome> {
        while !self.collect_all()? {
            let me = rustix::process::getpid();
            stop_all_below(me)?;
            for process in processes::below(me)? {
                // It may have ended by itself.
                let _ = kill_process(process.pid, Signal::KILL);
            }
            poll(&mut [], Some(&ROUND.try_into().map_err(io::Error::other)?))?;
        }
        let mut outcome = self.ended.unwrap_or_default();
        outcome.leftover = self.scratch.remove().err().map(|error| error.to_string());
        Ok(outcome)
    }
}

/// Stops all below the launcher until a look finds nobody new. Who is stopped counts against the limit of processes, so
/// that those who start themselves anew run out of room; to kill them one by one would make room for the others.
fn stop_all_below(me: Pid) -> io::Result<()> {
    let mut stopped = HashSet::new();
    loop {
        let mut anybody = false;
        for process in processes::below(me)? {
            if stopped.insert(process.pid) {
                anybody = true;
                // It may have ended by itself.
                let _ = kill_process(process.pid, Signal::STOP);
            }
        }
        if !anybody {
            return Ok(());
        }
    }
}

/// What may be touched, and the folders in which nothing can be made or removed.
fn rules(version: u32, policy: &Policy, scratch: &Path) -> Result<(Ruleset, Vec<PathBuf>), Failure> {
    let mut rules = Ruleset::new(version)?;
    for path in sources::SYSTEM.iter().chain(sources::CONFIGURATION) {
        rules.allow_if_there(Path::new(path), landlock::READ)?;
    }
    for path in sources::DEVICES {
        rules.allow_if_there(Path::new(path), landlock::USE)?;
    }
    for path in ["/proc/cpuinfo", "/proc/meminfo", "/proc/filesystems", "/proc/sys/kernel/cap_last_cap"] {
        rules.allow_if_there(Path::new(path), landlock::READ)?;
    }
    for path in &policy.read {
        exists(path)?;
        rules.allow(path, landlock::READ)?;
    }
    let mut fixed = Vec::new();
    for path in &policy.write {
        exists(path)?;
        fixed.extend(around::allow(&mut rules, path, policy)?);
    }
    rules.allow(scratch, landlock::WRITE)?;
    Ok((rules, fixed))
}

fn exists(path: &Path) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::new(
            Step::Files,
            format!("`{}` does not exist", path.display()),
            "make it, or leave it out of the policy",
        )),
        _ => Ok(()),
    }
}

/// Folders that belong to another user than the tool's, if that is not ours.
fn not_writable(policy: &Policy, tools: ToolUser) -> Vec<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    if !user::is_root() {
        return Vec::new();
    }
    let foreign = |path: &&PathBuf| {
        path.metadata().is_ok_and(|found| {
            let bit = if found.uid() == tools.uid {
                0o200
            } else if found.gid() == tools.gid {
                0o020
            } else {
                0o002
            };
            found.mode() & bit == 0
        })
    };
    policy.write.iter().filter(foreign).cloned().collect()
}

/// What this tier does not keep from a program.
fn gaps(version: u32, read_only: &[PathBuf]) -> Vec<Gap> {
    let isolated = "use the tier `isolated`: `gathering doctor` says what it needs";
    let mut gaps = Vec::new();
    let mut gap = |what: String, remedy: &str| gaps.push(Gap { what, remedy: remedy.to_owned() });
    gap(
        "it can see names, sizes and times of other files, and change modes and times of its user's".into(),
        isolated,
    );
    if version < landlock::TRUNCATING {
        gap("it can truncate its user's other files".into(), "boot a kernel from 6.2 on");
    }
    if version < landlock::SIGNALS {
        gap("it can send signals to its user's other processes".into(), "boot a kernel from 6.12 on");
    }
    for path in read_only {
        gap(format!("`{}` can only be read: it belongs to another user", path.display()), isolated);
    }
    gaps
}
