//! Lets a child of a warm parent join the namespaces of this process and become its tool.
//!
//! The child puts the confinement into force for itself, with what it is handed; that it did, its status says, which
//! the kernel writes and this process reads before anything of a plugin is run.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::program::{self, Stage};
use super::report::Reporter;
use super::{limits, parent, seccomp};
use crate::error::During;
use crate::{Failure, Step, wire};

/// The namespaces, in the order in which they are joined: the first gives the right to join the others.
const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// What the newborn is to put into force. With it come, in this order, its namespaces, its standard streams, and the
/// Landlock rules if there are any.
#[derive(Serialize)]
struct Birth<'a> {
    namespaces: usize,
    has_rules: bool,
    env: &'a std::collections::BTreeMap<String, String>,
    cwd: &'a Path,
    /// Number, soft and hard limit.
    limits: Vec<(u32, u64, u64)>,
    /// Instructions of eight bytes, in hexadecimal.
    filter: String,
    /// The kernel's numbers of calls that the C library has no name for.
    restrict_self: libc::c_long,
    seccomp: libc::c_long,
}

/// What the newborn answers.
#[derive(Deserialize)]
enum Answer {
    /// It is confined; its process number in here.
    Ready(i32),
    Failed(String),
}

/// Hands over the confinement to the newborn at the other end of the only channel, makes sure of it, and reports.
///
/// The reporter is gone when this returns: its end is what the launcher waits for.
pub(super) fn admit(stage: Stage, mut reporter: Reporter) -> Result<Pid, Failure> {
    let applied = stage.applied.clone();
    match join(stage) {
        Ok(pid) => {
            reporter.ready(applied).during(Step::Start, "reporting to the launcher")?;
            Ok(pid)
        }
        Err(failure) => {
            reporter.failed(failure);
            parent::exit()
        }
    }
}

fn join(mut stage: Stage) -> Result<Pid, Failure> {
    let step = Step::Newborn;
    let Some(place) = stage.inherits.channels.pop() else {
        return Err(Failure::new(step, "no newborn was handed over", "update both programs"));
    };
    let place = UnixStream::from(place);
    program::check_reach(&stage.policy, &stage.program, stage.tools)?;
    hand_over(&place, &stage).during(step, "handing over to the newborn")?;
    match wire::receive(&place).during(step, "waiting for the newborn")? {
        Some((Answer::Ready(pid), _)) => {
            let pid = Pid::from_raw(pid).filter(|pid| !pid.is_init());
            let pid = pid.ok_or_else(|| Failure::new(step, "the newborn told no process number", ""))?;
            make_sure(pid, &stage)?;
            Ok(pid)
        }
        Some((Answer::Failed(cause), _)) => Err(Failure::new(step, cause, "")),
        None => Err(Failure::new(step, "the newborn ended before it was confined", "")),
    }
}

fn hand_over(place: &UnixStream, stage: &Stage) -> io::Result<()> {
    let namespaces: Vec<OwnedFd> = NAMESPACES
        .iter()
        .map(|name| File::open(PathBuf::from("/proc/self/ns").join(name)).map(Into::into))
        .collect::<Result<_, _>>()?;
    let stdin = stage.inherits.stdin.as_fd();
    let streams: [BorrowedFd<'_>; 3] = [stdin, rustix::stdio::stdout(), rustix::stdio::stderr()];
    let rules = stage.rules.as_ref().map(|rules| rules.descriptor());
    let filter = seccomp::bytes(stage.applied.tier, stage.sockets);
    let birth = Birth {
        namespaces: namespaces.len(),
        has_rules: rules.is_some(),
        env: &stage.policy.env,
        cwd: &stage.policy.cwd,
        limits: limits::numbers(&stage.policy.limits, stage.others),
        filter: filter.iter().map(|byte| format!("{byte:02x}")).collect(),
        restrict_self: libc::SYS_landlock_restrict_self,
        seccomp: libc::SYS_seccomp,
    };
    let descriptors: Vec<_> = namespaces.iter().map(AsFd::as_fd).chain(streams).chain(rules).collect();
    wire::send(place, &birth, &descriptors)
}

/// Reads from the kernel that the newborn is ours, without privileges, and filtered.
fn make_sure(pid: Pid, stage: &Stage) -> Result<(), Failure> {
    let step = Step::Privileges;
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))
        .during(step, "reading the newborn's status")?;
    let user = stage.tools.uid;
    let nothing = "0000000000000000";
    let wanted = [
        ("PPid:", "1".to_owned()),
        ("Uid:", format!("{user}\t{user}\t{user}\t{user}")),
        ("NoNewPrivs:", "1".to_owned()),
        ("Seccomp:", "2".to_owned()),
        ("CapInh:", nothing.to_owned()),
        ("CapPrm:", nothing.to_owned()),
        ("CapEff:", nothing.to_owned()),
        ("CapBnd:", nothing.to_owned()),
        ("CapAmb:", nothing.to_owned()),
    ];
    for (key, wanted) in wanted {
        let found = status.lines().find_map(|line| line.strip_prefix(key)).map_or("nothing", str::trim);
        if found != wanted {
            let cause = format!("the newborn is not confined: `{key}` is {found} and not {wanted}");
            return Err(Failure::new(step, cause, ""));
        }
    }
    Ok(())
}
