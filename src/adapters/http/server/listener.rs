//! Connections: plain HTTP/1.1, or TLS with the negotiated protocol. Clients that offer HTTP/1.1 get
//! HTTP/1.1; clients that offer only HTTP/2 are served gRPC.

use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::{GracefulShutdownSignal, ServerBuilder};
use actix_service::{
    IntoServiceFactory as _, Service as _, ServiceFactory, ServiceFactoryExt as _, fn_factory,
    fn_service, map_config,
};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::{App, Error};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use super::DISCONNECT_TIMEOUT;
use crate::adapters::http::grpc::{Grpc, connection};
use crate::config::ServerSettings;

/// ALPN protocols in order of preference (RFC 7301 §3.1).
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", HTTP_2];

const HTTP_2: &[u8] = b"h2";

#[derive(Clone)]
pub(super) struct Listener {
    pub(super) settings: ServerSettings,
    /// Notified when the server stops
    pub(super) stopping: GracefulShutdownSignal,
}

impl Listener {
    /// HTTP/1.1 without TLS.
    pub(super) fn over_tcp<S>(
        self,
        builder: ServerBuilder,
        listener: TcpListener,
        application: impl Fn() -> App<S> + Send + Clone + 'static,
    ) -> io::Result<ServerBuilder>
    where
        S: Application,
    {
        builder.listen("http", listener, move || {
            let with_peer = |io: TcpStream| {
                let peer = io.peer_addr().ok();
                ready(Ok((io, Protocol::Http1, peer)))
            };
            fn_service(with_peer).and_then(self.http_1(application()))
        })
    }

    /// HTTP/1.1 or gRPC over TLS.
    pub(super) fn over_tls<S>(
        self,
        builder: ServerBuilder,
        listener: TcpListener,
        mut tls: ServerConfig,
        grpc: Arc<Grpc>,
        application: impl Fn() -> App<S> + Send + Clone + 'static,
    ) -> io::Result<ServerBuilder>
    where
        S: Application,
    {
        tls.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        builder.listen("https", listener, move || {
            let mut acceptor = Acceptor::new(tls.clone());
            acceptor.set_handshake_timeout(self.settings.header_timeout);
            let agreed = self.agreed(Arc::clone(&grpc), application());
            // An error on this connection concerns its client only.
            acceptor.map_err(|_| ()).and_then(agreed)
        })
    }

    /// Serves a connection in the negotiated protocol.
    fn agreed<S: Application>(
        &self,
        grpc: Arc<Grpc>,
        application: App<S>,
    ) -> impl ServiceFactory<
        TlsStream<TcpStream>,
        Config = (),
        Response = (),
        Error = (),
        InitError = (),
    > + use<S> {
        let http_1 = Rc::new(self.http_1(application));
        let listener = self.clone();
        fn_factory(move || {
            let (grpc, http_1, listener) =
                (Arc::clone(&grpc), Rc::clone(&http_1), listener.clone());
            async move {
                let http_1 = Rc::new(http_1.new_service(()).await?);
                Ok(fn_service(move |io: TlsStream<TcpStream>| {
                    let (tcp, session) = io.get_ref();
                    let peer = tcp.peer_addr().ok();
                    let is_grpc = session.alpn_protocol() == Some(HTTP_2);
                    let (grpc, http_1) = (Arc::clone(&grpc), Rc::clone(&http_1));
                    let (keep_alive, stopping) =
                        (listener.settings.keep_alive, listener.stopping.clone());
                    async move {
                        if is_grpc {
                            let stopping = async move { stopping.notified().await };
                            connection::serve(grpc, io, keep_alive, stopping).await;
                            return Ok(());
                        }
                        let served = http_1.call((io, Protocol::Http1, peer)).await;
                        served.map_err(|_| ())
                    }
                }))
            }
        })
    }

    fn http_1<S, T>(
        &self,
        application: App<S>,
    ) -> impl ServiceFactory<
        (T, Protocol, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
    > + use<S, T>
    where
        S: Application,
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let stopping = self.stopping.clone();
        let application = application
            .into_factory()
            .map_err(|error: Error| error.error_response());
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(self.settings.keep_alive)
            .client_request_timeout(self.settings.header_timeout)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .finish::<_, BoxBody>(map_config(application, |()| AppConfig::default()))
    }
}

/// The service of an application.
pub(super) trait Application:
    ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    > + 'static
{
}

impl<S> Application for S where
    S: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        > + 'static
{
}
