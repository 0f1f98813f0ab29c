//! `run_command` in every tier that this machine has: what it gives, what it keeps from happening, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod core;

mod endings;
mod files;
mod harness;
mod results;
mod unprivileged;
