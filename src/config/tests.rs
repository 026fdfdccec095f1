use std::fs;
use std::path::Path;

use super::*;
use crate::protocol::identity::{IssuerKind, SubjectDomain};

fn with_text(text: &str) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signet.toml");
    fs::write(&file, text).unwrap();
    set_mode(&file, 0o644);
    load(&Sources {
        file: Some(file),
        ..Sources::default()
    })
}

fn with_environment(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    load(&Sources {
        environment: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    })
}

fn set_mode(file: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn message(result: Result<Settings, ConfigError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_defaults_are_the_documented_ones_and_need_no_file() {
    let settings = load(&Sources::default()).unwrap();

    assert_eq!(settings.server.data_dir, Path::new("./signet-data"));
    assert_eq!(settings.server.listen, "127.0.0.1:8477".parse().unwrap());
    assert_eq!(settings.server.public_url.as_str(), "http://localhost:8477");
    assert_eq!(settings.log.origin, "localhost");
    assert_eq!(settings.ca.certificate_lifetime.as_secs(), 600);
    assert_eq!(settings.limits.body_bytes, 4 << 20);
    assert_eq!(settings.limits.verify_artifact_bytes, 8 << 30);
    assert!(settings.policies.is_empty());
    assert!(settings.accounts.enabled);
    assert!(settings.tls.is_none());
    assert!(settings.issuers.is_empty());
}

#[test]
fn every_sample_file_is_accepted() {
    for name in ["default", "example", "production"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/{name}.toml"));
        let text = fs::read_to_string(file).unwrap();

        let settings = with_text(&text).unwrap();

        if name == "production" {
            assert!(settings.tls.is_some());
            assert_eq!(settings.log.origin, "signet.example.com");
            assert_eq!(settings.issuers.len(), 1);
        }
    }
}

#[test]
fn the_default_file_documents_the_keys_of_issuers_and_policies() {
    for (list, defaults) in layer::ELEMENTS {
        let (_, comment) = DEFAULT.split_once(&format!("[[{list}]]\n")).unwrap();
        let (comment, _) = comment.split_once(&format!("\n{list} = []")).unwrap();
        for line in defaults.trim().lines() {
            let (key, default) = line.split_once(" = ").unwrap();
            // A key without a useful default is shown with an example.
            let required = ["url", "name", "file"].contains(&key);
            let shown = if required {
                format!("{key} = ")
            } else {
                format!("{key} = {default} ")
            };
            assert!(comment.contains(&format!("#   {shown}")), "{list}: {line}");
        }
    }
}

#[test]
fn the_default_file_has_a_comment_above_every_key() {
    let mut commented = false;
    for line in DEFAULT.lines() {
        let key = line.split_once(" = ").map(|(key, _)| key);
        match key {
            _ if line.starts_with('#') => commented = true,
            // The second of a pair shares the comment of the first.
            Some(key) => assert!(commented, "{key} has no comment"),
            None => commented = false,
        }
    }
}

#[test]
fn later_layers_override_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signet.toml");
    fs::write(
        &file,
        "[server]\nlisten = \"127.0.0.1:1\"\nworkers = 3\nkeep_alive_seconds = 7\n",
    )
    .unwrap();
    set_mode(&file, 0o600);

    let settings = load(&Sources {
        file: Some(file),
        environment: vec![
            ("SIGNET_SERVER__LISTEN".to_owned(), "127.0.0.1:2".to_owned()),
            ("SIGNET_SERVER__WORKERS".to_owned(), "4".to_owned()),
        ],
        flags: Flags {
            listen: Some("127.0.0.1:3".to_owned()),
            ..Flags::default()
        },
    })
    .unwrap();

    assert_eq!(settings.server.listen.port(), 3);
    assert_eq!(settings.server.public_url.as_str(), "http://localhost:3");
    assert_eq!(settings.server.workers, Some(4));
    assert_eq!(settings.server.keep_alive.as_secs(), 7);
}

#[test]
fn an_unknown_key_is_refused_with_file_key_and_the_keys_allowed_there() {
    let error = message(with_text("[ca]\nlifetime = 600\n"));

    assert!(error.contains("signet.toml"), "{error}");
    assert!(error.contains("`ca.lifetime`"), "{error}");
    assert!(error.contains("lifetime_seconds"), "{error}");

    let error = message(with_text("[fulcio]\nurl = \"x\"\n"));
    assert!(
        error.contains("`fulcio`") && error.contains("timestamp"),
        "{error}"
    );

    let error = message(with_text(
        "[[issuers]]\nurl = \"https://a.example\"\nclient = \"x\"\n",
    ));
    assert!(
        error.contains("`issuers[0].client`") && error.contains("audience"),
        "{error}"
    );
}

#[test]
fn a_wrong_type_is_refused_with_the_right_one() {
    let error = message(with_text("[ca]\nlifetime_seconds = \"600\"\n"));
    assert!(
        error.contains("`ca.lifetime_seconds` must be a whole number"),
        "{error}"
    );

    let error = message(with_text("[server]\nworkers = true\n"));
    assert!(
        error.contains("must be a whole number, not true or false"),
        "{error}"
    );

    let error = message(with_text("[server]\nworkers = -1\n"));
    assert!(error.contains("not a negative number"), "{error}");

    let error = message(with_environment(&[("SIGNET_SERVER__INSECURE_HTTP", "yes")]));
    assert!(error.contains("SIGNET_SERVER__INSECURE_HTTP"), "{error}");
    assert!(error.contains("must be true or false"), "{error}");

    assert!(matches!(
        with_text("issuers = 5"),
        Err(ConfigError::WrongType { .. })
    ));
    assert!(matches!(with_text("[ca"), Err(ConfigError::Syntax { .. })));
}

#[test]
fn a_number_out_of_range_is_refused_with_the_range() {
    for value in [59, 1201] {
        let error = message(with_text(&format!("[ca]\nlifetime_seconds = {value}\n")));
        assert!(error.contains("must be 60 to 1200"), "{error}");
        assert!(error.contains("signet.toml"), "{error}");
    }
    let error = message(with_environment(&[(
        "SIGNET_SERVER__SHUTDOWN_SECONDS",
        "11",
    )]));
    assert!(error.contains("0 to 10"), "{error}");
    assert!(error.contains("SIGNET_SERVER__SHUTDOWN_SECONDS"), "{error}");
}

#[test]
fn plain_http_for_other_machines_requires_insecure_http() {
    let error = message(with_text("[server]\nlisten = \"0.0.0.0:80\"\n"));
    assert!(error.contains("server.insecure_http = true"), "{error}");

    let settings = with_text(
        "[server]\nlisten = \"0.0.0.0:80\"\ninsecure_http = true\npublic_url = \"https://a.example\"\n",
    );
    assert_eq!(
        settings.unwrap().server.public_url.as_str(),
        "https://a.example"
    );
}

#[test]
fn half_a_pair_of_files_is_refused() {
    for text in [
        "[tls]\ncertificate_file = \"a.pem\"\n",
        "[tls]\nkey_file = \"a.pem\"\n",
        "[ca]\nkey_file = \"a.pem\"\n",
        "[ca]\ncertificate_chain_file = \"a.pem\"\n",
    ] {
        assert!(message(with_text(text)).contains("together or not at all"));
    }
}

#[test]
fn a_public_url_is_scheme_and_host_and_nothing_else() {
    let accepted = |url: &str| with_text(&format!("[server]\npublic_url = \"{url}\"\n")).is_ok();

    for url in [
        "https://signet.example",
        "https://signet.example:8443",
        "http://localhost:9000",
        "http://127.0.0.1:1",
        "http://[::1]:1",
    ] {
        assert!(accepted(url), "{url}");
    }
    for url in [
        "https://signet.example/",
        "https://signet.example/signet",
        "https://user@signet.example",
        "https://signet.example?x",
        "https://signet.example#x",
        "https://Signet.example",
        "https://signet.example:443",
        "http://signet.example",
        "ftp://signet.example",
        "signet.example",
    ] {
        assert!(!accepted(url), "{url}");
    }
}

#[test]
fn a_server_that_others_reach_without_a_public_url_is_unnamed() {
    let unnamed = |text: &str| with_text(text).unwrap().server.is_unnamed();
    let reachable = "[server]\nlisten = \"0.0.0.0:80\"\ninsecure_http = true\n";

    assert!(unnamed(reachable));
    assert!(!unnamed(&format!(
        "{reachable}public_url = \"https://a.example\"\n"
    )));
    assert!(!unnamed(&format!(
        "{reachable}public_url = \"http://localhost\"\n"
    )));
    assert!(!unnamed(""));
}

#[test]
fn the_default_public_url_omits_the_default_port() {
    let text =
        "[server]\nlisten = \"127.0.0.1:443\"\n[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"\n";

    assert_eq!(
        with_text(text).unwrap().server.public_url.as_str(),
        "https://localhost"
    );
}

#[test]
fn at_least_one_dialect_of_the_signature_log_is_open() {
    let open = |text: &str| {
        let log = with_text(text).unwrap().log;
        (log.rekor_v1, log.rekor_v2)
    };

    assert_eq!(open(""), (true, true));
    assert_eq!(open("[log]\nrekor_v1 = false\n"), (false, true));
    assert_eq!(open("[log]\nrekor_v2 = false\n"), (true, false));
    let error = message(with_text("[log]\nrekor_v1 = false\nrekor_v2 = false\n"));
    assert!(
        error.contains("log.rekor_v1") && error.contains("log.rekor_v2"),
        "{error}"
    );
}

#[test]
fn tls_and_plain_http_exclude_each_other() {
    let tls = "[tls]\ncertificate_file = \"a\"\nkey_file = \"b\"\n";

    let error = message(with_text(&format!("{tls}[server]\ninsecure_http = true\n")));
    assert!(error.contains("server.insecure_http"), "{error}");
    let error = message(with_text(&format!(
        "{tls}[server]\npublic_url = \"http://localhost:8477\"\n"
    )));
    assert!(error.contains("https://"), "{error}");
    let settings = with_text(tls).unwrap();
    assert_eq!(
        settings.server.public_url.as_str(),
        "https://localhost:8477"
    );
}

#[test]
fn issuers_are_read_with_their_defaults_and_rules() {
    let settings = with_text(
        "[[issuers]]\nurl = \"https://login.example.com\"\n\
         [[issuers]]\nurl = \"https://oidc.ci.example.com\"\ntype = \"uri\"\n\
         subject_domain = \"https://ci.example.com\"\nca_file = \"ca.pem\"\n\
         key_hosts = [\"keys.example:8443\"]\n",
    )
    .unwrap();

    assert_eq!(settings.issuers[0].audience, "sigstore");
    assert_eq!(settings.issuers[0].subject, IssuerKind::Email);
    let domain = SubjectDomain::new("https://ci.example.com").unwrap();
    assert_eq!(settings.issuers[1].subject, IssuerKind::Uri(domain));
    assert_eq!(settings.issuers[1].key_hosts, ["keys.example:8443"]);
    assert_eq!(
        settings.issuers[1].ca_file.as_deref(),
        Some(Path::new("ca.pem"))
    );
}

#[test]
fn wrong_issuers_are_refused_with_the_key_at_fault() {
    let refused = |text: &str, word: &str| {
        let error = message(with_text(text));
        assert!(error.contains(word), "{error}");
        assert!(error.contains("signet.toml"), "{error}");
    };

    refused("[[issuers]]\naudience = \"x\"\n", "issuers[0].url");
    refused(
        "[[issuers]]\nurl = \"http://login.example.com\"\n",
        "issuers[0].url",
    );
    refused(
        "[[issuers]]\nurl = \"https://u:p@login.example.com\"\n",
        "issuers[0].url",
    );
    refused("[[issuers]]\nurl = \"http://localhost:8477\"\n", "embedded");
    refused(
        "[[issuers]]\nurl = \"https://a.example\"\n[[issuers]]\nurl = \"https://a.example\"\n",
        "issuers[1].url",
    );
    refused(
        "[[issuers]]\nurl = \"https://a.example\"\ntype = \"github\"\n",
        "\"email\" or \"uri\"",
    );
    refused(
        "[[issuers]]\nurl = \"https://a.example\"\ntype = \"uri\"\n",
        "subject_domain",
    );
    refused(
        "[[issuers]]\nurl = \"https://a.example\"\ntype = \"uri\"\nsubject_domain = \"https://b.test\"\n",
        "subject_domain",
    );
    refused(
        "[[issuers]]\nurl = \"https://a.example\"\nsubject_domain = \"https://a.example\"\n",
        "subject_domain",
    );
    refused(
        "[[issuers]]\nurl = \"https://a.example\"\ntype = \"uri\"\nsubject_domain = \"https://A.example\"\n",
        "subject_domain",
    );
    refused(
        "[[issuers]]\nurl = \"http://idp.localhost\"\n",
        "issuers[0].url",
    );
    for hosts in [
        "[\"https://keys.example\"]",
        "[\"Keys.example\"]",
        "[\"\"]",
        "[1]",
        "\"a\"",
    ] {
        let text = format!("[[issuers]]\nurl = \"https://a.example\"\nkey_hosts = {hosts}\n");
        refused(&text, "issuers[0].key_hosts");
    }
    refused("[accounts]\nenabled = false\n", "accounts.enabled");
    refused(
        "[[issuers]]\nurl = \"https://a.example\"\naudience = \"\"\n",
        "issuers[0].audience",
    );
}

#[test]
fn a_variable_with_one_underscore_is_an_error() {
    let error = message(with_environment(&[("SIGNET_SERVER_LISTEN", "127.0.0.1:1")]));

    assert!(error.contains("SIGNET_SERVER__LISTEN"), "{error}");
}

#[test]
fn variables_of_client_commands_and_other_programs_are_ignored() {
    let settings = with_environment(&[
        ("SIGNET_CA_FILE", "/etc/ca.pem"),
        ("SIGNET_URL", "https://a.example"),
        ("PATH", "/bin"),
    ]);

    assert!(settings.is_ok());
}

#[test]
fn a_file_that_other_users_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signet.toml");
    fs::write(&file, "").unwrap();
    set_mode(&file, 0o664);

    let error = message(load(&Sources {
        file: Some(file),
        ..Sources::default()
    }));

    assert!(error.contains("chmod go-w"), "{error}");
}

