//! What every handler has at hand: the host and the options of the server.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use gathering_agents::{Agents, Chats};
use gathering_core::PluginId;
use gathering_host::Host;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::access::Access;
use crate::wrong_tokens::WrongTokens;

/// Reads what a plugin printed: of the plugin, the last bytes, at most so many. Runs where it may block.
pub type PluginLog = Arc<dyn Fn(&PluginId, u64) -> io::Result<String> + Send + Sync>;

/// What `GET /health` tells besides what the host knows.
pub type HealthDetails = Arc<dyn Fn() -> Map<String, Value> + Send + Sync>;

/// How a host is served.
#[derive(Clone, Default)]
pub struct Options {
    /// Who is the operator. Default: whoever reaches the server over loopback.
    pub access: Access,
    /// Who may call beside the operator. Default: agents that are made while it is served, and forgotten then.
    pub agents: Option<Agents>,
    /// Lets models answer as agents. Without it, nobody talks with one here.
    pub chats: Option<Chats>,
    /// What the `Host` header may say besides the names of loopback, each with or without a port.
    pub allowed_hosts: Vec<String>,
    /// Reads the logs of plugins, for `GET /plugins/{id}/log`.
    pub plugin_log: Option<PluginLog>,
    /// Told by `GET /health` besides what the host knows, such as how code is confined. Asked each time, so it must not
    /// block.
    pub health_details: Option<HealthDetails>,
}

/// A host and how it is served. Cloning gives the same one.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    host: Host,
    agents: Agents,
    options: Options,
    started: Instant,
    wrong_tokens: WrongTokens,
    stopping: watch::Sender<bool>,
}

impl App {
    /// Serves `host` as `options` say.
    pub fn new(host: Host, options: Options) -> Self {
        let stopping = watch::Sender::new(false);
        let agents = options.agents.clone().unwrap_or_else(|| Agents::new(host.clone()));
        let started = Instant::now();
        let wrong_tokens = WrongTokens::new(started);
        Self(Arc::new(Inner { host, agents, options, started, wrong_tokens, stopping }))
    }

    pub(crate) fn host(&self) -> &Host {
        &self.0.host
    }

    pub(crate) fn agents(&self) -> &Agents {
        &self.0.agents
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// When it was made, which is when the server started.
    pub(crate) fn started(&self) -> Instant {
        self.0.started
    }

    /// The wrong tokens that came.
    pub(crate) fn wrong_tokens(&self) -> &WrongTokens {
        &self.0.wrong_tokens
    }

    /// Ends what would go on for ever.
    pub(crate) fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// Waits for [`App::stop`].
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopping = self.0.stopping.subscribe();
        async move {
            // An error means that the app is gone, which is as good a reason to end.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }
}
