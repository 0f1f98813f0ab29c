//! Runs Python plugins: a plugin file or package, unchanged, in CPython worker processes that can be killed.
//!
//! [`PythonRuntime`] is the whole surface. A worker serves one root call at a time over a pair of pipes
//! ([`mod@frame`]); a plugin's workers form a pool, in which one that dies is replaced in the background.

mod config;
mod confinement;
mod dynamic;
mod environment;
pub mod frame;
mod hints;
mod installer;
mod interpreter;
mod log;
mod manifest;
mod plugin;
mod pool;
mod process;
mod proxy;
mod runtime;
mod sdk;
mod source;
mod starter;
mod warm;
mod worker;

pub use config::PythonConfig;
pub use dynamic::{CodeProblem, ExamineError, Examined, ExaminedTool, ExampleCall, plugin_file};
pub use runtime::{InterpreterInfo, PythonRuntime};
