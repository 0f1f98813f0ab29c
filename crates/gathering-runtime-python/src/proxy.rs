//! The proxy of the workers of one plugin: their one way to a network, and only to what the plugin is granted.
//!
//! A worker has a network of its own, in which one socket listens; this is who accepts from it. It speaks HTTP/1.1: a
//! request for an `http://` address is passed on ([`exchange`]), and `CONNECT` opens a tunnel for anything else. What
//! may be reached, and at which address, is for the [`gate`] to say.

mod exchange;
mod gate;
mod watched;

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, net};

use gathering_core::{Grants, Permissions, PluginId};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::log::Redacted;
use gate::{Gate, Refusal};
use watched::{Use, Watched};

/// The most that a request's line and headers, or an answer's, may have, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// How long looking a host up and connecting to it may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How many refusals are remembered so as not to be logged again.
const MAX_REMEMBERED: usize = 256;
/// How long nothing is accepted after that failed, which is when this program has no descriptors left.
const BREATH: Duration = Duration::from_secs(1);

/// The proxy of the workers of one plugin.
pub(crate) struct Proxy {
    gate: Gate,
    limits: Limits,
    log: Redacted,
    refused: Mutex<HashSet<String>>,
}

/// What one worker may take of it.
#[derive(Debug, Clone)]
struct Limits {
    /// Connections at once. Further ones wait.
    connections: usize,
    /// How long a request's headers may take.
    head: Duration,
    /// How long a connection may do nothing.
    idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 64, head: Duration::from_secs(10), idle: Duration::from_secs(120) }
    }
}

impl Proxy {
    /// The proxy of a plugin that is granted hosts; `None` if it is granted none.
    pub(crate) fn new(
        plugin: PluginId,
        grants: &Grants,
        asked: &Permissions,
        log: Redacted,
    ) -> Option<Arc<Self>> {
        if grants.network.is_empty() {
            return None;
        }
        let gate = Gate::new(plugin, grants.clone(), asked.clone(), Arc::new(gate::look_up), CONNECT);
        Some(Arc::new(Self::with(gate, Limits::default(), log)))
    }

    fn with(gate: Gate, limits: Limits, log: Redacted) -> Self {
        Self { gate, limits, log, refused: Mutex::default() }
    }

    /// Serves the worker that connects to `listener`, until this is dropped and all its connections with it.
    pub(crate) async fn serve(self: Arc<Self>, listener: net::TcpListener) {
        let adopted = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
        let listener = match adopted {
            Ok(listener) => listener,
            Err(error) => return tracing::error!("a plugin has no network: {error}"),
        };
        let mut connections = JoinSet::new();
        loop {
            let full = connections.len() >= self.limits.connections;
            tokio::select! {
                Some(_) = connections.join_next() => {}
                accepted = listener.accept(), if !full => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(self.clone().attend(stream))),
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        tracing::warn!("a plugin's connection was not accepted: {error}");
                        tokio::time::sleep(BREATH).await;
                    }
                },
            }
        }
    }

    /// Serves one connection, which carries one request: whoever sends a second one behind it is not heard.
    async fn attend(self: Arc<Self>, stream: TcpStream) {
        let used = Use::default();
        let stream = TokioIo::new(Watched::new(stream, used.clone()));
        let beside = Beside::default();
        let service = service_fn(|request| {
            let (proxy, beside) = (self.clone(), beside.clone());
            async move {
                let answer = match exchange::answer(&proxy.gate, request, &beside).await {
                    Ok(answer) => answer,
                    Err(refusal) => {
                        proxy.note(&refusal).await;
                        exchange::refuse(&refusal)
                    }
                };
                Ok::<_, Infallible>(answer)
            }
        });
        let mut server = http1::Builder::new();
        server
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_header_size(MAX_HEAD)
            .max_buf_size(2 * MAX_HEAD)
            .keep_alive(false);
        let served = async {
            // What goes wrong with a connection is nobody's business but of those at its ends, who notice.
            if server.serve_connection(stream, service).with_upgrades().await.is_ok() {
                beside.finish().await;
            }
        };
        tokio::select! {
            () = served => {}
            () = used.idle(self.limits.idle) => {}
        }
    }

    /// Writes to the plugin's log what it may not reach, once for each text.
    async fn note(&self, refusal: &Refusal) {
        let Refusal::NotGranted(text) = refusal else { return };
        {
            let mut refused = lock(&self.refused);
            if refused.len() >= MAX_REMEMBERED || !refused.insert(text.clone()) {
                return;
            }
        }
        self.log.append(format!("refused: {text}\n").into_bytes()).await;
    }
}

/// What goes on beside the talk with the worker: the talk with a server, or a tunnel. Dropping it ends that.
#[derive(Clone, Default)]
struct Beside(Arc<Mutex<JoinSet<()>>>);

impl Beside {
    fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        lock(&self.0).spawn(work);
    }

    /// Waits until all that was started has ended.
    async fn finish(&self) {
        let mut started = std::mem::take(&mut *lock(&self.0));
        while started.join_next().await.is_some() {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
