//! The limits that the kernel holds each process to.

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::error::During;
use crate::{Failure, Limits, Step};

/// Sets all limits. `others` is how many threads its user has apart from this tree, where the kernel counts them in.
pub(super) fn set(limits: &Limits, others: u64) -> Result<(), Failure> {
    // Who blocks SIGXCPU at the first is killed at the second.
    let cpu =
        Rlimit { current: Some(limits.cpu_seconds), maximum: Some(limits.cpu_seconds.saturating_add(1)) };
    let all = [
        (Resource::Cpu, cpu),
        // Not `As`: V8 and other engines reserve more address space than any machine has memory.
        (Resource::Data, exactly(limits.memory_bytes)),
        (Resource::Nproc, exactly(limits.processes.saturating_add(others))),
        (Resource::Nofile, exactly(limits.open_files)),
        (Resource::Fsize, exactly(limits.file_bytes)),
        (Resource::Core, exactly(0)),
        (Resource::Memlock, exactly(0)),
        (Resource::Msgqueue, exactly(0)),
    ];
    for (resource, limit) in all {
        let held = rustix::process::getrlimit(resource);
        setrlimit(resource, lower(limit, held))
            .during(Step::Limits, format_args!("limiting {resource:?}"))?;
    }
    Ok(())
}

fn exactly(limit: u64) -> Rlimit {
    Rlimit { current: Some(limit), maximum: Some(limit) }
}

/// What we are held to ourselves cannot be raised.
fn lower(wanted: Rlimit, held: Rlimit) -> Rlimit {
    let at_most = |limit: Option<u64>| Some(limit?.min(held.maximum.unwrap_or(u64::MAX)));
    Rlimit { current: at_most(wanted.current), maximum: at_most(wanted.maximum) }
}
