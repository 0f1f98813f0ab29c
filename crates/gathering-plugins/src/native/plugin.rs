//! A plugin whose tools are plain Rust functions.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use gathering_core::{
    BoxFuture, CallContext, Health, LoadError, LoadErrorKind, Plugin, PluginManifest, Tier, ToolCall,
    ToolError, ToolName, ToolOutput,
};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Failure;
use super::function::{Cancel, Function, typed};

/// A plugin whose tools are plain Rust functions: its manifest names the tools, and each gets a function.
///
/// A function takes its arguments as a type of its own that serde can read (or as a `serde_json::Map`), and the context
/// of the call. It returns anything that becomes a [`ToolOutput`] (a string, a number, a [`serde_json::Value`]), or a
/// [`Failure`]. A panic ends the call, not the program.
///
/// ```
/// use gathering_core::PluginManifest;
/// use gathering_plugins::{Builtin, Failure, NativePlugin, NativeRuntime};
/// use serde_json::json;
///
/// #[derive(serde::Deserialize)]
/// struct Divide {
///     x: f64,
///     y: f64,
/// }
///
/// let manifest: PluginManifest = serde_json::from_value(json!({
///     "metadata": {"id": "arithmetic", "name": "Arithmetic", "version": "1.0.0", "description": "Divides."},
///     "tools": [{
///         "name": "divide",
///         "description": "Divides x by y.",
///         "category": "utility",
///         "parameters": {"x": {"type": "number"}, "y": {"type": "number"}},
///         "returns": {"type": "number"},
///     }],
/// }))?;
/// let plugin = Builtin::new(manifest, |manifest, _config| {
///     NativePlugin::new(manifest)
///         .tool("divide", |numbers: Divide, _call| match numbers.y {
///             0.0 => Err(Failure::new("y must not be zero")),
///             y => Ok(numbers.x / y),
///         })
///         .finish()
/// });
/// let runtime = NativeRuntime::new([plugin]);
/// # let _ = runtime;
/// # Ok::<(), serde_json::Error>(())
/// ```
pub struct NativePlugin {
    manifest: PluginManifest,
    functions: HashMap<String, Function>,
    /// The tools that were given a function twice.
    twice: Vec<String>,
    tiers: HashMap<String, Box<TierOf>>,
    health: Box<HealthOf>,
    concurrency: usize,
}

/// Says how the plugin feels.
type HealthOf = dyn Fn() -> Health + Send + Sync;

/// Says how what runs a tool is confined.
type TierOf = dyn Fn() -> Option<Tier> + Send + Sync;

impl NativePlugin {
    /// A plugin whose tools have no functions yet. It serves 64 calls at once.
    pub fn new(manifest: PluginManifest) -> Self {
        let (functions, tiers) = (HashMap::new(), HashMap::new());
        let health = Box::new(Health::healthy);
        Self { manifest, functions, twice: Vec::new(), tiers, health, concurrency: 64 }
    }

