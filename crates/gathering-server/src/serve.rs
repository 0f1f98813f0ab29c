//! Serving over TCP: connections are bounded, slow ones are closed, and stopping lets calls in flight end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::access::check_address;
use crate::app::App;
use crate::routes::router;
use crate::seats::Seats;

/// How many connections are served at once. A further one takes the place of the one that has asked for nothing for
/// longest, or waits for a place if all have something to do. Below the usual limit of 1,024 open files, because workers
/// need some too.
const MAX_CONNECTIONS: usize = 512;
/// How long a client may take to send the head of a request, and a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How large the head of a request may be, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// How long to wait before the next connection is accepted when that failed for want of files or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `app` on `listener` until `shutdown` is done, then takes no new connections, ends streams of events, and
/// returns when the calls in flight have ended: [`Host::shutdown`](gathering_host::Host::shutdown), called at the same
/// time, gives them their time. A client that goes away cancels its call; dropping this future cancels all.
///
/// Refuses a listener that [`check_address`] refuses.
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    check_address(listener.local_addr()?, &app.options().access)
        .map_err(|refused| io::Error::new(io::ErrorKind::InvalidInput, refused))?;
    let service = TowerToHyperService::new(router(app.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_header_size(MAX_HEAD);
    let seats = Arc::new(Seats::default());
    let mut connections = JoinSet::new();
    let mut next = None;
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => log_panic(ended),
            () = seats.idle(), if next.is_some() => {}
            accepted = accept(&listener), if next.is_none() => next = Some(accepted),
        }
        if next.is_some() && connections.len() >= MAX_CONNECTIONS {
            seats.make_room();
            continue;
        }
        let Some(stream) = next.take() else { continue };
        let taken = Arc::new(seats.take());
        let connection = http.serve_connection(TokioIo::new(stream), taken.serve(service.clone()));
        let stopped = app.stopped();
        connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let mut outcome = tokio::select! {
                outcome = connection.as_mut() => Some(outcome),
                () = taken.to_leave() => return,
                () = stopped => None,
            };
            if outcome.is_none() {
                connection.as_mut().graceful_shutdown();
                outcome = Some(connection.await);
            }
            if let Some(Err(error)) = outcome {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    app.stop();
    while let Some(ended) = connections.join_next().await {
        log_panic(ended);
    }
    Ok(())
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small: waiting for more to send with them would only delay them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                return stream;
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The client was gone before it was accepted; the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task ended by a panic");
    }
}
