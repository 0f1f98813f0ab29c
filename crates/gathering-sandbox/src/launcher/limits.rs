//! The limits that the kernel holds each process to.

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::error::During;
use crate::{Failure, Limits, Step};

/// Sets all limits. `others` is how many threads its user has apart from this tree, where the kernel counts them in.
pub(super) fn set(limits: &Limits, others: u64) -> Result<(), Failure> {
    for (resource, limit) in all(limits, others) {
        setrlimit(resource, limit).during(Step::Limits, format_args!("limiting {resource:?}"))?;
    }
    Ok(())
}

/// All limits by the kernel's numbers, the soft one before the hard one.
pub(super) fn numbers(limits: &Limits, others: u64) -> Vec<(u32, u64, u64)> {
    let number = |limit: Option<u64>| limit.unwrap_or(libc::RLIM_INFINITY);
    let numbered = |(resource, limit): (Resource, Rlimit)| {
        (resource as u32, number(limit.current), number(limit.maximum))
    };
    all(limits, others).map(numbered).into()
}

fn all(limits: &Limits, others: u64) -> [(Resource, Rlimit); 8] {
    // Who blocks SIGXCPU at the first is killed at the second.
    let cpu =
        Rlimit { current: Some(limits.cpu_seconds), maximum: Some(limits.cpu_seconds.saturating_add(1)) };
    [
        (Resource::Cpu, cpu),
        // Not `As`: V8 and other engines reserve more address space than any machine has memory.
        (Resource::Data, exactly(limits.memory_bytes)),
        (Resource::Nproc, exactly(limits.processes.saturating_add(others))),
        (Resource::Nofile, exactly(limits.open_files)),
        (Resource::Fsize, exactly(limits.file_bytes)),
        (Resource::Core, exactly(0)),
        (Resource::Memlock, exactly(0)),
        (Resource::Msgqueue, exactly(0)),
    ]
    .map(|(resource, limit)| (resource, lower(limit, rustix::process::getrlimit(resource))))
}

fn exactly(limit: u64) -> Rlimit {
    Rlimit { current: Some(limit), maximum: Some(limit) }
}

/// What we are held to ourselves cannot be raised.
fn lower(wanted: Rlimit, held: Rlimit) -> Rlimit {
    let at_most = |limit: Option<u64>| Some(limit?.min(held.maximum.unwrap_or(u64::MAX)));
    Rlimit { current: at_most(wanted.current), maximum: at_most(wanted.maximum) }
}
