//! The Python runtime: finds plugin files, describes them, and loads them into workers.

mod evaluate;
mod examine;

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gathering_core::{
    BoxFuture, Grants, LoadError, LoadErrorKind, LoadRequest, Origin, Permissions, Plugin, PluginId,
    PluginManifest, PluginMetadata, PluginSecrets, PluginSource, Progress, Runtime, Tier,
};
use gathering_sandbox::Holds;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::config::PythonConfig;
use crate::environment::{Environments, Requirements};
use crate::hints::Hints;
use crate::interpreter::Interpreter;
use crate::log::{Logs, Redacted};
use crate::manifest;
use crate::plugin::PythonPlugin;
use crate::pool::Pool;
use crate::proxy::Proxy;
use crate::sdk;
use crate::source::{self, Source};
use crate::starter::{Described, Starter, within};
use crate::warm::{Seed, Warm};
use crate::worker::Worker;

/// How often a plugin is run anew because it turned out to need more packages.
const MAX_ROUNDS: usize = 4;
/// The log of what plugins print while they are described; no plugin can have this id.
const DISCOVERY_LOG: &str = "discover";

/// Runs Python plugins. Making one starts nothing; the interpreter is looked for when it is first needed.
pub struct PythonRuntime {
    config: PythonConfig,
    interpreter: OnceCell<Arc<Interpreter>>,
    program: OnceCell<PathBuf>,
    environments: Environments,
    logs: Logs,
    described: AtomicU64,
    warm: Arc<Warm>,
}

/// The Python that runs workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterpreterInfo {
    /// The program.
    pub program: PathBuf,
    /// Its version, such as `3.11.7`.
    pub version: String,
}

impl PythonRuntime {
    /// A runtime with these settings.
    pub fn new(config: PythonConfig) -> Self {
        let data_dir = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
        let config = PythonConfig { data_dir, ..config };
        Self {
            interpreter: OnceCell::new(),
            program: OnceCell::new(),
            environments: Environments::new(config.data_dir.join("env"), config.uv.clone(), config.offline),
            logs: Logs::new(config.data_dir.join("logs"), config.max_log),
            described: AtomicU64::new(0),
            warm: Arc::default(),
            config,
        }
    }

    /// The interpreter that workers run on, or why there is none.
    pub async fn interpreter(&self) -> Result<InterpreterInfo, LoadError> {
        let found = self.found_interpreter().await?;
        let (major, minor, patch) = found.version;
        Ok(InterpreterInfo { program: found.program.clone(), version: format!("{major}.{minor}.{patch}") })
    }

    /// What installs packages, such as `uv (/usr/bin/uv)` or `pip`, or why nothing can.
    pub async fn installer(&self) -> Result<String, LoadError> {
        let interpreter = self.found_interpreter().await?;
        self.environments.installer(&interpreter).await.map(ToString::to_string)
    }

    /// The folder that holds the Python package `gathering` which plugins import, for `PYTHONPATH`; written now if it was
    /// not there.
    pub fn sdk(&self) -> io::Result<PathBuf> {
        let program = sdk::install(&self.config.data_dir)?;
        Ok(program.ancestors().nth(3).expect("it is `gathering/_worker/__main__.py` in there").to_owned())
    }

    /// How workers are confined on this machine. The first who asks waits while it is tried.
    pub async fn holds(&self) -> &Holds {
        let prober = &self.config.prober;
        if prober.known().is_none() {
            let prober = prober.clone();
            let tried = tokio::task::spawn_blocking(move || {
                prober.holds();
            })
            .await;
            tried.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        }
        prober.holds()
    }

    /// The same, if it was tried already.
    pub fn known_to_hold(&self) -> Option<&Holds> {
        self.config.prober.known()
    }