#[test]
fn a_default_public_url_adopts_the_port_that_the_system_chose() {
    let mut settings = with_environment(&[("SIGNET_SERVER__LISTEN", "127.0.0.1:0")]).unwrap();
    settings.server.public_url.adopt_port(4321);
    assert_eq!(settings.server.public_url.as_str(), "http://localhost:4321");

    let mut settings = with_environment(&[
        ("SIGNET_SERVER__LISTEN", "127.0.0.1:0"),
        ("SIGNET_SERVER__PUBLIC_URL", "https://a.example"),
    ])
    .unwrap();
    settings.server.public_url.adopt_port(4321);
    assert_eq!(settings.server.public_url.as_str(), "https://a.example");
}

#[test]
fn formats_and_filters_are_checked() {
    assert!(message(with_text("[telemetry]\nformat = \"xml\"\n")).contains("\"json\""));
    assert!(message(with_text("[telemetry]\nlevel = \"info,=\"\n")).contains("telemetry.level"));
    assert!(message(with_text("[log]\norigin = \"a b\"\n")).contains("log.origin"));
    assert!(message(with_text("[ca]\norganisation = \"\"\n")).contains("ca.organisation"));
}

#[test]
fn the_readme_names_every_key() {
    let readme = include_str!("../../README.md");
    let mut table = "";
    for line in DEFAULT.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once(" = ") {
            let key = match table {
                "" => key.to_owned(),
                table => format!("{table}.{key}"),
            };
            assert!(readme.contains(&format!("`{key}`")), "{key}");
        }
    }
}
