//! The plugin `documents`, called as agents call it: its files are looked at in confined workers.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, and says so")]

mod support;

mod archives;
mod data;
mod drawings;
mod hostile;
mod meshes;
mod office;
mod papers;
mod pictures;
mod sheets;
mod tables;
mod tools;
