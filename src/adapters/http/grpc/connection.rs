//! One HTTP/2 connection with a limit on concurrent calls. It is closed when it is idle or when the
//! server stops.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::sleep;

use super::Grpc;

/// Maximum number of concurrent calls on a connection.
const MAX_STREAMS: u32 = 8;

/// Maximum length of a call's header, in bytes after decompression.
const MAX_HEADER_LENGTH: u32 = 16 * 1024;

/// How long a client may keep a connection after GOAWAY.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers calls until the client disconnects, the connection was idle for `keep_alive`, or `stopping`
/// is ready and the calls in progress have ended.
pub(in crate::adapters::http) async fn serve(
    grpc: Arc<Grpc>,
    io: impl AsyncRead + AsyncWrite + Unpin + 'static,
    keep_alive: Duration,
    stopping: impl Future<Output = ()>,
) {
    let calls = Calls::default();
    let counting = calls.clone();
    let answer = service_fn(move |request| {
        let (grpc, call) = (Arc::clone(&grpc), counting.begin());
        async move {
            let response = grpc.answer(request).await;
            drop(call);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        http2::Builder::new(OnThisThread)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LENGTH)
            .serve_connection(TokioIo::new(io), answer)
    );
    tokio::select! {
        // An error on this connection concerns its client only.
        _ = &mut connection => return,
        () = calls.idle_for(keep_alive) => {}
        () = stopping => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = &mut connection => {}
        () = calls.idle_for(FAREWELL) => {}
    }
}

/// The calls in progress on a connection.
#[derive(Clone, Default)]
struct Calls(Rc<watch::Sender<usize>>);

/// A call in progress. A disconnect drops the call, so it counts until it is dropped.
struct Call(Rc<watch::Sender<usize>>);

impl Calls {
    fn begin(&self) -> Call {
        self.0.send_modify(|calls| *calls += 1);
        Call(Rc::clone(&self.0))
    }

    /// Ready when no call was in progress for this long.
    async fn idle_for(&self, period: Duration) {
        let mut calls = self.0.subscribe();
        loop {
            // `self` holds the sender, so waiting cannot fail.
            let _ = calls.wait_for(|calls| *calls == 0).await;
            tokio::select! {
                () = sleep(period) => return,
                _ = calls.changed() => {}
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

/// Runs calls on the worker that accepted their connection.
#[derive(Clone)]
struct OnThisThread;

impl<F: Future + 'static> Executor<F> for OnThisThread {
    fn execute(&self, call: F) {
        tokio::task::spawn_local(async move {
            call.await;
        });
    }
}
