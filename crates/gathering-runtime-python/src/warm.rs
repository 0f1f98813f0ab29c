//! The warm parent that workers are forked from: started when the first worker is, and again when it was lost.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gathering_sandbox::{Failure, Newborn, SetupError, ToolUser, WarmParent};

use crate::interpreter::Interpreter;

/// The warm parent of a runtime.
#[derive(Debug, Default)]
pub(crate) struct Warm(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: State,
    /// How many parents in a row could not be started.
    failures: u32,
    /// Whether a newborn was ever confined.
    proven: bool,
}

#[derive(Debug, Default)]
enum State {
    /// Not started, or lost.
    #[default]
    Cold,
    Running(WarmParent),
    /// It cannot be started here, and workers start by themselves.
    Impossible,
}

/// After how many parents that could not be started none is tried any more: one may have been killed while it started.
const MAX_FAILURES: u32 = 3;

/// What a warm parent is started from.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    pub(crate) launcher: PathBuf,
    pub(crate) interpreter: Arc<Interpreter>,
    /// The worker's program.
    pub(crate) program: PathBuf,
}

impl Warm {
    /// A newborn; `None` where there can be no warm parent. Blocks, the first time for as long as Python takes to start.
    pub(crate) fn newborn(&self, seed: &Seed) -> Option<Newborn> {
        let mut inner = self.inner();
        if let State::Running(parent) = &inner.state {
            match parent.newborn() {
                Ok(newborn) => return Some(newborn),
                Err(error) => {
                    tracing::warn!("the warm parent of workers was lost ({error}); another is started");
                    inner.state = State::Cold;
                }
            }
        }
        if matches!(inner.state, State::Impossible) {
            return None;
        }
        let started = seed.start().and_then(|parent| {
            let newborn = parent.newborn().map_err(|error| SetupError::Lost(error.to_string()))?;
            Ok((parent, newborn))
        });
        match started {
            Ok((parent, newborn)) => {
                inner.state = State::Running(parent);
                inner.failures = 0;
                Some(newborn)
            }
            Err(error) => {
                inner.failures += 1;
                tracing::warn!(
                    "a worker starts cold, which takes longer, because there is no warm parent: {error}"
                );
                if !inner.proven && inner.failures >= MAX_FAILURES {
                    tracing::warn!("no warm parent is tried any more");
                    inner.state = State::Impossible;
                }
                None
            }
        }
    }

    /// Takes note that a newborn was confined.
    pub(crate) fn was_confined(&self) {
        self.inner().proven = true;
    }

    /// Takes note that newborns could not be confined, twice: if none ever was, none can be here.
    pub(crate) fn was_not_confined(&self, failure: &Failure) {
        let mut inner = self.inner();
        tracing::warn!("a worker starts cold, which takes longer, because newborns are lost: {failure}");
        if !inner.proven {
            inner.state = State::Impossible;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the warm parent if there is none yet. Blocks.
    pub(crate) fn start(&self, seed: &Seed) {
        // Whoever is born and finds nobody to join ends.
        drop(self.newborn(seed));
    }
}

impl Seed {
    fn start(&self) -> Result<WarmParent, SetupError> {
        let sdk = sdk_of(&self.program);
        let mut read: Vec<PathBuf> =
            self.interpreter.folders.iter().filter(|path| path.exists()).cloned().collect();
        read.push(sdk.to_owned());
        let args = vec!["-I".into(), "-S".into(), self.program.clone().into(), "warm".into()];
        WarmParent::start(&self.launcher, self.interpreter.program.clone(), args, read, ToolUser::default())
    }
}

/// The folder of the SDK, in which the worker's program is `gathering/_worker/__main__.py`.
pub(crate) fn sdk_of(program: &Path) -> &Path {
    program.ancestors().nth(3).unwrap_or(program)
}
