use std::fs::{self, Permissions};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::adapters::system::SystemClock;
use crate::doubles::{MemoryLedger, SYSTEM_RNG};
use crate::services::trust::testing::TestInstance;

/// A data directory whose services answer on its socket.
struct TestServer {
    dir: TempDir,
    services: AdminServices,
    task: JoinHandle<()>,
}

impl TestServer {
    fn start() -> Self {
        let dir = data_dir();
        let services = services();
        let socket = AdminSocket::bind(dir.path()).unwrap();
        let task = tokio::spawn(socket.serve(services.clone()));
        Self {
            dir,
            services,
            task,
        }
    }

    async fn call<C>(&self, command: C) -> Result<C::Reply, AdminError>
    where
        C: AdminCommand + Send + 'static,
        C::Reply: Send,
    {
        call(self.dir.path(), command).await
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn call<C>(dir: &Path, command: C) -> Result<C::Reply, AdminError>
where
    C: AdminCommand + Send + 'static,
    C::Reply: Send,
{
    let client = AdminClient::connect(dir).unwrap().unwrap();
    let call = tokio::task::spawn_blocking(move || client.call(command));
    call.await.unwrap()
}

fn services() -> AdminServices {
    let ledger = Arc::new(MemoryLedger::default());
    let accounts = Accounts::load(ledger, Arc::new(SystemClock), SYSTEM_RNG).unwrap();
    AdminServices {
        accounts: Arc::new(accounts),
        trust: Arc::new(TestInstance::new().open()),
    }
}

fn data_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    dir
}

fn refusal<T>(result: Result<T, AdminError>) -> String {
    match result {
        Err(AdminError::Refused(message)) => message,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the command was not refused"),
    }
}

#[tokio::test]
async fn accounts_are_added_listed_and_removed_over_the_socket() {
    let server = TestServer::start();
    let add = AddServiceAccount {
        email: "ci@example.com".to_owned(),
    };

    let added = server.call(add.clone()).await.unwrap();
    let again = server.call(add).await;
    let listed = server.call(ListAccounts {}).await.unwrap();
    let remove = RemoveAccount {
        email: "ci@example.com".to_owned(),
    };
    server.call(remove).await.unwrap();

    assert!(refusal(again).contains("already"));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].client_id, added.client_id);
    assert_eq!(listed[0].kind, "service");
    assert!(server.services.accounts.list().is_empty());
}

#[tokio::test]
async fn only_the_owner_can_reach_the_socket() {
    let dir = data_dir();
    let socket = AdminSocket::bind(dir.path()).unwrap();

    let mode = fs::metadata(&socket.path).unwrap().permissions().mode();

    assert_eq!(mode & 0o777, 0o600);
    drop(socket);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(
        AdminSocket::bind(dir.path()),
        Err(AdminError::DirectoryNotPrivate(_))
    ));
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = data_dir();
    let path = dir.path().join(SOCKET_NAME);
    // A listener of the standard library does not remove its socket, and neither does a killed server.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(AdminClient::connect(dir.path()).unwrap().is_none());

    let socket = AdminSocket::bind(dir.path()).unwrap();
    let second = AdminSocket::bind(dir.path());

    assert!(matches!(second, Err(AdminError::AlreadyRunning(_))));
    assert!(path.exists());
    drop(socket);
    assert!(!path.exists());
    assert!(AdminClient::connect(dir.path()).unwrap().is_none());
    fs::write(&path, "precious").unwrap();
    assert!(matches!(
        AdminSocket::bind(dir.path()),
        Err(AdminError::NotASocket(_))
    ));
}

#[tokio::test]
async fn malformed_requests_and_arguments_are_refused_with_a_reason() {
    let server = TestServer::start();

    for line in [
        "\n".to_owned(),
        "{}\n".to_owned(),
        "{\"command\":\"reboot\"}\n".to_owned(),
        "{\"command\":\"list_accounts\",\"extra\":1}\n".to_owned(),
        "x".repeat(70_000),
    ] {
        let mut stream = UnixStream::connect(server.dir.path().join(SOCKET_NAME))
            .await
            .unwrap();
        // The server may stop reading an endless line before all of it is written.
        let _ = stream.write_all(line.as_bytes()).await;
        let mut reply = Vec::new();
        let read = stream.read_to_end(&mut reply).await;

        if line.len() < 70_000 {
            read.unwrap();
            let reply: AdminReply<()> = serde_json::from_slice(&reply).unwrap();
            assert!(matches!(reply, AdminReply::Refused(_)), "{line}");
        }
    }
    let add = AddServiceAccount {
        email: "not an address".to_owned(),
    };
    assert!(refusal(server.call(add).await).contains("\" must "));
}

#[tokio::test]
async fn a_data_directory_may_have_a_longer_path_than_a_socket() {
    let above = data_dir();
    let dir = above.path().join("d".repeat(150));
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    assert!(AdminClient::connect(&dir).unwrap().is_none());
    let socket = AdminSocket::bind(&dir).unwrap();
    let server = tokio::spawn(socket.serve(services()));

    let listed = call(&dir, ListAccounts {}).await.unwrap();

    assert!(listed.is_empty());
    let second = AdminSocket::bind(&dir);
    assert!(matches!(second, Err(AdminError::AlreadyRunning(_))));
    server.abort();
    let _ = server.await;
    assert!(!dir.join(SOCKET_NAME).exists());
}

#[tokio::test]
async fn the_root_of_trust_is_shown_renewed_and_proposed_over_the_socket() {
    let server = TestServer::start();
    let trust = &server.services.trust;
    let propose = |keys, days| ProposeRoot {
        keys,
        threshold: None,
        days,
    };

    let early = server.call(ShowTrust {}).await;
    trust.renew().unwrap();
    let renewed = server.call(RenewRoot {}).await.unwrap();
    let status = server.call(ShowTrust {}).await.unwrap();
    let proposed = server.call(propose(None, Some(30))).await.unwrap();
    let bad_key = server
        .call(propose(Some(vec!["no key".to_owned()]), None))
        .await;
    let root = "{}".to_owned();
    let bad_root = server.call(InstallRoot { root }).await;

    assert!(refusal(early).contains("start the server"));
    assert_eq!(renewed.version, 2);
    assert_eq!(status.root_sha256, renewed.sha256);
    assert_eq!(
        Some(status.initial_root_sha256),
        trust.initial_root_hash().map(|hash| hash.to_hex())
    );
    assert_eq!((status.root_threshold, status.root_keys.len()), (1, 1));
    assert!(status.renewable && status.roles.len() == 4);
    assert!(proposed.contains("signet-root-signing-request"));
    assert!(refusal(bad_key).contains("keys[0]"));
    refusal(bad_root);
}
