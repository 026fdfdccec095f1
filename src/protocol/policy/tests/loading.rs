//! Tests of errors when a policy is loaded, and of the paths in them.

use super::*;

const ONE: &str = "[[identities]]\nname = 'a'\nissuer = 'https://idp.example'\nsubject = 'a@x'\n";

fn load_error(text: &str) -> (String, String) {
    let error = Policy::parse(text).expect_err(text);
    (error.at().to_owned(), error.fault().to_string())
}

fn assert_refused(text: &str, path: &str, message: &str) {
    let (found, fault) = load_error(text);
    assert_eq!(found, path, "{text}: {fault}");
    assert!(fault.contains(message), "{text}: {fault}");
}

#[test]
fn toml_and_json_are_equivalent() {
    let toml = Policy::parse(&format!(
        "{ONE}[require]\nsigned_after = 2026-01-01T00:00:00Z"
    ));
    let json = Policy::parse(
        r#" {"identities": [{"name": "a", "issuer": "https://idp.example", "subject": "a@x"}],
             "require": {"signed_after": "2026-01-01T00:00:00Z"}}"#,
    );

    assert_eq!(toml.unwrap(), json.unwrap());
}

#[test]
fn serialization_round_trips() {
    let text = format!(
        "thresholds = [{{ count = 1, of = 'g' }}]\n{ONE}claims = {{ build_trigger = {{ pattern = 'push' }} }}\n\
         [groups]\ng = ['a']\n[require]\nsigned_within = {{ days = 3, of = 2026-01-01T00:00:00Z }}\n\
         [[deny]]\nkey = '{}'\nfrom = 2026-01-01T00:00:00Z",
        Sha256::of(b"key")
    );
    let document = PolicyDocument::parse(&text).unwrap();

    let json = serde_json::to_string(&document).unwrap();

    assert_eq!(Policy::parse(&json).unwrap(), document.check().unwrap());
}

#[test]
fn the_error_of_an_unknown_key_has_its_path_and_the_known_keys() {
    assert_refused(
        &format!("{ONE}subjet = 'b'"),
        "identities[0].subjet",
        "`subject_pattern`",
    );
    assert_refused(&format!("treshold = 1\n{ONE}"), "treshold", "`threshold`");
    assert_refused(
        &format!("{ONE}[require]\nlog = 1"),
        "require.log",
        "`log_entries`",
    );
    assert_refused(
        &format!("{ONE}[[deny]]\nserial = '1'"),
        "deny[0].serial",
        "`certificate_serial`",
    );
    assert_refused(
        &format!("threshold = {{ count = 1, in = 'g' }}\n{ONE}"),
        "threshold.in",
        "`of`",
    );
    assert_refused(
        &format!("{ONE}[identities.claims]\nref = 'main'"),
        "identities[0].claims",
        "unknown name ref; allowed: issuer_v1, ",
    );
    assert_refused(
        &format!("{ONE}[identities.claims]\nbuild_trigger = {{ pattern = 'a', x = 1 }}"),
        "identities[0].claims.build_trigger",
        "a table with only the key `pattern`",
    );
}

