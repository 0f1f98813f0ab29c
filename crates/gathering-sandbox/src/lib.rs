//! Confines what GatheRing runs: a policy, a launcher stage that applies it, and probes that say what holds.
//!
//! The server never forks. [`spawn`] starts a launcher (a program whose `main` is [`launcher_main`]) with
//! `posix_spawn`; being single-threaded, it can apply the [`Policy`] step by step and then become the tool. One unix
//! socket, the launcher's standard input, carries everything between the two: the policy and descriptors go in; that
//! the confinement stands, or why it does not, comes back; and its end of file, which the kernel sends however the
//! server ends, is what ends the whole tree.
//!
//! Linux only. It knows nothing of plugins, and nothing of an async runtime: a [`Child`] is a descriptor to wait on.
#![cfg(target_os = "linux")]

mod cgroup;
mod child;
mod disk;
mod error;
mod holds;
mod launcher;
mod parents;
mod policy;
mod probe;
mod processes;
mod protect;
mod spawn;
mod temporary;
mod usage;
mod warm;
mod wire;

pub use child::{Child, Ended, Exit};
pub use error::{Failure, SetupError, Step};
pub use holds::{Confinement, Holds, Prober};
pub use launcher::launcher_main;
pub use policy::{Limits, Network, Policy, Tier, ToolUser};
pub use probe::{Attack, Check, Report, TierReport, probe};
pub use spawn::{Job, Stdio, spawn};
pub use usage::{Budget, Usage, watch};
pub use warm::{Newborn, WarmParent};
pub use wire::{Applied, Gap, receive_message, send_message};
