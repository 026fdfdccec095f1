//! The HTTP server: it binds an address, serves, and drains.

mod listener;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_server::{Server, ServerHandle};
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::{App, web};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::body::ServerLimit;
use super::grpc::{Grpc, Method};
use super::metrics::Metrics;
use super::middleware::{RequestContext, handle_request};
use super::route::{Mount, UnmatchedFormats};
use crate::adapters::keystore::{KeyStoreError, read_secret_file};
use crate::config::{LimitsSettings, ServerSettings, TlsSettings};
use listener::Listener;

/// Adds the handlers' data to an application; called once for each worker.
pub(crate) type HandlerData = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// The configuration of a server.
pub(crate) struct HttpServerConfig {
    /// Timeouts and connection limits
    pub server: ServerSettings,
    /// Body limits
    pub limits: LimitsSettings,
    /// None for plain HTTP; see [`load_tls`]
    pub tls: Option<ServerConfig>,
    pub metrics: Arc<Metrics>,
    pub mounts: Vec<Mount>,
    pub data: HandlerData,
    /// gRPC methods, which are served over TLS only
    pub grpc: Vec<Method>,
}

/// Error running the server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("tls.certificate_file: {file} cannot be read as PEM certificates")]
    Certificate { file: String },
    #[error("tls.key_file")]
    KeyFile(#[from] KeyStoreError),
    #[error("tls.key_file: {file} is not a PEM private key")]
    Key { file: String },
    #[error("tls: the certificate and the key cannot be used together")]
    Tls(#[from] rustls::Error),
    #[error("the server stopped during start-up")]
    EndedEarly,
    /// Threads, sockets or signals
    #[error("the server cannot run")]
    Io(#[from] io::Error),
}

/// A listening socket. Clients that connect before the server starts wait in its queue.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Listens on an address. With port 0 the system chooses one; see [`Self::address`].
    ///
    /// # Errors
    /// The address is in use or not available.
    pub fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        let refused = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Reads the server's certificate and key, for TLS 1.2 and 1.3.
///
/// # Errors
/// The files cannot be read or do not match, or other users may read the key.
pub(crate) fn load_tls(settings: &TlsSettings) -> Result<ServerConfig, ServerError> {
    let file = settings.certificate_file.display().to_string();
    let unreadable = || ServerError::Certificate { file: file.clone() };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(&settings.certificate_file)
            .and_then(Iterator::collect)
            .map_err(|_| unreadable())?;
    if chain.is_empty() {
        return Err(unreadable());
    }
    let pem = read_secret_file(&settings.key_file)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| ServerError::Key {
        file: settings.key_file.display().to_string(),
    })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(config)
}

/// A running server.
pub(crate) struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

/// Starts the server and returns once it responds to requests. Must be called within a tokio runtime.
///
/// # Errors
/// Threads or sockets are not available.
pub(crate) async fn start(bound: Bound, config: HttpServerConfig) -> Result<Running, ServerError> {
    let (address, settings) = (bound.address, config.server);
    let workers = settings.workers.unwrap_or_else(processors);
    let (ready, serving) = Ready::channel();
    let context = Arc::new(RequestContext {
        metrics: config.metrics,
        body_timeout: settings.body_timeout,
    });
    let grpc = Arc::new(Grpc::new(config.grpc, Arc::clone(&context)));
    let context = web::Data::from(context);
    let unmatched = UnmatchedFormats::of(&config.mounts);
    let (mounts, data, body_bytes) = (config.mounts, config.data, config.limits.body_bytes);
    let application = move || {
        ready.signal();
        App::new()
            .app_data(context.clone())
            .app_data(unmatched.clone())
            .app_data(web::PayloadConfig::new(body_bytes))
            .app_data(ServerLimit(body_bytes))
            .configure(|cfg| data(cfg))
            .configure(|cfg| mounts.iter().for_each(|mount| mount.register(cfg)))
            .wrap(from_fn(handle_request))
            // Some clients append a slash to every path.
            .wrap(NormalizePath::trim())
    };
    let builder = Server::build()
        .workers(workers)
        // The framework limits the connections of each worker.
        .max_concurrent_connections(settings.max_connections.div_ceil(workers))
        .shutdown_timeout(settings.shutdown.as_secs())
        .disable_signals();
    let listener = Listener {
        settings,
        stopping: builder.graceful_shutdown_signal(),
    };
    let builder = match config.tls {
        Some(tls) => listener.over_tls(builder, bound.listener, tls, grpc, application)?,
        None => listener.over_tcp(builder, bound.listener, application)?,
    };
    let server = builder.run();
    let handle = server.handle();
    let mut task = tokio::spawn(server);
    tokio::select! {
        started = serving => started.map_err(|_| ServerError::EndedEarly)?,
        ended = &mut task => {
            ended.map_err(io::Error::from)??;
            return Err(ServerError::EndedEarly);
        }
    }
    Ok(Running {
        address,
        handle,
        task,
    })
}

/// How long a client may take to close a connection that the server has closed.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, NonZero::get)
}

/// Signalled once, by the first worker that is ready.
#[derive(Clone)]
struct Ready(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl Ready {
    fn channel() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Arc::new(Mutex::new(Some(sender)))), receiver)
    }

    fn signal(&self) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.take() {
            // The receiver is gone if the start has failed.
            let _ = sender.send(());
        }
    }
}

impl Running {
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting requests and returns when those in flight have ended, at the latest after
    /// `server.shutdown_seconds`.
    ///
    /// # Errors
    /// The server had failed before.
    pub(crate) async fn stop(self) -> Result<(), ServerError> {
        self.handle.stop(true).await;
        Ok(self.task.await.map_err(io::Error::from)??)
    }

    /// Serves until `stopping` is ready or the server fails, then drains.
    ///
    /// # Errors
    /// The server failed.
    pub(crate) async fn serve_until(
        mut self,
        stopping: impl Future<Output = ()>,
    ) -> Result<(), ServerError> {
        tokio::select! {
            () = stopping => self.stop().await,
            ended = &mut self.task => Ok(ended.map_err(io::Error::from)??),
        }
    }
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// Signals are not available.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    // Registered here, not at the first poll, so that an early signal is not missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests;
