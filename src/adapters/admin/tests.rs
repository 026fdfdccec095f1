use std::fs::{self, Permissions};

use tempfile::TempDir;

use super::*;
use crate::adapters::system::SystemClock;
use crate::services::account::tests::{MemoryLedger, random};
use crate::services::trust::testing::TestInstance;

fn accounts() -> Arc<Accounts> {
    let ledger = Arc::new(MemoryLedger::default());
    Arc::new(Accounts::load(ledger, Arc::new(SystemClock), random).unwrap())
}

fn desk(accounts: &Arc<Accounts>) -> Desk {
    Desk {
        accounts: Arc::clone(accounts),
        trust: Arc::new(TestInstance::new().open()),
    }
}

fn data_dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    dir
}

async fn call(dir: &Path, request: AdminRequest) -> AdminReply {
    let dir = dir.to_owned();
    tokio::task::spawn_blocking(move || {
        let client = AdminClient::connect(&dir).unwrap().unwrap();
        client.call(&request).unwrap()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn accounts_are_made_listed_and_removed_over_the_socket() {
    let dir = data_dir();
    let accounts = accounts();
    let socket = AdminSocket::bind(dir.path()).unwrap();
    let server = tokio::spawn(socket.serve(desk(&accounts)));
    let add = AdminRequest::AddServiceAccount {
        email: "ci@example.com".to_owned(),
    };

    let added = call(dir.path(), add.clone()).await;
    let again = call(dir.path(), add).await;
    let listed = call(dir.path(), AdminRequest::ListAccounts).await;
    let removed = call(
        dir.path(),
        AdminRequest::RemoveAccount {
            email: "ci@example.com".to_owned(),
        },
    )
    .await;

    let AdminReply::Added { client_id, .. } = added else {
        panic!("the account was not added");
    };
    assert!(matches!(again, AdminReply::Refused { message } if message.contains("already")));
    assert!(matches!(
        listed,
        AdminReply::Accounts { accounts } if accounts.len() == 1
            && accounts[0].client_id == client_id && accounts[0].kind == "service"
    ));
    assert!(matches!(removed, AdminReply::Removed));
    assert!(accounts.list().is_empty());
    server.abort();
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
        Err(AdminError::OpenDirectory(_))
    ));
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let dir = data_dir();
    let path = dir.path().join(SOCKET_NAME);
    // A listener of the standard library leaves its socket behind, as a killed server does.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(AdminClient::connect(dir.path()).unwrap().is_none());

    let socket = AdminSocket::bind(dir.path()).unwrap();
    let second = AdminSocket::bind(dir.path());

    assert!(matches!(second, Err(AdminError::AlreadyServed(_))));
    assert!(path.exists());
    drop(socket);
    assert!(!path.exists());
    assert!(AdminClient::connect(dir.path()).unwrap().is_none());
    fs::write(&path, "precious").unwrap();
    assert!(matches!(
        AdminSocket::bind(dir.path()),
        Err(AdminError::InTheWay(_))
    ));
}

#[tokio::test]
async fn what_is_not_a_request_is_refused_with_a_reason() {
    let dir = data_dir();
    let socket = AdminSocket::bind(dir.path()).unwrap();
    let server = tokio::spawn(socket.serve(desk(&accounts())));

    for line in [
        "\n".to_owned(),
        "{}\n".to_owned(),
        "{\"command\":\"reboot\"}\n".to_owned(),
        "x".repeat(70_000),
    ] {
        let mut stream = UnixStream::connect(dir.path().join(SOCKET_NAME))
            .await
            .unwrap();
        // The server may stop reading an endless line before all of it is written.
        let _ = stream.write_all(line.as_bytes()).await;
        let mut reply = Vec::new();
        let read = stream.read_to_end(&mut reply).await;

        if line.len() < 70_000 {
            read.unwrap();
            let reply: AdminReply = serde_json::from_slice(&reply).unwrap();
            assert!(matches!(reply, AdminReply::Refused { .. }));
        }
    }
    let refused = call(
        dir.path(),
        AdminRequest::AddServiceAccount {
            email: "not an address".to_owned(),
        },
    )
    .await;
    assert!(matches!(
        refused,
        AdminReply::Refused { message } if message.contains("\" must ")
    ));
    server.abort();
}

#[tokio::test]
async fn a_data_directory_may_have_a_longer_name_than_a_socket() {
    let above = data_dir();
    let dir = above.path().join("d".repeat(150));
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    assert!(AdminClient::connect(&dir).unwrap().is_none());
    let socket = AdminSocket::bind(&dir).unwrap();
    let server = tokio::spawn(socket.serve(desk(&accounts())));

    let listed = call(&dir, AdminRequest::ListAccounts).await;

    assert!(matches!(listed, AdminReply::Accounts { accounts } if accounts.is_empty()));
    let second = AdminSocket::bind(&dir);
    assert!(matches!(second, Err(AdminError::AlreadyServed(_))));
    server.abort();
    let _ = server.await;
    assert!(!dir.join(SOCKET_NAME).exists());
}

#[tokio::test]
async fn the_root_of_trust_is_shown_and_renewed_over_the_socket() {
    let dir = data_dir();
    let desk = desk(&accounts());
    let trust = Arc::clone(&desk.trust);
    let socket = AdminSocket::bind(dir.path()).unwrap();
    let server = tokio::spawn(socket.serve(desk));
    let ask = |request| call(dir.path(), AdminRequest::Trust { request });

    let early = ask(TrustRequest::Show).await;
    trust.renew().unwrap();
    let renewed = ask(TrustRequest::RenewRoot).await;
    let shown = ask(TrustRequest::Show).await;
    let proposed = ask(TrustRequest::Propose {
        keys: None,
        threshold: None,
        days: Some(30),
    })
    .await;
    let no_key = ask(TrustRequest::Propose {
        keys: Some(vec!["no key".to_owned()]),
        threshold: None,
        days: None,
    })
    .await;
    let no_root = ask(TrustRequest::Install {
        root: "{}".to_owned(),
    })
    .await;

    assert!(
        matches!(early, AdminReply::Refused { message } if message.contains("start the server"))
    );
    let AdminReply::Trust {
        answer: TrustReply::Installed(root),
    } = renewed
    else {
        panic!("the root was not renewed");
    };
    assert_eq!(root.version, 2);
    let AdminReply::Trust {
        answer: TrustReply::Status(status),
    } = shown
    else {
        panic!("nothing was shown");
    };
    assert_eq!(status.root_sha256, root.sha256);
    assert_eq!(
        Some(status.initial_root_sha256),
        trust.initial_root_hash().map(|hash| hash.to_hex())
    );
    assert_eq!((status.root_threshold, status.root_keys.len()), (1, 1));
    assert!(status.renewable && status.roles.len() == 4);
    assert!(matches!(
        proposed,
        AdminReply::Trust { answer: TrustReply::Proposed { request } }
            if request.contains("signet-root-signing-request")
    ));
    assert!(matches!(no_key, AdminReply::Refused { message } if message.contains("keys[0]")));
    assert!(matches!(no_root, AdminReply::Refused { .. }));
    server.abort();
}
