//! The real binary, on data directories of its own: every verb, on a server and without one.

mod calls;
mod dynamic;
mod new_plugin;
mod permissions;
mod sandbox;
mod server;
mod usage;
mod verbs;
