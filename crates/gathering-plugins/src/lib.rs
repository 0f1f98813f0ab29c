//! The built-in plugins of GatheRing, and the runtime that runs plugins written in Rust.
//!
//! A plugin of your own is a [`Builtin`]: what it says of itself, and a function that makes it from its configuration.
//! [`NativePlugin`] turns plain Rust functions into tools; see there for an example.

mod base;
mod builtin;
mod core;
mod design;
mod documents;
mod encoding;
mod finance;
#[allow(dead_code, clippy::allow_attributes, reason = "each plugin uses some of it")]
mod http;
mod native;
mod save;
mod worker;

pub use builtin::{OwnPlaces, all};
pub use native::{Builtin, Cancel, Failure, NativePlugin, NativeRuntime};
pub use worker::serve as serve_worker;
