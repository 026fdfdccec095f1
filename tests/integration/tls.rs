//! An instance that speaks TLS itself.

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
use serde_json::Value;

use crate::support::http::{Reply, Request, connect, exchange};
use crate::support::program::{Program, Server};

/// Writes a certificate for `localhost` and its key, under names of their own.
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

/// A server that speaks TLS, with these lines before its table.
pub fn serving(lines: &str) -> (Program, Server) {
    let program = Program::new();
    write_certificate(&program, "tls");
    configure(&program, &format!("{lines}{TLS}"));
    let server = program.serve(&["--config", "signet.toml"]);
    (program, server)
}

/// Trusts the server's certificate and nothing else, under these versions of TLS.
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

/// A machine account's identity token.
pub fn token(program: &Program, server: &Server) -> String {
    let added = program.run(&["account", "add", "build@example.com", "--service", "--json"]);
    let made: Value = serde_json::from_str(&added.stdout).unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        made["client_id"].as_str().unwrap(),
        made["client_secret"].as_str().unwrap(),
    );
    let kind = "application/x-www-form-urlencoded";
    let request = Request::post("/oauth2/token", kind, form);
    let (_, grant) = ask(program, server, &TLS13, &request);
    grant.json()["id_token"].as_str().unwrap().to_owned()
}

/// Asks under one version of TLS; gives the version that was spoken, and the reply.
pub fn ask(
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
fn both_versions_of_tls_are_spoken_and_everything_is_called_https() {
    let (program, server) = serving("");
    for (version, spoken) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let (version, reply) = ask(&program, &server, version, &Request::get("/readyz"));

        assert_eq!(version, spoken);
        assert_eq!(reply.status, 200);
    }
    let (_, config) = ask(
        &program,
        &server,
        &TLS13,
        &Request::get("/trust/signing_config.v0.2.json"),
    );
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
fn t21_a_handshake_and_a_header_that_do_not_come_are_given_up() {
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
fn sign_and_verify_trust_the_ca_file_and_nothing_without_it() {
    let (program, server) = serving("");
    let url = format!("https://localhost:{}", server.address().port());
    program.write("token", token(&program, &server));
    program.write("release", "what is released");
    let sign = [
        "sign",
        "--url",
        &url,
        "--identity-token-file",
        "token",
        "release",
    ];

    let without = program.run(&sign);
    let with = program.run(&[&sign[..], &["--ca-file", "tls.crt"]].concat());

    assert_eq!(without.status, Some(1), "{without:?}");
    assert!(without.stderr.contains("cannot be reached"), "{without:?}");
    assert_eq!(with.status, Some(0), "{with:?}");
    let verified = program.run(&[
        "verify",
        "--url",
        &url,
        "--ca-file",
        "tls.crt",
        "--certificate-identity",
        "build@example.com",
        "--certificate-oidc-issuer",
        &url,
        "release",
    ]);
    assert_eq!(verified.status, Some(0), "{verified:?}");
}

#[test]
fn files_that_cannot_serve_are_refused_at_the_start() {
    let program = Program::new();
    write_certificate(&program, "tls");
    write_certificate(&program, "other");
    program.write("empty.crt", "");
    write_key(&program, "empty.key", "", 0o600);
    let open = fs::read_to_string(program.path("tls.key")).unwrap();
    write_key(&program, "open.key", &open, 0o644);
    for (certificate, key, said) in [
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

        assert_eq!(refused.status, Some(1), "{refused:?}");
        assert!(
            refused.stderr.contains(said),
            "{said:?} is not in {refused:?}"
        );
        assert!(!refused.stderr.contains("listening on"), "{refused:?}");
    }
}

#[test]
fn plain_http_for_other_machines_is_served_only_when_it_is_asked_for() {
    let program = Program::new();
    let serve = ["serve", "--listen", "0.0.0.0:0"];

    let refused = program.run(&serve);

    assert_eq!(refused.status, Some(3), "{refused:?}");
    assert!(
        refused.stderr.contains("server.insecure_http"),
        "{refused:?}"
    );
    let mut allowed = program.command(&serve);
    allowed.env("SIGNET_SERVER__INSECURE_HTTP", "true");
    let server = Server::start(allowed);
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    assert_eq!(Request::get("/healthz").send(local).status, 200);
}