    /// Gets ready to start workers fast: finds the interpreter and what holds, and starts the warm parent that workers
    /// are forked from. Who does not call it waits for that with the first worker.
    pub async fn warm_up(&self) -> Result<(), LoadError> {
        if !self.config.warm {
            return Ok(());
        }
        let (interpreter, program) = (self.found_interpreter().await?, self.worker_program().await?);
        let Holds::Sandbox { launcher, tier: gathering_sandbox::Tier::Isolated, .. } = self.holds().await
        else {
            return Ok(());
        };
        let seed = Seed { launcher: launcher.clone(), interpreter, program };
        let warm = self.warm.clone();
        let started = tokio::task::spawn_blocking(move || warm.start(&seed)).await;
        started.map_err(|panic| LoadError::new(LoadErrorKind::RuntimeFailed, panic.to_string()))
    }

    /// The last lines that a plugin printed, at most `bytes` of them; empty if it never printed anything.
    pub fn log(&self, plugin: &PluginId, bytes: u64) -> io::Result<String> {
        self.logs.tail(plugin.as_str(), bytes)
    }

    /// Removes what a plugin that is not loaded leaves: its scratch folder and its log. May block.
    pub fn forget(&self, plugin: &PluginId) -> io::Result<()> {
        drop(Scratch(self.config.data_dir.join("scratch").join(plugin.as_str())));
        self.logs.remove(plugin.as_str())
    }

    async fn found_interpreter(&self) -> Result<Arc<Interpreter>, LoadError> {
        let find = || async { Interpreter::find(self.config.interpreter.as_deref()).await.map(Arc::new) };
        self.interpreter.get_or_try_init(find).await.cloned()
    }

    async fn worker_program(&self) -> Result<PathBuf, LoadError> {
        let install = || async {
            let data_dir = self.config.data_dir.clone();
            let installed = tokio::task::spawn_blocking(move || sdk::install(&data_dir)).await;
            installed.map_err(io::Error::other).flatten().map_err(|error| {
                let message =
                    format!("the SDK cannot be written to {}: {error}", self.config.data_dir.display());
                LoadError::new(LoadErrorKind::RuntimeFailed, message)
            })
        };
        self.program.get_or_try_init(install).await.cloned()
    }

    /// Who made the plugin, as far as its place tells.
    fn origin(&self, source: &PluginSource) -> Origin {
        let agents = self.config.agents.as_deref();
        match agents.is_some_and(|folder| source.path().is_some_and(|path| path.starts_with(folder))) {
            true => Origin::Agent,
            false => Origin::Installed,
        }
    }

    /// Everything that starting a worker for the plugin takes, with the packages of its PEP 723 block.
    async fn prepare(&self, wanted: Wanted<'_>) -> Result<Prepared, LoadError> {
        let source = Source::read(wanted.source)?;
        let interpreter = self.found_interpreter().await?;
        check_python(source.script.requires_python.as_deref(), &interpreter)?;
        let mut requirements = match self.origin(wanted.source) {
            Origin::Agent => Requirements::of_agents(),
            Origin::Installed => Requirements::default(),
        };
        requirements.add(&source.script.dependencies)?;
        let asked = source.script.permissions().clone();
        let starter = Starter {
            label: wanted.label,
            interpreter,
            program: self.worker_program().await?,
            home: wanted.home,
            log: self.logs.of(wanted.log),
            path: source.path,
            site_packages: Vec::new(),
            config: wanted.config,
            grants: wanted.grants,
            proxy: None,
            hints: None,
            data_dir: self.config.data_dir.clone(),
            holds: self.holds().await.clone(),
            warm: self.config.warm.then(|| self.warm.clone()),
            secrets: wanted.secrets,
            max_output: self.config.max_output,
            limit: wanted.deadline.saturating_duration_since(Instant::now()),
        };
        Ok(Prepared { starter, requirements, asked })
    }

