//! Finding what to work on: the server that is named, the one that holds the data directory, or the host in this process.

use std::time::Duration;

use gathering::config::{ConfigSources, Flag, ReadConfig};
use gathering::{Config, DataDir, GatheRing, StartError};
use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{Client, Reach, Remote};
use crate::cli::Global;
use crate::error::CliError;

/// How long another verb may have the data directory before this one gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may take to take the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Global {
    /// The configuration, with what was said on the command line.
    pub(crate) fn settings(&self, flags: Vec<Flag>) -> Result<ReadConfig, CliError> {
        let mut sources = ConfigSources { file: self.config.clone(), ..ConfigSources::from_environment() };
        if let Some(path) = &self.data_dir {
            sources.flags.push(Flag { name: "--data-dir", key: "data_dir", value: json!(path) });
        }
        sources.flags.extend(flags);
        Ok(sources.read()?)
    }

    /// Finds what to work on.
    pub(crate) async fn connect(&self) -> Result<Client, CliError> {
        if let Some(url) = &self.server {
            let token = match &self.token {
                Some(token) => Some(token.clone()),
                None => self.token_of(url),
            };
            let unreachable = format!("the server at {url} does not answer");
            return Client::remote(url, token, unreachable);
        }
        let mut config = self.settings(Vec::new())?.config;
        config.plugins.watch = false;
        match open(config).await {
            Ok(gathering) => {
                if self.verbose {
                    gathering.problems().iter().for_each(|problem| tracing::warn!("{problem}"));
                }
                Ok(Client::embedded(gathering))
            }
            Err(StartError::InUse { path, pid, url: Some(url) }) => {
                let token = self
                    .token
                    .clone()
                    .map_or_else(|| DataDir::new(&path).operator_token(), |token| Ok(Some(token)))?;
                let process = pid.map(|pid| format!(", process {pid},")).unwrap_or_default();
                let unreachable = format!(
                    "the data directory `{}` is held by the server at {url}{process} which does not answer",
                    path.display()
                );
                Client::remote(&url, token, unreachable)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The operator's token, if the server at `url` is the one of the data directory: it is sent to no other.
    fn token_of(&self, url: &str) -> Option<String> {
        let data_dir = DataDir::new(self.settings(Vec::new()).ok()?.config.data_dir?);
        let server = data_dir.server()?;
        (server.url == url.trim_end_matches('/')).then(|| data_dir.operator_token().ok().flatten())?
    }
}

/// Opens the data directory. While a process that is no server has it, such as another verb, waits for its end.
async fn open(config: Config) -> Result<GatheRing, StartError> {
    let latest = Instant::now() + PATIENCE;
    loop {
        match GatheRing::open(config.clone()).await {
            Err(StartError::InUse { path, url: None, .. }) if Instant::now() < latest => {
                let released = tokio::task::spawn_blocking(move || DataDir::new(path).released());
                if let Ok(Ok(Err(error))) = timeout_at(latest, released).await {
                    return Err(error);
                }
            }
            opened => return opened,
        }
    }
}

impl Client {
    fn remote(url: &str, token: Option<String>, unreachable: String) -> Result<Self, CliError> {
        let url = url.trim_end_matches('/').to_owned();
        let is_plain = url.parse::<Uri>().is_ok_and(|uri| {
            uri.scheme_str() == Some("http") && uri.host().is_some() && uri.query().is_none()
        });
        if !is_plain {
            let message =
                format!("`{url}` is no address of a server: it is written like http://127.0.0.1:8000");
            return Err(CliError::usage(message));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { reach: Reach::Remote(Box::new(Remote { http, url, token, unreachable })) })
    }
}
