//! Request bodies with a time limit. The middleware keeps a body after the handler has dropped it.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Minimum average rate after the time limit, in bytes per second. A large artifact may take hours at
/// this rate.
const MINIMUM_RATE: u64 = 64 << 10;

/// A request body, shared between the handler that reads it and the middleware.
///
/// The framework reads a chunked body to its end after the reader is dropped, without a time limit.
/// If the middleware still holds the body when the response is sent, the connection is closed instead.
pub(super) struct SharedBody {
    payload: RefCell<Payload>,
    state: Cell<BodyState>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyState {
    Open,
    Finished,
    /// It did not arrive in time
    Late,
}

impl SharedBody {
    /// Replaces a request's body by one that fails after `limit`.
    pub(super) fn limit(request: &mut ServiceRequest, limit: Duration) -> Rc<Self> {
        let (body, timed) = Self::new(request.take_payload(), limit);
        if let Some(timed) = timed {
            request.set_payload(Payload::Stream {
                payload: Box::pin(timed),
            });
        }
        body
    }

    fn new(payload: Payload, limit: Duration) -> (Rc<Self>, Option<TimedBody>) {
        let is_empty = matches!(payload, Payload::None);
        let body = Rc::new(Self {
            payload: RefCell::new(payload),
            state: Cell::new(if is_empty {
                BodyState::Finished
            } else {
                BodyState::Open
            }),
        });
        let timed = (!is_empty).then(|| TimedBody {
            body: Rc::clone(&body),
            limit,
            received: 0,
            deadline: None,
        });
        (body, timed)
    }

    pub(super) fn is_late(&self) -> bool {
        self.state.get() == BodyState::Late
    }

    pub(super) fn is_finished(&self) -> bool {
        self.state.get() == BodyState::Finished
    }
}

/// A response body that holds the request body until the response is sent.
pub(super) struct BodyWithRequest {
    pub(super) sent: BoxBody,
    pub(super) _received: Rc<SharedBody>,
}

impl MessageBody for BodyWithRequest {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.sent.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.sent).poll_next(cx)
    }
}

/// A body that fails when no data arrives for its limit, or when it is not complete after its limit and
/// one second for each [`MINIMUM_RATE`] bytes received.
struct TimedBody {
    body: Rc<SharedBody>,
    limit: Duration,
    /// Bytes received
    received: u64,
    // Set at the first wait, because most bodies have arrived before they are read.
    deadline: Option<Deadline>,
}

struct Deadline {
    begun: Instant,
    /// When data last arrived
    last: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Deadline {
    fn set(limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            last: now,
            sleep: Box::pin(sleep_until(now + limit)),
        }
    }

    /// Ready at the deadline, which moves as data arrives.
    fn poll(&mut self, limit: Duration, received: u64, cx: &mut Context<'_>) -> Poll<()> {
        let earned = Duration::from_secs(received / MINIMUM_RATE);
        let deadline = (self.begun + limit + earned).min(self.last + limit);
        while self.sleep.as_mut().poll(cx).is_ready() {
            if self.sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl Stream for TimedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.body.state.get() != BodyState::Open {
            return Poll::Ready(None);
        }
        let piece = Pin::new(&mut *self.body.payload.borrow_mut()).poll_next(cx);
        if let Poll::Ready(piece) = piece {
            match &piece {
                Some(Ok(bytes)) => {
                    self.received += bytes.len() as u64;
                    if let Some(deadline) = &mut self.deadline {
                        deadline.last = Instant::now();
                    }
                }
                Some(Err(_)) => {}
                None => self.body.state.set(BodyState::Finished),
            }
            return Poll::Ready(piece);
        }
        let (limit, received) = (self.limit, self.received);
        let deadline = self.deadline.get_or_insert_with(|| Deadline::set(limit));
        match deadline.poll(limit, received, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.body.state.set(BodyState::Late);
                let slow = std::io::Error::from(std::io::ErrorKind::TimedOut);
                Poll::Ready(Some(Err(PayloadError::Io(slow))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use futures_util::stream;
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// A body whose pieces arrive after pauses, in seconds. `None` is a pause that never ends.
    fn body(pieces: Vec<(Option<u64>, usize)>) -> TimedBody {
        let pieces = stream::iter(pieces).then(|(pause, bytes)| async move {
            match pause {
                Some(seconds) => sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
            Ok(Bytes::from(vec![0; bytes]))
        });
        let payload = Payload::Stream {
            payload: pieces.boxed_local(),
        };
        SharedBody::new(payload, LIMIT).1.unwrap()
    }

    async fn read(mut body: TimedBody) -> Result<usize, Duration> {
        let begun = Instant::now();
        let mut read = 0;
        while let Some(piece) = body.next().await {
            read += piece.map_err(|_| begun.elapsed())?.len();
        }
        Ok(read)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_arriving_fast_enough_may_take_longer_than_the_limit() {
        let rate = 64 << 10;

        let taken = read(body(vec![(Some(9), 9 * rate); 5])).await;

        assert_eq!(taken, Ok(45 * rate));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_cut_off_at_the_limit() {
        let taken = read(body(vec![(Some(4), 100); 5])).await;

        assert_eq!(taken, Err(LIMIT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_body_that_stops_is_cut_off_after_the_limit() {
        let taken = read(body(vec![(Some(1), 64 << 20), (None, 0)])).await;

        assert_eq!(taken, Err(LIMIT + Duration::from_secs(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_arrives_is_cut_off_at_the_limit() {
        assert_eq!(read(body(vec![(None, 0)])).await, Err(LIMIT));
    }
}
