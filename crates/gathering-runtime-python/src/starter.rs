//! Starts workers for one plugin: the process, the import, the load.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gathering_core::{Grants, LoadError, LoadErrorKind, PluginManifest, PluginMetadata, PluginSecrets, Tier};
use gathering_sandbox::{Holds, Newborn, Policy, Step};
use serde_json::{Map, Value, json};

use crate::confinement::{self, refused};
use crate::frame::Refusal;
use crate::hints::Hints;
use crate::interpreter::Interpreter;
use crate::log::PluginLog;
use crate::manifest;
use crate::process::{NotStarted, Pipes, Process, Surroundings};
use crate::proxy::Proxy;
use crate::warm::{Seed, Warm, sdk_of};
use crate::worker::{Reply, Worker};

/// The most that a manifest may take as JSON text, in bytes.
const MAX_MANIFEST: usize = 64 << 20;

/// How many newborns are tried for one worker.
const ATTEMPTS: usize = 2;

/// Everything that starting a worker takes.
pub(crate) struct Starter {
    /// What to call the plugin in messages to the operator.
    pub(crate) label: String,
    pub(crate) interpreter: Arc<Interpreter>,
    /// The worker's program.
    pub(crate) program: PathBuf,
    /// The plugin's scratch folder.
    pub(crate) home: PathBuf,
    pub(crate) log: Arc<PluginLog>,
    /// The plugin's file or folder.
    pub(crate) path: PathBuf,
    /// Where its packages are.
    pub(crate) site_packages: Vec<PathBuf>,
    pub(crate) config: Value,
    pub(crate) secrets: Arc<PluginSecrets>,
    pub(crate) grants: Grants,
    /// Its workers' way to a network, if it is granted one.
    pub(crate) proxy: Option<Arc<Proxy>>,
    /// What it may, to say what it may not; absent where a grant would not help or nothing is denied.
    pub(crate) hints: Option<Hints>,
    /// GatheRing's own folder, of which no plugin is granted all.
    pub(crate) data_dir: PathBuf,
    pub(crate) holds: Holds,
    /// Where workers are forked from; `None` if each is to start by itself.
    pub(crate) warm: Option<Arc<Warm>>,
    pub(crate) max_output: usize,
    /// How long a start may take.
    pub(crate) limit: Duration,
}

/// What a plugin says of itself when it is described.
pub(crate) struct Described {
    pub(crate) metadata: PluginMetadata,
    pub(crate) workers: usize,
}

/// What a file says of itself when it is read and not run.
pub(crate) struct Scanned {
    pub(crate) metadata: Option<PluginMetadata>,
    pub(crate) python_dependencies: Vec<String>,
}

/// What a plugin says of itself when it is loaded.
pub(crate) struct Loaded {
    pub(crate) manifest: PluginManifest,
}

