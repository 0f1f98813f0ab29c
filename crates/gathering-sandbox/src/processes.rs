//! The processes of the machine, as `/proc` tells them.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
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
    let we_are_root = rustix::process::geteuid().is_root();
    let threads = |pid: Pid| {
        let folder = format!("/proc/{}", pid.as_raw_nonzero());
        // Of a process that hides its memory, such as a server with secrets, the folder belongs to root. A server
        // that is root is no process of the tool's user, and saves itself to look.
        let owner = fs::metadata(&folder).ok()?.uid();
        let status = (owner == uid || (owner == 0 && !we_are_root))
            .then(|| fs::read_to_string(folder + "/status").ok())??;
        (first_number(&status, "Uid:")? == u64::from(uid)).then(|| first_number(&status, "Threads:"))?
    };
    Ok(pids()?.into_iter().filter_map(threads).sum())
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
    Ok(pids()?.into_iter().filter_map(read_stat).collect())
}

fn pids() -> io::Result<Vec<Pid>> {
    let names = fs::read_dir("/proc")?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<_> = names.collect::<io::Result<_>>()?;
    Ok(names.iter().filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?)).collect())
}

/// `None` if it has ended.
fn read_stat(pid: Pid) -> Option<Process> {
    // Some dozen numbers and a short name: one read takes it all.
    let mut text = [0; 1024];
    let length = File::open(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?.read(&mut text).ok()?;
    parse(pid, &String::from_utf8_lossy(&text[..length]))
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
    first_number(text, name).unwrap_or(0) * 1024
}

fn first_number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
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
    fn the_threads_of_this_user_are_counted() {
        let before = threads_of(rustix::process::getuid().as_raw()).unwrap();

        assert!(before >= 1);
        assert_eq!(threads_of(u32::MAX - 7).unwrap(), 0);
    }

    #[test]
    fn this_process_uses_memory() {
        let me = all().unwrap().into_iter().find(|process| process.pid == rustix::process::getpid()).unwrap();

        assert!(me.private_memory() > 100 << 10);
        assert!(me.proportional_memory().unwrap() > 50 << 10);
    }
}
