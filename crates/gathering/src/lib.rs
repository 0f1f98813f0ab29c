//! GatheRing for Rust: configuration and assembly of the tool runtime for AI agents.
//!
//! [`GatheRing::open`] is the beginning: it opens a data directory, brings back the plugins that were there, and gives a
//! [`Host`] that knows every runtime.

mod assemble;
pub mod config;
mod data_dir;
mod dynamic;
mod embedded;
mod error;
mod secrets;
mod watch;

pub use assemble::{GatheRing, prober, python_runtime};
pub use config::Config;
pub use data_dir::{DataDir, Lock, ServerInfo};
pub use dynamic::DynamicPlugins;
pub use embedded::{builtin_manifest, equip, plugin_file};
pub use error::StartError;
pub use gathering_agents::*;
pub use gathering_core::*;
pub use gathering_host::*;
pub use gathering_models::{
    Model, ModelError, ModelInfo, ModelSettings, ModelUrl, Models, ModelsSettings, Provider,
};
pub use gathering_plugins::{Builtin, Cancel, Failure, NativePlugin, serve_worker};
pub use gathering_runtime_python::{InterpreterInfo, PythonRuntime};
pub use gathering_sandbox::{Holds, Prober};
pub use gathering_store::OpenError;
pub use secrets::{SecretPlace, SecretsFile};
