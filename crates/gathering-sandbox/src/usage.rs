//! What the tree of a program uses, and that it stays within a budget.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::processes::{self, Process};
use crate::{Child, Ended, Exit, Limits, Tier};

/// What the whole tree of a program uses at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes of memory that are its own or shared within it. Files in the private `/tmp` and `/dev/shm`, which have
    /// sizes of their own, come on top.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Processor time of all that live and of what they have waited for.
    pub cpu: Duration,
    /// Bytes that it has on disk at most. It is known better only where that may be over a budget.
    pub disk: u64,
}

/// What a whole tree may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of memory.
    pub memory: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Processor time.
    pub cpu: Duration,
    /// Bytes on disk.
    pub disk: u64,
}

impl From<&Limits> for Budget {
    /// One process may use all of the processor time, so a tree of them may use it for each processor once.
    fn from(limits: &Limits) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |number| number.get() as u64);
        let cpu = Duration::from_secs(limits.cpu_seconds.saturating_mul(processors).saturating_add(1));
        let Limits { memory_bytes: memory, processes, disk_bytes: disk, .. } = *limits;
        Self { memory, processes, cpu, disk }
    }
}

impl Child {
    /// What its tree uses now. Takes some microseconds for each process of the machine.
    pub fn usage(&self) -> io::Result<Usage> {
        self.measure(u64::MAX, u64::MAX)
    }

    /// Measures exactly only if a first sum, which counts shared memory more than once, is over `budget`; so for what is
    /// on disk.
    fn measure(&self, budget: u64, on_disk: u64) -> io::Result<Usage> {
        let tree = self.tree()?;
        let rough: u64 = tree.iter().map(Process::private_memory).sum();
        let memory = if rough <= budget {
            rough
        } else {
            tree.iter()
                .map(|process| process.proportional_memory().unwrap_or_else(|| process.private_memory()))
                .sum()
        };
        Ok(Usage {
            memory,
            processes: tree.iter().map(Process::threads).sum(),
            cpu: tree.iter().map(Process::cpu).sum(),
            disk: self.disk().look(&tree, on_disk),
        })
    }

    /// All that is not ours: the launcher, and in an isolated tree its init, are.
    pub(crate) fn tree(&self) -> io::Result<Vec<Process>> {
        let mut tree = processes::below(self.launcher())?;
        if self.applied().tier == Tier::Isolated {
            tree.retain(|process| !process.is_child_of(self.launcher()));
        }
        Ok(tree)
    }

    /// Ends it if its tree uses more than `budget`; to be called every 100 to 250 ms by whoever owns it.
    ///
    /// A tree can grow between two calls by what it can fill in that time, and on disk also while the folders that it may
    /// write are walked: a second for some hundred thousand files.
    pub fn hold_to(&self, budget: &Budget) -> io::Result<Usage> {
        let usage = self.measure(budget.memory, budget.disk)?;
        if usage.memory > budget.memory || self.ran_out_of_memory() {
            self.end(Ended::MemoryLimit)?;
        } else if usage.processes > budget.processes {
            self.end(Ended::ProcessLimit)?;
        } else if usage.cpu > budget.cpu {
            self.end(Ended::CpuLimit)?;
        } else if usage.disk > budget.disk {
            self.end(Ended::DiskLimit)?;
        }
        Ok(usage)
    }
}

/// Waits until nothing of `child` is left, and holds its tree to `budget` meanwhile, looking every `interval`.
pub fn watch(child: &Child, budget: &Budget, interval: Duration) -> io::Result<Exit> {
    loop {
        if let Some(exit) = child.wait_timeout(interval)? {
            return Ok(exit);
        }
        child.hold_to(budget)?;
    }
}
