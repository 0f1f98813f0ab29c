//! What may be reached: a host by its grant, and the address that it has now by what that is.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use gathering_core::{Access, Grants, Permissions, PluginId};
use hyper::StatusCode;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How many names of one plugin are looked up at once. The system's resolver cannot be stopped, so one that hangs keeps
/// its place until it comes back.
const LOOKUPS: usize = 8;

/// Finds the addresses of a host; blocks.
pub(super) type Resolve = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Decides what the workers of one plugin may reach.
pub(super) struct Gate {
    plugin: PluginId,
    grants: Grants,
    asked: Permissions,
    resolve: Arc<Resolve>,
    lookups: Arc<Semaphore>,
    /// How long looking a host up and connecting to it may take.
    limit: Duration,
}

/// Why a connection is not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The plugin may not.
    #[error("{0}")]
    NotGranted(String),
    /// What was asked for cannot be understood.
    #[error("{0}")]
    BadRequest(&'static str),
    /// The host's name means nothing.
    #[error("`{host}` could not be resolved: {reason}")]
    Unresolved { host: String, reason: String },
    /// Nothing at the other end answers, or not in HTTP.
    #[error("`{host}:{port}` could not be reached: {reason}")]
    Unreachable { host: String, port: u16, reason: String },
    /// It took too long.
    #[error("`{host}:{port}` could not be reached within {limit:?}")]
    TimedOut { host: String, port: u16, limit: Duration },
}

impl Refusal {
    /// The status that a proxy answers with (RFC 9110).
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotGranted(_) => StatusCode::FORBIDDEN,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unresolved { .. } | Self::Unreachable { .. } => StatusCode::BAD_GATEWAY,
            Self::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl Gate {
    pub(super) fn new(
        plugin: PluginId,
        grants: Grants,
        asked: Permissions,
        resolve: Arc<Resolve>,
        limit: Duration,
    ) -> Self {
        Self { plugin, grants, asked, resolve, lookups: Arc::new(Semaphore::new(LOOKUPS)), limit }
    }

    /// Connects to a host, if the plugin may.
    ///
    /// The connection goes to the very address that was checked: a name is resolved once, so that it cannot mean something
    /// else by the time that it is connected to.
    pub(super) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Refusal> {
        let limit = self.limit;
        let access = Access::Network { host, port };
        if !self.grants.permits(access) {
            return Err(Refusal::NotGranted(access.refused(&self.plugin, &self.asked)));
        }
        let connected = timeout(limit, async {
            let addresses = self.addresses(host, port).await?;
            let mut reason = "it has no address".to_owned();
            for address in addresses {
                // One that does not answer leaves time for the next.
                match timeout(limit / 2, TcpStream::connect(address)).await {
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(error)) => reason = error.to_string(),
                    Err(_) => reason = format!("{address} does not answer"),
                }
            }
            Err(Refusal::Unreachable { host: host.to_owned(), port, reason })
        });
        connected.await.unwrap_or_else(|_| Err(Refusal::TimedOut { host: host.to_owned(), port, limit }))
    }

    /// The addresses of `host` that may be connected to.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let found = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.look_up(host, port).await?,
        };
        let (reachable, closed): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|address| self.grants.may_reach(address.ip(), port));
        let (None, Some(first)) = (reachable.first(), closed.first()) else { return Ok(reachable) };
        let address = first.ip().to_canonical().to_string();
        let refused = Access::Network { host: &address, port }.refused(&self.plugin, &self.asked);
        Err(Refusal::NotGranted(format!("`{host}` is at {address}, which is no public address: {refused}")))
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        let unresolved = |reason: String| Refusal::Unresolved { host: host.to_owned(), reason };
        let turn = self.lookups.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (resolve, name) = (self.resolve.clone(), host.to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            resolve(&name, port)
        });
        let looked = looked.await.map_err(|panic| unresolved(panic.to_string()))?;
        looked.map_err(|error| unresolved(error.to_string()))
    }
}

/// Asks the system's resolver.
pub(super) fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Iterator::collect)
}
