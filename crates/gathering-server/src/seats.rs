//! Which connection makes room when all places are taken: the one that has asked for nothing for longest.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use futures_util::FutureExt;
use futures_util::future::{Join, Map, Ready, join, ready};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::Service;
use tokio::sync::Notify;

/// All places that are taken.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    taken: Mutex<BTreeMap<u64, Arc<Seat>>>,
    counted: AtomicU64,
    /// A connection has nothing to do any more.
    idle: Notify,
}

#[derive(Debug)]
struct Seat {
    /// How many requests are being answered.
    busy: AtomicUsize,
    since: Mutex<Instant>,
    leave: Notify,
}

/// A connection's place, until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    seats: Arc<Seats>,
    number: u64,
    seat: Arc<Seat>,
}

impl Seats {
    /// Takes a place for a connection.
    pub(crate) fn take(self: &Arc<Self>) -> Taken {
        let number = self.counted.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat {
            busy: AtomicUsize::new(0),
            since: Mutex::new(Instant::now()),
            leave: Notify::new(),
        });
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(number, seat.clone());
        Taken { seats: self.clone(), number, seat }
    }

    /// Asks the connection to leave that has asked for nothing for longest, if there is one.
    pub(crate) fn make_room(&self) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = taken.values().filter(|seat| seat.busy.load(Ordering::SeqCst) == 0);
        let longest = idle.min_by_key(|seat| *seat.since.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(seat) = longest {
            seat.leave.notify_one();
        }
    }

    /// Returns when a connection may have nothing to do any more.
    pub(crate) async fn idle(&self) {
        self.idle.notified().await;
    }
}

impl Taken {
    /// Returns when another connection needs the place and this one has nothing to do.
    pub(crate) async fn to_leave(&self) {
        loop {
            self.seat.leave.notified().await;
            // It may have begun something since.
            if self.seat.busy.load(Ordering::SeqCst) == 0 {
                return;
            }
        }
    }

    /// The service of this connection.
    pub(crate) fn serve<S>(self: &Arc<Self>, inner: S) -> Seated<S> {
        Seated { taken: self.clone(), inner }
    }

    fn busy(self: &Arc<Self>) -> Busy {
        self.seat.busy.fetch_add(1, Ordering::SeqCst);
        Busy(self.clone())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

/// A request is being answered until this is dropped.
pub(crate) struct Busy(Arc<Taken>);

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.seat.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.seat.busy.fetch_sub(1, Ordering::SeqCst);
        self.0.seats.idle.notify_one();
    }
}

/// Serves one connection and knows when it has something to do: from a request's head to the end of its answer's body.
pub(crate) struct Seated<S> {
    taken: Arc<Taken>,
    inner: S,
}

impl<S> Service<Request<Incoming>> for Seated<S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Answering>;
    type Error = Infallible;
    type Future = Answered<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        join(self.inner.call(request), ready(self.taken.busy()))
            .map(answering as fn((Outcome<Body>, Busy)) -> Outcome<Answering>)
    }
}

type Outcome<B> = Result<Response<B>, Infallible>;
/// It is busy as long as this is there, and then as long as the answer's body is. Costs no allocation a request.
type Answered<F> = Map<Join<F, Ready<Busy>>, fn((Outcome<Body>, Busy)) -> Outcome<Answering>>;

fn answering((answer, busy): (Outcome<Body>, Busy)) -> Outcome<Answering> {
    answer.map(|answer| answer.map(|body| Answering { body, _busy: busy }))
}

/// The body of an answer.
pub(crate) struct Answering {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_asked_for_nothing_for_longest_makes_room() {
        let seats = Arc::new(Seats::default());
        let [busy, first, second] = [(); 3].map(|()| Arc::new(seats.take()));
        let answering = busy.busy();
        drop(first.busy());

        seats.make_room();

        second.to_leave().await;
        assert!(first.to_leave().now_or_never().is_none() && busy.to_leave().now_or_never().is_none());
        drop(second);
        seats.make_room();
        first.to_leave().await;
        drop(answering);
    }

    #[tokio::test]
    async fn who_has_something_to_do_again_stays_and_is_told_of_at_its_end() {
        let seats = Arc::new(Seats::default());
        let only = Arc::new(seats.take());

        seats.make_room();
        let busy = only.busy();

        assert!(only.to_leave().now_or_never().is_none());
        drop(busy);
        seats.idle().await;
        seats.make_room();
        only.to_leave().await;
    }
}
