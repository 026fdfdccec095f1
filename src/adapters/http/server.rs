//! The HTTP server: binds, serves, announces, drains. What is served is given to it.

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

/// Adds the data of handlers to an application; called once for each worker.
pub(crate) type HandlerData = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// What is served and how.
pub(crate) struct Shell {
    /// How patient the server is, and with how many
    pub server: ServerSettings,
    /// The largest bodies
    pub limits: LimitsSettings,
    /// TLS, if the server itself speaks it; see [`load_tls`]
    pub tls: Option<ServerConfig>,
    /// Where requests are counted
    pub metrics: Arc<Metrics>,
    /// The APIs
    pub mounts: Vec<Mount>,
    /// The data of their handlers
    pub data: HandlerData,
    /// What is served as gRPC, where the server itself speaks TLS
    pub grpc: Vec<Method>,
}

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, or not this machine's
    #[error("cannot listen on {address}")]
    Bind {
        /// The address that was asked for
        address: SocketAddr,
        /// What the system said
        #[source]
        source: io::Error,
    },
    /// The certificate file holds no certificate
    #[error("tls.certificate_file: {file} cannot be read as PEM certificates")]
    Certificate {
        /// The file that was named
        file: String,
    },
    /// The key file cannot be read, or others may read it
    #[error("tls.key_file")]
    KeyFile(#[from] KeyStoreError),
    /// The key file holds no private key
    #[error("tls.key_file: {file} is not a PEM private key")]
    Key {
        /// The file that was named
        file: String,
    },
    /// Key and certificate do not belong together, or rustls refuses them
    #[error("tls: the certificate and the key cannot be used together")]
    Tls(#[from] rustls::Error),
    /// The server ended before it answered anything
    #[error("the server ended before it could answer")]
    EndedEarly,
    /// The system refused what a server needs
    #[error("the server could not run")]
    Io(#[from] io::Error),
}

/// A listening socket that nobody serves yet; clients that connect wait in its queue.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Takes the address. Port 0 lets the system choose; [`Self::address`] tells which.
    ///
    /// # Errors
    /// The address is taken, or not this machine's.
    pub fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        let refused = |source| ServerError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// The address with the real port.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Reads the server's certificate and key, for TLS 1.2 and 1.3.
///
/// # Errors
/// Unreadable or mismatched files, or a key that others may read.
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

/// A server that answers requests.
pub(crate) struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

/// Starts serving and returns once requests are answered. Call it within a tokio runtime.
///
/// # Errors
/// The system refuses threads or sockets.
pub(crate) async fn start(bound: Bound, shell: Shell) -> Result<Running, ServerError> {
    let (address, settings) = (bound.address, shell.server);
    let workers = settings.workers.unwrap_or_else(processors);
    let (ready, serving) = Ready::channel();
    let context = Arc::new(RequestContext {
        metrics: shell.metrics,
        body_timeout: settings.body_timeout,
    });
    let grpc = Arc::new(Grpc::new(shell.grpc, Arc::clone(&context)));
    let context = web::Data::from(context);
    let unmatched = UnmatchedFormats::of(&shell.mounts);
    let (mounts, data, body_bytes) = (shell.mounts, shell.data, shell.limits.body_bytes);
    let application = move || {
        ready.tell();
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
        // The framework's limit is for each worker.
        .max_concurrent_connections(settings.max_connections.div_ceil(workers))
        .shutdown_timeout(settings.shutdown.as_secs())
        .disable_signals();
    let listener = Listener {
        settings,
        stopping: builder.graceful_shutdown_signal(),
    };
    let builder = match shell.tls {
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

/// Told once, by the first worker that can answer.
#[derive(Clone)]
struct Ready(Arc<Mutex<Option<oneshot::Sender<()>>>>);

impl Ready {
    fn channel() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Arc::new(Mutex::new(Some(sender)))), receiver)
    }

    fn tell(&self) {
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.take() {
            // Nobody waits any more when the start was given up.
            let _ = sender.send(());
        }
    }
}

impl Running {
    /// Where the server listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, lets those in flight end within `server.shutdown_seconds`, and
    /// returns when all is done.
    ///
    /// # Errors
    /// The server had failed.
    pub(crate) async fn stop(self) -> Result<(), ServerError> {
        self.handle.stop(true).await;
        Ok(self.task.await.map_err(io::Error::from)??)
    }

    /// Serves until `stopping` is ready, then drains. Ends early if the server itself fails.
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
/// The system gives no signals.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    // Registered here and not at the first poll, so that no signal is missed before it.
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
