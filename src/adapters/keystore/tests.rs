use super::*;

const KEY: &str = "ca.key.pem";

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn key_file(label: &str, pkcs8: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    fs::write(&file, pem::encode(&pem::Pem::new(label, pkcs8))).unwrap();
    set_mode(&file, 0o600);
    (folder, file)
}

#[test]
fn a_key_is_generated_once_and_loaded_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");

    let store = KeyStore::open(&data_dir).unwrap();
    let generated = store.load_or_create_key(KEY, KeyAlgorithm::P256).unwrap();
    let store = KeyStore::open(&data_dir).unwrap();
    let loaded = store.load_or_create_key(KEY, KeyAlgorithm::P256).unwrap();

    assert_eq!(
        generated.public_key().fingerprint(),
        loaded.public_key().fingerprint()
    );
}

#[test]
fn directories_are_0700_and_secrets_0600() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("new/data");

    let store = KeyStore::open(&data_dir).unwrap();
    let _ = store.load_or_create_key(KEY, KeyAlgorithm::P384).unwrap();
    store.write_public("ca.pem", b"certificate").unwrap();

    assert_eq!(mode_of(&data_dir), 0o700);
    assert_eq!(mode_of(&data_dir.join("keys")), 0o700);
    assert_eq!(mode_of(&store.path(KEY)), 0o600);
    assert_eq!(mode_of(&store.path("ca.pem")), 0o644);
}

#[test]
fn a_key_that_other_users_may_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::open(&folder.path().join("data")).unwrap();
    let _ = store.load_or_create_key(KEY, KeyAlgorithm::P256).unwrap();

    for mode in [0o640, 0o604, 0o620, 0o601] {
        set_mode(&store.path(KEY), mode);
        let error = store
            .load_or_create_key(KEY, KeyAlgorithm::P256)
            .unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn a_directory_that_other_users_may_enter_is_refused_unless_it_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    set_mode(&data_dir, 0o755);

    let _ = KeyStore::open(&data_dir).unwrap();
    assert_eq!(mode_of(&data_dir), 0o700);

    set_mode(&data_dir, 0o750);
    let error = KeyStore::open(&data_dir).unwrap_err();
    assert!(error.to_string().contains("chmod 700"), "{error}");
}

#[test]
fn a_damaged_key_is_an_error_and_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::open(&folder.path().join("data")).unwrap();
    store.write_secret(KEY, b"noise").unwrap();

    assert!(store.load_or_create_key(KEY, KeyAlgorithm::P256).is_err());

    assert_eq!(fs::read(store.path(KEY)).unwrap(), b"noise");
}

#[test]
fn unfinished_files_of_killed_processes_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let store = KeyStore::open(&data_dir).unwrap();
    store.write_secret(KEY, b"kept").unwrap();
    fs::write(data_dir.join("keys/.unfinished-x"), b"half a key").unwrap();

    let store = KeyStore::open(&data_dir).unwrap();
    assert!(
        data_dir.join("keys/.unfinished-x").exists(),
        "another process may still write it"
    );
    store.remove_leftovers().unwrap();

    let names: Vec<_> = fs::read_dir(data_dir.join("keys"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, [KEY]);
    assert_eq!(**store.load(KEY).unwrap().unwrap(), *b"kept");
}

#[test]
fn a_secret_is_generated_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::open(&folder.path().join("data")).unwrap();
    let load = |bytes: &'static [u8]| {
        store
            .load_or_create("pepper", || {
                Ok::<_, KeyStoreError>(Zeroizing::new(bytes.to_vec()))
            })
            .unwrap()
    };

    assert_eq!(**load(b"first"), *b"first");
    assert_eq!(**load(b"second"), *b"first");
}

#[test]
fn an_operators_pkcs8_key_is_accepted() {
    for algorithm in [
        KeyAlgorithm::P256,
        KeyAlgorithm::P384,
        KeyAlgorithm::Ed25519,
    ] {
        let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();
        let (_folder, file) = key_file("PRIVATE KEY", &pkcs8);

        let loaded = load_key_file(&file).unwrap();

        assert_eq!(
            loaded.public_key().fingerprint(),
            key.public_key().fingerprint()
        );
    }
}

#[test]
fn other_formats_are_refused_with_the_command_that_converts_them() {
    for (label, format) in [
        ("EC PRIVATE KEY", "SEC1"),
        ("RSA PRIVATE KEY", "PKCS#1"),
        ("ENCRYPTED PRIVATE KEY", "encrypted"),
        ("OPENSSH PRIVATE KEY", "another format"),
    ] {
        let (_folder, file) = key_file(label, b"anything");

        let error = load_key_file(&file).unwrap_err().to_string();

        assert!(
            error.contains(format) && error.contains("openssl"),
            "{error}"
        );
    }
}

#[test]
fn files_that_are_not_keys_are_refused() {
    let (_folder, certificate) = key_file("CERTIFICATE", b"anything");
    assert!(matches!(
        load_key_file(&certificate),
        Err(KeyStoreError::NotPem { .. })
    ));

    let (_folder, noise) = key_file("PRIVATE KEY", b"noise");
    assert!(matches!(
        load_key_file(&noise),
        Err(KeyStoreError::Key { .. })
    ));

    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        load_key_file(folder.path()),
        Err(KeyStoreError::NotAFile { .. })
    ));

    fs::write(folder.path().join("big"), vec![b'a'; 70_000]).unwrap();
    assert!(matches!(
        load_key_file(&folder.path().join("big")),
        Err(KeyStoreError::TooLarge { .. })
    ));
}

#[test]
fn errors_do_not_show_secrets() {
    let (_folder, file) = key_file("PRIVATE KEY", b"very secret material");

    let error = load_key_file(&file).unwrap_err();

    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("dmVyeSBz"),
        "{shown}"
    );
}

#[test]
fn systemd_credentials_may_have_an_access_control_list() {
    let credentials = Some(Path::new("/run/credentials/signet.service"));
    let bits = |path: &str| key_file::forbidden_bits(Path::new(path), credentials);

    assert_eq!(bits("/run/credentials/signet.service/tls.key"), 0o007);
    assert_eq!(bits("/etc/signet/tls.key"), 0o077);
    assert_eq!(bits("/run/credentials/signet.service/../x"), 0o077);
}
