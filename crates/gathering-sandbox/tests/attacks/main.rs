//! Attacks from inside, in both tiers: each promise of the crate against what would break it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "a test that cannot run says so")]

mod another_user;
mod disk;
mod files;
mod harness;
mod kernel;
mod kill;
mod limits;
mod network;
mod probe;
mod processes;
mod programs;
mod protect;
mod setup;