    /// Sets how many calls it serves at once; at least 1.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.clamp(1, 10_000);
        self
    }

    /// Gives a tool a function that is quick and never waits: it runs right where the call is made, and cannot be
    /// stopped.
    pub fn tool<A, R>(
        self,
        name: &str,
        function: impl Fn(A, &CallContext) -> Result<R, Failure> + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned,
        R: Into<ToolOutput>,
    {
        let function = move |tool: ToolName, arguments, cx: &CallContext| {
            function(typed(&tool, arguments)?, cx).map(Into::into).map_err(|failure| failure.of(&tool))
        };
        self.function(name, Function::Direct(Box::new(function)))
    }

    /// Gives a tool a function that reads files, computes for long, or blocks otherwise: it runs on a thread for such
    /// work and has to look at its [`Cancel`] in every loop, since a thread cannot be stopped from outside.
    pub fn blocking_tool<A, R>(
        self,
        name: &str,
        function: impl Fn(A, &CallContext, &Cancel) -> Result<R, Failure> + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned,
        R: Into<ToolOutput>,
    {
        let function = move |tool: ToolName, arguments, cx: &CallContext, cancel: &Cancel| {
            function(typed(&tool, arguments)?, cx, cancel)
                .map(Into::into)
                .map_err(|failure| failure.of(&tool))
        };
        self.function(name, Function::Blocking(Arc::new(function)))
    }

    /// Gives a tool an asynchronous function. It is dropped where it waits when its call is.
    pub fn async_tool<A, R, F>(
        self,
        name: &str,
        function: impl Fn(A, CallContext) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned,
        R: Into<ToolOutput>,
        F: Future<Output = Result<R, Failure>> + Send + 'static,
    {
        let function = move |tool: ToolName, arguments, cx| -> BoxFuture<'static, _> {
            match typed(&tool, arguments) {
                Ok(arguments) => {
                    let running = function(arguments, cx);
                    Box::pin(
                        async move { running.await.map(Into::into).map_err(|failure| failure.of(&tool)) },
                    )
                }
                Err(error) => Box::pin(async { Err(error) }),
            }
        };
        self.function(name, Function::Async(Box::new(function)))
    }

    /// Says of a tool that it runs something outside of this process, and how that is confined: asked after each call;
    /// `None` if that is not known yet, or nothing can be run.
    pub fn tier_of(mut self, name: &str, tier: impl Fn() -> Option<Tier> + Send + Sync + 'static) -> Self {
        self.tiers.insert(name.to_owned(), Box::new(tier));
        self
    }

    /// Says how the plugin feels when the host asks; without it, healthy. It is quick and never waits.
    pub fn health(mut self, health: impl Fn() -> Health + Send + Sync + 'static) -> Self {
        self.health = Box::new(health);
        self
    }

    fn function(mut self, name: &str, function: Function) -> Self {
        if self.functions.insert(name.to_owned(), function).is_some() {
            self.twice.push(name.to_owned());
        }
        self
    }

    /// The plugin, if each tool of the manifest has its function and each function its tool.
    pub fn finish(self) -> Result<Box<dyn Plugin>, LoadError> {
        let Self { manifest, functions, twice, tiers, health, concurrency } = self;
        let refuse = |message: String| Err(LoadError::new(LoadErrorKind::InvalidPlugin, message));
        if let Some(name) = twice.first() {
            return refuse(format!("the tool `{name}` was given two functions"));
        }
        if let Some(tool) = manifest.tools.iter().find(|tool| !functions.contains_key(tool.name.as_str())) {
            return refuse(format!("the tool `{}` of the manifest was given no function", tool.name));
        }
        if let Some(name) = functions
            .keys()
            .chain(tiers.keys())
            .find(|name| manifest.tools.iter().all(|tool| tool.name.as_str() != *name))
        {
            return refuse(format!(
                "the manifest has no tool `{name}`, which was given a function or a tier"
            ));
        }
        let threads = Arc::new(Semaphore::new(concurrency));
        Ok(Box::new(Running { manifest, functions, tiers, health, threads, concurrency }))
    }
}

/// A [`NativePlugin`] that is complete.
struct Running {
    manifest: PluginManifest,
    functions: HashMap<String, Function>,
    tiers: HashMap<String, Box<TierOf>>,
    health: Box<HealthOf>,
    /// A permit is held by each function that runs on a thread, also after its call was dropped.
    threads: Arc<Semaphore>,
    concurrency: usize,
}

impl Plugin for Running {
    fn manifest(&self) -> &PluginManifest {
        &self.manifest
    }

    fn call<'a>(
        &'a self,
        call: ToolCall,
        cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let Some(function) = self.functions.get(call.tool.as_str()) else {
                return Err(ToolError::UnknownTool { tool: call.tool.to_string(), nearest: Vec::new() });
            };
            function.run(call, cx, self.thread()).await
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async move { (self.health)() })
    }

    fn unload(&self) -> BoxFuture<'_, ()> {
        // The calls have ended, and with them all but the functions that have not seen it yet.
        Box::pin(async move {
            let all = u32::try_from(self.concurrency).unwrap_or(u32::MAX);
            let _all = self.threads.acquire_many(all).await.expect("it is never closed");
        })
    }

    fn tool_tier(&self, tool: &ToolName) -> Option<Tier> {
        match self.tiers.get(tool.as_str()) {
            Some(tier) => tier(),
            None => Some(self.tier()),
        }
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }
}

impl Running {
    async fn thread(&self) -> OwnedSemaphorePermit {
        self.threads.clone().acquire_owned().await.expect("it is never closed")
    }
}
