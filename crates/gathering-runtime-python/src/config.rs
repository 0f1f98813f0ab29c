//! The settings of the Python runtime.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gathering_sandbox::Prober;

/// The settings of the Python runtime.
#[derive(Debug, Clone)]
pub struct PythonConfig {
    /// The interpreter, CPython 3.10 or newer; the first such one on `PATH` if absent.
    pub interpreter: Option<PathBuf>,
    /// The `uv` that installs packages; the one on `PATH` or of the interpreter if absent, else `pip`.
    pub uv: Option<PathBuf>,
    /// Packages are taken from the installer's cache only.
    pub offline: bool,
    /// Where environments, logs, scratch folders and the SDK are kept.
    pub data_dir: PathBuf,
    /// Where plugins lie that agents made: they get packages by name and none that would have to be built, since that runs
    /// code of the package outside of every sandbox.
    pub agents: Option<PathBuf>,
    /// Knows how workers are confined on this machine. By default they are not.
    pub prober: Arc<Prober>,
    /// Whether workers are forked from a warm parent where the sandbox allows it: they start in a few milliseconds and
    /// share most of their memory with it.
    pub warm: bool,
    /// After how long without work a worker of a plugin that an agent made is stopped; the next call starts another.
    /// `None`: never. Workers of other plugins may keep state, and are not stopped.
    pub rest: Option<Duration>,
    /// How long the code of tools that agents made may take when it is run as a module, to be examined. Installing its
    /// packages does not count.
    pub examine_timeout: Duration,
    /// The most bytes of JSON that a call may give back.
    pub max_output: usize,
    /// The most bytes that a plugin's log takes before it is begun anew; the one before is kept.
    pub max_log: u64,
}

impl Default for PythonConfig {
    fn default() -> Self {
        Self {
            interpreter: None,
            uv: None,
            offline: false,
            data_dir: PathBuf::from(".gathering"),
            agents: None,
            prober: Arc::default(),
            warm: true,
            rest: None,
            examine_timeout: Duration::from_secs(20),
            max_output: 8 << 20,
            max_log: 1 << 20,
        }
    }
}