#[test]
fn malformed_text_is_rejected() {
    assert_refused("", "", "missing field `identities`");
    assert_refused("identities = []", "identities", "1 to 1000");
    assert_refused("identities = 3", "identities", "invalid type");
    assert_refused("a = [", "", "line 1");
    assert_refused(&format!("{ONE}{ONE}x = = 2"), "", "line 9");
    assert_refused("{", "", "EOF");
    assert_refused(
        r#"{"identities": [], "identities": []}"#,
        "",
        "duplicate field",
    );
    assert_refused(
        r#"{"groups": {"g": ["a"], "g": ["b"]}, "identities": []}"#,
        "groups",
        "duplicate field `g`",
    );
    assert_refused(r#"{"identities": []} x"#, "", "trailing");
    assert_refused(&"#".repeat(256 * 1024 + 1), "", "at most 262144 bytes");
    assert_refused(&format!("x = {}1", "[".repeat(5000)), "", "");
}

#[test]
fn an_identity_has_exactly_one_issuer_and_one_subject() {
    assert_refused(
        "[[identities]]\nsubject = 'a@x'",
        "identities[0]",
        "issuer and issuer_pattern",
    );
    assert_refused(
        "[[identities]]\nissuer = 'i'",
        "identities[0]",
        "subject and subject_pattern",
    );
    assert_refused(
        "[[identities]]\nissuer = ''\nsubject = 'a'",
        "identities[0].issuer",
        "1 to 2048",
    );
    assert_refused(
        &format!("{ONE}subject_pattern = '.*'"),
        "identities[0]",
        "mutually exclusive",
    );
    assert_refused(
        "[[identities]]\nissuer = 'i'\nsubject_pattern = 'a('",
        "identities[0].subject_pattern",
        "unclosed group",
    );
    assert_refused(
        "[[identities]]\nkey = 'sha256:00'",
        "identities[0].key",
        "64 hexadecimal",
    );
    assert_refused(
        &format!("{ONE}key = '00'"),
        "identities[0]",
        "cannot be combined with issuer, subject or claims",
    );
    assert_refused(
        &format!("{ONE}{ONE}"),
        "identities[1].name",
        "already has the name a",
    );
}

#[test]
fn a_group_lists_known_identities_without_duplicates() {
    assert_refused(&format!("{ONE}[groups]\ng = []"), "groups.g", "1 to 1000");
    assert_refused(
        &format!("{ONE}[groups]\ng = ['a', 'b']"),
        "groups.g[1]",
        "unknown name b; allowed: a",
    );
    assert_refused(
        &format!("{ONE}[groups]\ng = ['a', 'a']"),
        "groups.g[1]",
        "a appears twice",
    );
    assert_refused(
        &format!("threshold = {{ count = 1, of = 'h' }}\n{ONE}[groups]\ng = ['a']"),
        "threshold.of",
        "unknown name h; allowed: g",
    );
    assert_refused(
        &format!("thresholds = [{{ count = 1, of = 'h' }}]\n{ONE}"),
        "thresholds[0].of",
        "none are defined",
    );
}

#[test]
fn an_unreachable_threshold_is_rejected() {
    assert_refused(
        &format!("threshold = {{ count = 0 }}\n{ONE}"),
        "threshold.count",
        "at least 1",
    );
    assert_refused(
        &format!("threshold = {{ count = 2 }}\n{ONE}"),
        "threshold",
        "requires 2 distinct signers, but at most 1 can exist",
    );
    assert_refused(
        &format!("threshold = {{ count = 300 }}\n{ONE}"),
        "threshold.count",
        "256",
    );
    assert_refused(
        &format!("thresholds = []\n{ONE}"),
        "thresholds",
        "1 to 1000",
    );
    assert_refused(&format!("any = []\n{ONE}"), "any", "1 to 1000");
    assert_refused(
        &format!("any = [{{ thresholds = [] }}]\n{ONE}"),
        "any[0].thresholds",
        "1 to 1000",
    );
    assert_refused(
        &format!("threshold = {{ count = 1 }}\nthresholds = [{{ count = 1 }}]\n{ONE}"),
        "",
        "exactly one of threshold, thresholds and any",
    );
    // Two members with the same canonical identity are one signer.
    let again = ONE.replace("'a'", "'b'").replace("a@x", "A@X");
    assert_refused(
        &format!("threshold = {{ count = 2 }}\n{ONE}{again}"),
        "threshold",
        "at most 1 can exist",
    );
    // The number of signers that match a pattern is unknown.
    let open = "[[identities]]\nissuer = 'i'\nsubject_pattern = '.*'\n";
    assert!(Policy::parse(&format!("threshold = {{ count = 9 }}\n{ONE}{open}")).is_ok());
    assert_refused(
        &format!("threshold = {{ count = 3 }}\n{ONE}{open}counts_once = true"),
        "threshold",
        "at most 2 can exist",
    );
}

#[test]
fn thresholds_that_cannot_be_met_together_are_rejected() {
    let two = format!("{ONE}{}", ONE.replace("'a'", "'b'").replace("a@x", "b@x"));
    let groups = "[groups]\ng = ['a', 'b']\nh = ['b']";
    let thresholds = |g: u32| {
        format!(
            "thresholds = [{{ count = {g}, of = 'g' }}, {{ count = 1, of = 'h' }}]\n{two}{groups}"
        )
    };

    assert!(Policy::parse(&thresholds(1)).is_ok());
    assert_refused(
        &thresholds(2),
        "thresholds",
        "each signer counts for one threshold only",
    );
}

#[test]
fn a_permanently_denied_signer_does_not_count_as_possible() {
    let denied = format!("{ONE}[[deny]]\nsubject = 'A@x'");
    assert_refused(&denied, "identities", "at most 0 can exist");
    assert!(Policy::parse(&format!("{denied}\nfrom = 2026-01-01T00:00:00Z")).is_ok());
}

#[test]
fn requirements_that_can_never_be_met_are_rejected() {
    let require = |rule: &str| format!("{ONE}[require]\n{rule}");
    for (rule, path, message) in [
        (
            "log_entries = 2\nlogs = ['https://a']",
            "require.log_entries",
            "only 1 are accepted",
        ),
        (
            "log_entries = 2\nlogs = ['https://a', 'https://a']",
            "require.log_entries",
            "only 1",
        ),
        (
            "scts = 3\ncertificate_logs = ['a', 'b']",
            "require.scts",
            "only 2",
        ),
        (
            "timestamps = 2\ntimestamp_authorities = ['a']",
            "require.timestamps",
            "only 1",
        ),
        ("timestamps = 33", "require.timestamps", "only 32"),
        ("logs = []", "require.logs", "1 to 1000"),
        ("log_entries = -1", "require.log_entries", "invalid value"),
    ] {
        assert_refused(&require(rule), path, message);
    }
}

#[test]
fn malformed_requirements_are_rejected() {
    let require = |rule: &str| format!("{ONE}[require]\n{rule}");
    for (rule, path, message) in [
        (
            "key_algorithms = ['RSA']",
            "require.key_algorithms[0]",
            "PKIX_ECDSA_P256_SHA_256",
        ),
        (
            "certificate_authorities = ['x']",
            "require.certificate_authorities[0]",
            "sha256:",
        ),
        (
            "signed_after = 2026-02-01T00:00:00Z\nsigned_before = 2026-01-01T00:00:00Z",
            "require",
            "ends before it starts",
        ),
        (
            "signed_before = 2026-01-01T00:00:00Z\nsigned_within = { days = 1, of = 2026-02-01T00:00:00Z }",
            "require",
            "ends before it starts",
        ),
        (
            "signed_after = '2026-01-01'",
            "require.signed_after",
            "with its offset",
        ),
        (
            "signed_after = 2026-01-01T00:00:00",
            "require.signed_after",
            "with its offset",
        ),
        (
            "condition = 'claims.'",
            "require.condition",
            "invalid CEL expression",
        ),
        (
            "condition = 'false'",
            "require.condition",
            "can never be met",
        ),
    ] {
        assert_refused(&require(rule), path, message);
    }
    let key = format!(
        "[[identities]]\nkey = '{}'\n[require]\nscts = 1",
        Sha256::of(b"")
    );
    assert_refused(&key, "require", "no accepted identity has a certificate");
}

#[test]
fn a_deny_rule_has_exactly_one_target_and_a_window_that_is_not_empty() {
    let deny = |rule: &str| format!("{ONE}[[deny]]\n{rule}");
    for (rule, path, message) in [
        ("", "deny[0]", "exactly one of"),
        ("reason = 'x'", "deny[0]", "exactly one of"),
        (
            "subject = 'b@x'\ncertificate_serial = '01'",
            "deny[0]",
            "exactly one of",
        ),
        (
            "subject = 'b@x'\nsubject_pattern = '.*'",
            "deny[0]",
            "mutually exclusive",
        ),
        (
            "certificate_serial = '00'",
            "deny[0].certificate_serial",
            "1 to 20 bytes",
        ),
        (
            "certificate_serial = 'xyz'",
            "deny[0].certificate_serial",
            "hexadecimal",
        ),
        ("artifact = 'md5:00'", "deny[0].artifact", "sha256:"),
        ("key = '00'", "deny[0].key", "sha256:"),
        (
            "subject = 'b@x'\nfrom = 2026-01-02T00:00:00Z\nuntil = 2026-01-01T00:00:00Z",
            "deny[0]",
            "ends before it starts",
        ),
        (
            "subject = 'b@x'\nfrom = 'noon'",
            "deny[0].from",
            "with its offset",
        ),
    ] {
        assert_refused(&deny(rule), path, message);
    }
}

#[test]
fn the_number_and_size_of_patterns_are_limited() {
    let of = |count: usize| {
        let one = |number| {
            format!(
                "[[identities]]\nissuer_pattern = 'https://.*'\nsubject_pattern = 'a{number}@.*'\n"
            )
        };
        (0..count).map(one).collect::<String>()
    };
    let more = "[[deny]]\nsubject_pattern = '.*@x'\n";

    assert!(Policy::parse(&of(64)).is_ok());
    assert_refused(&of(65), "", "at most 128 patterns");
    assert_refused(&format!("{}{more}", of(64)), "", "at most 128 patterns");
    let words = "[[identities]]\nissuer = 'https://idp.example'\nsubject_pattern = '\\w+@\\w+'\n";
    assert!(Policy::parse(words).is_ok());
    let large = "[[identities]]\nissuer = 'https://idp.example'\nsubject_pattern = '\\pL{20}'\n";
    assert_refused(large, "identities[0].subject_pattern", "size limit");
}
