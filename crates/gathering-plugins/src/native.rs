//! The runtime of plugins that are written in Rust and part of the program.

mod failure;
mod function;
mod plugin;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use gathering_core::{
    BoxFuture, LoadError, LoadErrorKind, LoadRequest, Plugin, PluginId, PluginManifest, PluginSecrets,
    PluginSource, Runtime, VERSION,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use failure::Failure;
pub use function::Cancel;
pub use plugin::NativePlugin;

type Start =
    dyn Fn(PluginManifest, &Value, &Arc<PluginSecrets>) -> Result<Box<dyn Plugin>, LoadError> + Send + Sync;

/// A plugin that is part of the program: what it says of itself, and how it is started.
#[derive(Clone)]
pub struct Builtin {
    id: PluginId,
    manifest: Result<Arc<PluginManifest>, LoadError>,
    fingerprint: String,
    start: Arc<Start>,
}

impl Builtin {
    /// A plugin that `start` makes from its manifest and its configuration, which has been checked and completed by the
    /// manifest's `config_schema`. `start` may block. A manifest that breaks the rules is reported when the plugin is
    /// described or loaded.
    pub fn new(
        manifest: PluginManifest,
        start: impl Fn(PluginManifest, &Value) -> Result<Box<dyn Plugin>, LoadError> + Send + Sync + 'static,
    ) -> Self {
        Self::with_secrets(manifest, move |manifest, config, _| start(manifest, config))
    }

    /// A plugin that knows secrets: those that its manifest asks for and its operator grants. `start` keeps what it is
    /// given and asks it for each secret when that is needed; in what the plugin says, `***` stands in its place.
    pub fn with_secrets(
        manifest: PluginManifest,
        start: impl Fn(PluginManifest, &Value, &Arc<PluginSecrets>) -> Result<Box<dyn Plugin>, LoadError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let id = manifest.metadata.id.clone();
        let manifest = manifest
            .checked()
            .map(Arc::new)
            .map_err(|error| LoadError::new(LoadErrorKind::InvalidPlugin, error.to_string()));
        let fingerprint = match &manifest {
            Ok(manifest) => fingerprint(manifest),
            Err(error) => error.message.clone(),
        };
        Self { id, manifest, fingerprint, start: Arc::new(start) }
    }

    /// The id of the plugin.
    pub fn id(&self) -> &PluginId {
        &self.id
    }
}

/// The code changes with the version of the program, the manifest may also between two builds of one version.
fn fingerprint(manifest: &PluginManifest) -> String {
    let text = serde_json::to_vec(manifest).expect("a manifest is data whose keys are strings");
    let digest: String = Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{VERSION} {digest}")
}

/// Runs plugins that are part of the program: [`PluginSource::Builtin`].
///
/// Their code runs in the process of the host, with all its rights.
#[derive(Default)]
pub struct NativeRuntime {
    builtins: RwLock<Vec<Builtin>>,
}

impl NativeRuntime {
    /// A runtime that has `builtins`; of two with one id it keeps the later.
    pub fn new(builtins: impl IntoIterator<Item = Builtin>) -> Self {
        let runtime = Self::default();
        builtins.into_iter().for_each(|builtin| runtime.put(builtin));
        runtime
    }

    /// Adds a plugin, or puts it in the place of the one with its id: what is loaded or reloaded next is this one.
    pub fn put(&self, builtin: Builtin) {
        let mut builtins = self.builtins.write().unwrap_or_else(PoisonError::into_inner);
        match builtins.iter_mut().find(|held| held.id == builtin.id) {
            Some(held) => *held = builtin,
            None => builtins.push(builtin),
        }
    }

    /// The sources of its plugins, in the order in which they were added: what a host is told to know.
    pub fn sources(&self) -> Vec<PluginSource> {
        let builtins = self.builtins.read().unwrap_or_else(PoisonError::into_inner);
        builtins.iter().map(|builtin| PluginSource::Builtin(builtin.id.clone())).collect()
    }

    fn find(&self, source: &PluginSource) -> Result<Builtin, LoadError> {
        let not_found = |message| LoadError::new(LoadErrorKind::NotFound, message);
        let PluginSource::Builtin(id) = source else {
            return Err(not_found(format!("{source} is not part of this program")));
        };
        let builtins = self.builtins.read().unwrap_or_else(PoisonError::into_inner);
        builtins
            .iter()
            .find(|builtin| builtin.id == *id)
            .cloned()
            .ok_or_else(|| not_found(format!("this program has no built-in plugin `{id}`")))
    }
}

impl Runtime for NativeRuntime {
    fn kind(&self) -> &'static str {
        "native"
    }

    fn recognises(&self, _path: &Path) -> bool {
        false
    }

    fn fingerprint(&self, source: &PluginSource) -> Result<String, LoadError> {
        self.find(source).map(|builtin| builtin.fingerprint)
    }

    fn describe<'a>(
        &'a self,
        source: &'a PluginSource,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<PluginManifest, LoadError>> {
        Box::pin(async move { self.find(source)?.manifest.map(Arc::unwrap_or_clone) })
    }

    fn load<'a>(&'a self, request: LoadRequest<'a>) -> BoxFuture<'a, Result<Box<dyn Plugin>, LoadError>> {
        Box::pin(async move {
            let Builtin { manifest, start, .. } = self.find(request.source)?;
            let (manifest, config) = (Arc::unwrap_or_clone(manifest?), request.config.clone());
            let secrets = request.secrets.clone();
            tokio::task::spawn_blocking(move || start(manifest, &config, &secrets)).await.unwrap_or_else(
                |error| {
                    let message = format!("it failed while it was started: {error}");
                    Err(LoadError::new(LoadErrorKind::InvalidPlugin, message))
                },
            )
        })
    }
}