    /// Imports the plugin in a worker that has the packages it needs, installing those that are missing.
    ///
    /// Which packages a plugin needs may be known only when it was run, and it may need them to be run. So it is run
    /// with what is known; then the file is read without running it; and what that tells is installed.
    async fn import(
        &self,
        prepared: &mut Prepared,
        progress: &Progress,
    ) -> Result<(Worker, Described), LoadError> {
        for _ in 0..MAX_ROUNDS {
            let Prepared { starter, requirements, .. } = &mut *prepared;
            if !requirements.is_empty() {
                let place = self.environments.prepare(requirements, &starter.interpreter, progress).await?;
                starter.site_packages = vec![place];
            }
            let before = requirements.clone();
            let mut worker = starter.spawn().await?;
            match starter.describe(&mut worker).await {
                Ok(described) => {
                    requirements.add(&described.metadata.python_dependencies)?;
                    if *requirements == before {
                        return Ok((worker, described));
                    }
                }
                Err(error) if error.kind == LoadErrorKind::MissingDependency => {
                    let scanned = starter.scan(&mut worker).await?;
                    requirements.add(&scanned.python_dependencies)?;
                    if let Some(metadata) = &scanned.metadata {
                        requirements.add(&metadata.python_dependencies)?;
                    }
                    if *requirements == before {
                        return Err(undeclared(error));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let message =
            format!("it asked for other packages each of {MAX_ROUNDS} times that it was asked what it needs");
        Err(LoadError::new(LoadErrorKind::InvalidPlugin, message))
    }

    async fn describe_file(
        &self,
        source: &PluginSource,
        deadline: Instant,
    ) -> Result<PluginManifest, LoadError> {
        let number = self.described.fetch_add(1, Ordering::Relaxed);
        let home = Scratch(self.config.data_dir.join("scratch").join(format!(".describe-{number}")));
        let wanted =
            Wanted::to_look(source, self.origin(source), source.to_string(), home.0.clone(), deadline);
        let mut prepared = self.prepare(wanted).await?;
        let described = within(deadline, async {
            match self.describe_without_packages(&mut prepared).await? {
                Some(metadata) => Ok(metadata),
                None => {
                    let silent: Progress = Arc::new(|message| tracing::info!("{message}"));
                    Ok(self.import(&mut prepared, &silent).await?.1.metadata)
                }
            }
        })
        .await;
        manifest::checked(PluginManifest::new(prepared.with_permissions(described?)))
    }

    /// What the plugin says of itself as far as that can be learnt without installing anything.
    async fn describe_without_packages(
        &self,
        prepared: &mut Prepared,
    ) -> Result<Option<PluginMetadata>, LoadError> {
        let Prepared { starter, requirements, .. } = prepared;
        if !requirements.is_empty() {
            starter.site_packages.extend(self.environments.existing(requirements, &starter.interpreter));
        }
        let mut worker = starter.spawn().await?;
        match starter.describe(&mut worker).await {
            Ok(described) => Ok(Some(described.metadata)),
            Err(error) if error.kind == LoadErrorKind::MissingDependency => {
                Ok(starter.scan(&mut worker).await?.metadata)
            }
            Err(error) => Err(error),
        }
    }

    async fn load_file(&self, request: LoadRequest<'_>) -> Result<Box<dyn Plugin>, LoadError> {
        let wanted = Wanted {
            source: request.source,
            label: request.id.to_string(),
            log: request.id.as_str(),
            home: self.config.data_dir.join("scratch").join(request.id.as_str()),
            config: request.config.clone(),
            grants: request.grants.clone(),
            secrets: request.secrets.clone(),
            deadline: request.deadline,
        };
        let mut prepared = self.prepare(wanted).await?;
        let log = Redacted { log: prepared.starter.log.clone(), secrets: request.secrets.clone() };
        prepared.starter.proxy = Proxy::new(request.id.clone(), request.grants, request.asked, log);
        if prepared.starter.tier() != Tier::Unconfined {
            let (plugin, asked) = (request.id.clone(), request.asked.clone());
            prepared.starter.hints = Some(Hints { plugin, asked, grants: request.grants.clone() });
        }
        within(request.deadline, async {
            let (mut worker, described) = self.import(&mut prepared, &request.progress).await?;
            let mut loaded = prepared.starter.load(&mut worker).await.map_err(|error| match error.kind {
                LoadErrorKind::MissingDependency => undeclared(error),
                _ => error,
            })?;
            loaded.manifest.metadata = prepared.with_permissions(loaded.manifest.metadata);
            let max_output = prepared.starter.max_output;
            let tier = prepared.starter.tier();
            let rest = self.config.rest.filter(|_| self.origin(request.source) == Origin::Agent);
            let pool = Pool::new(prepared.starter, described.workers, worker, rest);
            Ok(Box::new(PythonPlugin::new(loaded.manifest, pool, max_output, tier)) as Box<dyn Plugin>)
        })
        .await
    }
}

impl Runtime for PythonRuntime {
    fn kind(&self) -> &'static str {
        "python"
    }

    fn recognises(&self, path: &Path) -> bool {
        source::recognises(path)
    }

    fn fingerprint(&self, source: &PluginSource) -> Result<String, LoadError> {
        source::fingerprint(source)
    }

    fn describe<'a>(
        &'a self,
        source: &'a PluginSource,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<PluginManifest, LoadError>> {
        Box::pin(self.describe_file(source, deadline))
    }

    fn load<'a>(&'a self, request: LoadRequest<'a>) -> BoxFuture<'a, Result<Box<dyn Plugin>, LoadError>> {
        Box::pin(self.load_file(request))
    }
}

/// What a worker is wanted for.
struct Wanted<'a> {
    source: &'a PluginSource,
    label: String,
    log: &'a str,
    home: PathBuf,
    config: Value,
    secrets: Arc<PluginSecrets>,
    grants: Grants,
    deadline: Instant,
}

impl<'a> Wanted<'a> {
    /// A worker that finds out what a file or some code is, and is granted what nobody has to allow.
    fn to_look(
        source: &'a PluginSource,
        origin: Origin,
        label: String,
        home: PathBuf,
        deadline: Instant,
    ) -> Self {
        let nothing = Permissions::default();
        Self {
            source,
            label,
            log: DISCOVERY_LOG,
            home,
            config: Value::Null,
            secrets: PluginSecrets::none(),
            grants: Grants::new(origin, source.folder(), &nothing, &nothing),
            deadline,
        }
    }
}

/// A plugin about to be started, and the packages that it is known to need.
struct Prepared {
    starter: Starter,
    requirements: Requirements,
    /// What its PEP 723 block asks to touch.
    asked: Permissions,
}

impl Prepared {
    /// What the plugin says of itself, with what it asks for in either place.
    fn with_permissions(&self, metadata: PluginMetadata) -> PluginMetadata {
        PluginMetadata { permissions: metadata.permissions.union(&self.asked), ..metadata }
    }
}

/// A folder that is removed when this is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("{} could not be removed: {error}", self.0.display());
            }
            _ => {}
        }
    }
}

/// A package is missing that the plugin does not name.
fn undeclared(error: LoadError) -> LoadError {
    if error.message.contains("python_dependencies") {
        return error;
    }
    let message = format!(
        "{}; if it is a package, name it in `python_dependencies` or in a `# /// script` block, and it is installed",
        error.message
    );
    LoadError { message, ..error }
}

fn check_python(wanted: Option<&str>, interpreter: &Interpreter) -> Result<(), LoadError> {
    let Some(wanted) = wanted else { return Ok(()) };
    let invalid = |message| LoadError::new(LoadErrorKind::InvalidPlugin, message);
    let specifiers = pep440_rs::VersionSpecifiers::from_str(wanted).map_err(|_| {
        invalid(format!("`requires-python` is `{wanted:.80}`: expected versions such as `>=3.11`"))
    })?;
    let (major, minor, patch) = interpreter.version;
    let version = pep440_rs::Version::new([major, minor, patch].map(u64::from));
    if specifiers.contains(&version) {
        return Ok(());
    }
    Err(invalid(format!(
        "it needs Python {wanted:.80}, and {} is {version}: set `python.interpreter` to another one",
        interpreter.program.display()
    )))
}
