//! The processes of the machine, as `/proc` tells them.

use std::collections::HashMap;
use std::time::Duration;
use std::{fs, io};

use rustix::process::{Pid, RawPid};

/// One process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    parent: RawPid,
    zombie: bool,
    threads: u64,
    cpu: Duration,
}

/// All processes below `root`, which is not among them, parents before their children. Those that have ended and wait
/// to be collected are left out.
///
/// A snapshot is not atomic: what is being forked may be missing.
pub(crate) fn below(root: Pid) -> io::Result<Vec<Process>> {
    let mut children: HashMap<RawPid, Vec<Process>> = HashMap::new();
    for process in all()? {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut next = vec![root.as_raw_nonzero().get()];
    while let Some(parent) = next.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            next.push(process.pid.as_raw_nonzero().get());
            if !process.zombie {
                found.push(process);
            }
        }
    }
    Ok(found)
}

/// How many threads `uid` has in all, which is what `RLIMIT_NPROC` counts outside of a user namespace.
pub(crate) fn threads_of(uid: u32) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut threads = 0;
    for process in all()? {
        let owner = fs::metadata(format!("/proc/{}", process.pid.as_raw_nonzero()));
        if owner.is_ok_and(|owner| owner.uid() == uid) {
            threads += process.threads;
        }
    }
    Ok(threads)
}

impl Process {
    pub(crate) fn threads(&self) -> u64 {
        self.threads
    }

    /// Processor time, with that of the children it has collected.
    pub(crate) fn cpu(&self) -> Duration {
        self.cpu
    }

    pub(crate) fn is_child_of(&self, parent: Pid) -> bool {
        self.parent == parent.as_raw_nonzero().get()
    }

    /// Memory of its own, in bytes. What it shares with a process that it was forked from counts for both.
    pub(crate) fn private_memory(&self) -> u64 {
        let status = self.read("status");
        field(&status, "RssAnon:") + field(&status, "RssShmem:")
    }

    /// Memory in bytes, where what is shared counts in parts; `None` if the kernel doesn't tell.
    ///
    /// Exact, and some hundred times the work of [`Self::private_memory`].
    pub(crate) fn proportional_memory(&self) -> Option<u64> {
        let rollup = self.read("smaps_rollup");
        (!rollup.is_empty()).then(|| field(&rollup, "Pss_Anon:") + field(&rollup, "Pss_Shmem:"))
    }

    /// A process may end at any time: what it said of itself is then empty.
    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid.as_raw_nonzero())).unwrap_or_default()
    }
}

fn all() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        processes.extend(parse(pid, &stat));
    }
    Ok(processes)
}

/// Reads a line of `/proc/PID/stat`, as proc_pid_stat(5) has it. The name may have blanks and brackets in it.
fn parse(pid: Pid, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process {
        pid,
        parent: number(1)?.try_into().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        threads: number(17)?,
        cpu: Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)),
    })
}

/// A line such as `RssAnon:     120 kB`, in bytes.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number =
        line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = "7 (a) b) S 3 7 7 0 -1 4194560 1 0 0 0 100 50 0 0 20 0 4 0 1 2 3";

        let process = parse(Pid::from_raw(7).unwrap(), line).unwrap();

        assert!(process.is_child_of(Pid::from_raw(3).unwrap()));
        assert_eq!((process.threads, process.cpu), (4, Duration::from_millis(1500)));
    }

    #[test]
    fn this_process_uses_memory() {
        let me = all().unwrap().into_iter().find(|process| process.pid == rustix::process::getpid()).unwrap();

        assert!(me.private_memory() > 100 << 10);
        assert!(me.proportional_memory().unwrap() > 50 << 10);
    }
}
