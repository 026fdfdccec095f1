//! An instance that terminates TLS itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::support::account::{EMAIL, token_in};
use crate::support::http::{Reply, Request, connect, exchange};
use crate::support::program::{Program, Server};

/// Writes a self-signed certificate for `localhost` and its key.
fn write_certificate(program: &Program, name: &str) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    program.write(&format!("{name}.crt"), made.cert.pem());
    write_key(
        program,
        &format!("{name}.key"),
        &made.signing_key.serialize_pem(),
        0o600,
    );
}

fn write_key(program: &Program, name: &str, pem: &str, mode: u32) {
    let file = program.write(name, pem);
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn configure(program: &Program, lines: &str) {
    let file = program.write("signet.toml", lines);
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
}

const TLS: &str = "[tls]\ncertificate_file = \"tls.crt\"\nkey_file = \"tls.key\"\n";

/// A server with TLS, and with these lines of configuration.
pub fn serving(lines: &str) -> (Program, Server) {
    let program = Program::new();
    write_certificate(&program, "tls");
    configure(&program, &format!("{lines}{TLS}"));
    let server = program.serve(&["--config", "signet.toml"]);
    (program, server)
}

/// A client that trusts the server's certificate only, with these versions of TLS.
pub fn client_config(
    program: &Program,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let pem = fs::read(program.path("tls.crt")).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(rustls::pki_types::CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// An identity token for a new machine account for [`EMAIL`].
pub fn new_token(program: &Program, server: &Server) -> String {
    let request = program.add_account(EMAIL).token_request();
    token_in(ask(program, server, &request))
}

/// Sends a request with TLS 1.3.
pub fn ask(program: &Program, server: &Server, request: &Request) -> Reply {
    ask_with(program, server, &TLS13, request).1
}

/// Sends a request with one version of TLS; returns the version that was negotiated, and the reply.
fn ask_with(
    program: &Program,
    server: &Server,
    version: &'static SupportedProtocolVersion,
    request: &Request,
) -> (ProtocolVersion, Reply) {
    let config = client_config(program, &[version]);
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(session, connect(server.address()));
    let reply = exchange(&mut stream, &request.to_bytes());
    (
        stream.conn.protocol_version().unwrap(),
        Reply::parse(&reply).unwrap(),
    )
}

#[test]
fn tls_1_2_and_1_3_are_accepted_and_urls_are_https() {
    let (program, server) = serving("");
    for (version, negotiated) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let (version, reply) = ask_with(&program, &server, version, &Request::get("/readyz"));

        assert_eq!(version, negotiated);
        assert_eq!(reply.status, 200);
    }
    let request = Request::get("/trust/signing_config.v0.2.json");
    let config = ask(&program, &server, &request);
    let url = format!("https://localhost:{}", server.address().port());
    assert_eq!(config.json()["caUrls"][0]["url"], url);
}

#[test]
fn plain_http_on_a_tls_port_gets_no_answer() {
    let (_program, server) = serving("");

    let reply = exchange(
        connect(server.address()),
        &Request::get("/healthz").to_bytes(),
    );

    assert!(Reply::parse(&reply).is_none(), "{reply:?}");
}

#[test]
fn a_connection_without_handshake_or_header_is_closed() {
    let (program, server) = serving("[server]\nheader_timeout_seconds = 1\n");
    let config = Arc::new(client_config(&program, &[&TLS13]));
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(config, name).unwrap();
    let encrypted = StreamOwned::new(session, connect(server.address()));

    let without_handshake = exchange(connect(server.address()), b"");
    let without_header = exchange(encrypted, b"GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ");

    assert_eq!(without_handshake, b"");
    let status = Reply::parse(&without_header).map(|reply| reply.status);
    assert!(matches!(status, None | Some(408)), "{status:?}");
}

#[test]
fn sign_and_verify_need_the_ca_file_of_a_private_ca() {
    let (program, server) = serving("");
    let url = format!("https://localhost:{}", server.address().port());
    let token = new_token(&program, &server);
    program.write("release", "what is released");
    let ca = ["--ca-file", "tls.crt"];

    let without = program.sign_release(&url, &token, &[]);
    let with = program.sign_release(&url, &token, &ca);

    without.check(1, "cannot be reached");
    with.check(0, "signed release");
    let online = [&["--url", &url, "release"][..], &ca].concat();
    program.verify(&url, &online).check(0, "is verified");
}

#[test]
fn unusable_tls_files_are_refused_at_the_start() {
    let program = Program::new();
    write_certificate(&program, "tls");
    write_certificate(&program, "other");
    program.write("empty.crt", "");
    write_key(&program, "empty.key", "", 0o600);
    let open = fs::read_to_string(program.path("tls.key")).unwrap();
    write_key(&program, "open.key", &open, 0o644);
    for (certificate, key, message) in [
        (
            "tls.crt",
            "other.key",
            "the certificate and the key cannot be used together",
        ),
        (
            "empty.crt",
            "tls.key",
            "empty.crt cannot be read as PEM certificates",
        ),
        ("absent.crt", "tls.key", "absent.crt"),
        ("tls.crt", "empty.key", "empty.key is not a PEM private key"),
        ("tls.crt", "absent.key", "absent.key"),
        ("tls.crt", "open.key", "open.key"),
    ] {
        configure(
            &program,
            &format!("[tls]\ncertificate_file = \"{certificate}\"\nkey_file = \"{key}\"\n"),
        );

        let refused = program.run(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--config",
            "signet.toml",
        ]);

        refused.check(1, message);
        assert!(!refused.stderr.contains("listening on"), "{refused:?}");
    }
}

#[test]
fn plain_http_for_other_machines_requires_insecure_http() {
    let program = Program::new();
    let serve = ["serve", "--listen", "0.0.0.0:0"];

    program.run(&serve).check(3, "server.insecure_http");

    let mut allowed = program.command(&serve);
    allowed.env("SIGNET_SERVER__INSECURE_HTTP", "true");
    let server = Server::start(allowed);
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    assert_eq!(Request::get("/healthz").send(local).status, 200);
}