impl Starter {
    /// Starts a process that has run nothing of the plugin.
    pub(crate) async fn spawn(&self) -> Result<Worker, LoadError> {
        let started = match &self.holds {
            Holds::Sandbox { launcher, tier, .. } => {
                let policy = self.policy()?;
                match self.let_in(*tier, &policy) {
                    Ok(()) => self.start_confined(launcher, *tier, &policy).await?,
                    Err(error) => Err(NotStarted::Io(error)),
                }
            }
            Holds::Unconfined(_) => Process::start(self.surroundings()).map_err(NotStarted::Io),
            Holds::Nothing(report) => return Err(refused(report)),
        };
        match started {
            Ok((process, pipes)) => Ok(Worker::new(process, pipes)),
            Err(NotStarted::Setup(error)) => {
                Err(LoadError::new(LoadErrorKind::SandboxSetupFailed, error.to_string()))
            }
            Err(NotStarted::Io(error)) => {
                let message = format!("{} could not be started: {error}", self.interpreter.program.display());
                Err(LoadError::new(LoadErrorKind::RuntimeFailed, message))
            }
        }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            interpreter: &self.interpreter.program,
            program: &self.program,
            home: &self.home,
            log: self.log.clone(),
            secrets: self.secrets.clone(),
            proxy: self.proxy.clone(),
        }
    }

    /// Starts a process in the sandbox: a newborn, where there can be one. One that is lost, as its parent may have ended
    /// just then, is replaced by another, from another parent if need be; if that is lost as well, it starts by itself.
    async fn start_confined(
        &self,
        launcher: &Path,
        tier: gathering_sandbox::Tier,
        policy: &Policy,
    ) -> Result<Result<(Process, Pipes), NotStarted>, LoadError> {
        let start =
            |newborn| Process::start_confined(self.surroundings(), launcher, tier, policy.clone(), newborn);
        let Some(warm) = &self.warm else { return Ok(start(None).await) };
        for attempt in 1..=ATTEMPTS {
            let Some(newborn) = self.newborn(launcher, tier).await? else { break };
            let started = start(Some(newborn)).await;
            let lost = match &started {
                Err(NotStarted::Setup(error)) => {
                    error.failure().filter(|failure| failure.step == Step::Newborn)
                }
                _ => None,
            };
            match lost {
                None => {
                    if started.is_ok() {
                        warm.was_confined();
                    }
                    return Ok(started);
                }
                Some(failure) if attempt == ATTEMPTS => warm.was_not_confined(failure),
                Some(_) => {}
            }
        }
        Ok(start(None).await)
    }

    /// A child of the warm parent, where there can be one.
    async fn newborn(
        &self,
        launcher: &Path,
        tier: gathering_sandbox::Tier,
    ) -> Result<Option<Newborn>, LoadError> {
        let Some(warm) = self.warm.clone().filter(|_| tier == gathering_sandbox::Tier::Isolated) else {
            return Ok(None);
        };
        let seed = Seed {
            launcher: launcher.to_owned(),
            interpreter: self.interpreter.clone(),
            program: self.program.clone(),
        };
        let born = tokio::task::spawn_blocking(move || warm.newborn(&seed)).await;
        born.map_err(|panic| LoadError::new(LoadErrorKind::RuntimeFailed, panic.to_string()))
    }

    fn policy(&self) -> Result<Policy, LoadError> {
        confinement::refuse_own(&self.data_dir, &self.label, &self.grants)?;
        let sdk = sdk_of(&self.program);
        let (code, packages) = (&self.path, &self.site_packages);
        Ok(confinement::policy(&self.interpreter, sdk, packages, code, &self.home, &self.grants))
    }

    fn let_in(&self, tier: gathering_sandbox::Tier, policy: &Policy) -> std::io::Result<()> {
        if tier == gathering_sandbox::Tier::Isolated {
            return Ok(());
        }
        std::fs::create_dir_all(&self.home)?;
        confinement::let_in(&self.data_dir, &self.home, policy)
    }

    /// How its workers are confined.
    pub(crate) fn tier(&self) -> Tier {
        match &self.holds {
            Holds::Sandbox { tier: gathering_sandbox::Tier::Isolated, .. } => Tier::Isolated,
            Holds::Sandbox { tier: gathering_sandbox::Tier::Confined, .. } => Tier::Confined,
            Holds::Unconfined(_) | Holds::Nothing(_) => Tier::Unconfined,
        }
    }

    /// Imports the plugin and asks for its metadata.
    pub(crate) async fn describe(&self, worker: &mut Worker) -> Result<Described, LoadError> {
        let said = self.ask(worker, "describe", &self.place().await?).await?;
        let metadata = manifest::metadata(said["metadata"].clone())?;
        Ok(Described { metadata, workers: workers(&said) })
    }

    /// Reads what the file says of itself without running it.
    pub(crate) async fn scan(&self, worker: &mut Worker) -> Result<Scanned, LoadError> {
        let mut said = self.ask(worker, "scan", &self.place().await?).await?;
        let metadata = match said["metadata"].take() {
            Value::Null => None,
            metadata => Some(manifest::metadata(metadata)?),
        };
        let python_dependencies =
            serde_json::from_value(said["python_dependencies"].take()).unwrap_or_default();
        Ok(Scanned { metadata, python_dependencies })
    }

    /// Makes the plugin and loads it.
    pub(crate) async fn load(&self, worker: &mut Worker) -> Result<Loaded, LoadError> {
        let mut params = self.place().await?;
        params["config"] = self.config.clone();
        params["max_output"] = self.max_output.into();
        let mut said = self.ask(worker, "load", &params).await?;
        Ok(Loaded { manifest: manifest::whole(said["manifest"].take())? })
    }

    /// A worker in which the plugin is loaded, and enabled if it is to be: what takes the place of one that ended.
    pub(crate) async fn replace(&self, enabled: bool) -> Result<Worker, LoadError> {
        let started = async {
            let mut worker = self.spawn().await?;
            self.load(&mut worker).await?;
            if enabled {
                self.ask(&mut worker, "enable", &json!({})).await?;
            }
            Ok(worker)
        };
        within(Instant::now() + self.limit, started).await
    }

    /// Where the plugin is and what it sees of the environment. Secrets go with it, over the pipe and not as the process
    /// starts, so that they stand in nobody's `/proc/PID/environ`; they are read now, so that a worker has them as they are.
    async fn place(&self) -> Result<Value, LoadError> {
        let mut environment = Map::new();
        for name in &self.grants.environment {
            environment.extend(std::env::var(name).ok().map(|value| (name.clone(), value.into())));
        }
        if !self.secrets.names().is_empty() {
            let secrets = self.secrets.clone();
            let read = tokio::task::spawn_blocking(move || secrets.all()).await;
            let failed = |error: String| LoadError::new(LoadErrorKind::RuntimeFailed, error);
            let told = read
                .map_err(|panic| failed(panic.to_string()))?
                .map_err(|error| failed(error.to_string()))?;
            environment.extend(told.into_iter().map(|(name, value)| (name, value.into())));
        }
        Ok(json!({"path": self.path, "site_packages": self.site_packages, "environment": environment}))
    }

    /// Adds to a refusal what would allow the plugin's code what it was denied.
    pub(crate) fn explain(&self, refusal: Refusal) -> Refusal {
        let hint = refusal.denied.as_ref().and_then(|denied| {
            // Without a policy there are no workers, and so nobody who is denied anything.
            self.hints.as_ref()?.on(denied, &self.policy().ok()?)
        });
        match hint {
            Some(hint) => Refusal { message: format!("{}; {hint}", refusal.message), ..refusal },
            None => refusal,
        }
    }

    async fn ask(&self, worker: &mut Worker, method: &str, params: &Value) -> Result<Value, LoadError> {
        let params = params.to_string();
        match worker.request(method, params.as_bytes(), MAX_MANIFEST, None).await {
            Ok(Reply::Value(value)) => Ok(value),
            Ok(Reply::Refused(refusal)) => {
                let refusal = self.explain(refusal);
                let kind = match refusal.code.as_str() {
                    "missing_dependency" => LoadErrorKind::MissingDependency,
                    _ => LoadErrorKind::InvalidPlugin,
                };
                Err(LoadError { kind, message: refusal.message, traceback: refusal.traceback })
            }
            Ok(Reply::NotJson(error)) => Err(LoadError::new(LoadErrorKind::InvalidPlugin, error.to_string())),
            Err(failure) => {
                Err(LoadError::new(LoadErrorKind::InvalidPlugin, format!("while it was loaded, {failure}")))
            }
        }
    }
}

/// Gives `work` until `deadline`.
pub(crate) async fn within<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, LoadError>>,
) -> Result<T, LoadError> {
    let limit = deadline.saturating_duration_since(Instant::now());
    tokio::time::timeout_at(deadline.into(), work).await.unwrap_or_else(|_| {
        let message = format!("it was not ready after {limit:.0?} and was stopped");
        Err(LoadError::new(LoadErrorKind::TimedOut, message))
    })
}

fn workers(said: &Value) -> usize {
    said["workers"].as_u64().map_or(1, |workers| workers.clamp(1, 64) as usize)
}
