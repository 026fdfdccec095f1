//! A policy that requires seven of twelve signers, who sign one by one.

use crate::support::http::{Reply, Request};
use crate::support::program::{Ended, Program};
use crate::support::server::TestServer;
use crate::support::signing::sign;

const POLICY: &str = include_str!("../../docs/policies/seven-of-twelve.toml");
const MAINTAINERS: [&str; 12] = [
    "ada", "brian", "claire", "dennis", "edith", "frank", "grace", "hugo", "ida", "john", "karen",
    "linus",
];
const CONTENT: &[u8] = b"what is released";

/// A release and its bundles.
struct Release {
    server: TestServer,
    program: Program,
    /// The files of the bundles, in the order of signing
    bundles: Vec<String>,
}

impl Release {
    fn new() -> Self {
        let (server, program) = (TestServer::start(), Program::new());
        program.write(
            "policy.toml",
            POLICY.replace("http://localhost:8477", server.url()),
        );
        program.write("release.tar.gz", CONTENT);
        let trust = server.get("/trust/trusted_root.json").body;
        program.write("trusted_root.json", trust);
        Self {
            server,
            program,
            bundles: Vec::new(),
        }
    }

    fn tokens(&self) -> Vec<String> {
        let emails = MAINTAINERS.map(|name| format!("{name}@example.com"));
        emails.map(|email| self.server.new_token(&email)).into()
    }

    fn sign(&mut self, position: usize, token: &str) {
        let challenge = format!("{}@example.com", MAINTAINERS[position]);
        let bundle = sign(&self.server, token, &challenge, CONTENT);
        let name = format!("{}.json", self.bundles.len());
        self.program.write(&name, bundle.to_json());
        self.bundles.push(name);
    }

    /// Verifies these bundles offline, with the program.
    fn verify(&self, policy: &str, bundles: &[String]) -> Ended {
        let mut arguments = vec!["verify", "--trusted-root", "trusted_root.json"];
        arguments.extend(["--policy", policy]);
        for bundle in bundles {
            arguments.extend(["--bundle", bundle]);
        }
        arguments.push("release.tar.gz");
        self.program.run(&arguments)
    }

    /// Asks the endpoint about these bundles.
    fn ask(&self, policy: &str, bundles: &[String]) -> Reply {
        let read = |name: &str| std::fs::read_to_string(self.program.path(name)).unwrap();
        let bundles: Vec<serde_json::Value> = bundles
            .iter()
            .map(|name| serde_json::from_str(&read(name)).unwrap())
            .collect();
        let question = serde_json::json!({
            "bundles": bundles,
            "artifact": {"sha256": signet::testing::Sha256::of(CONTENT).to_hex()},
            "policy": read(policy),
        });
        self.server
            .send(&Request::json("/signet/v1/verify", &question))
    }

    /// Both refuse, and show how many signers are missing.
    fn assert_refused(&self, policy: &str, bundles: &[String], summary: &str) {
        self.verify(policy, bundles).check(1, summary);
        let reply = self.ask(policy, bundles);
        assert_eq!(reply.status, 422, "{}", reply.text());
        let report = reply.json();
        assert!(
            report["reason"].as_str().unwrap().contains(summary),
            "{report}"
        );
        assert_eq!(report["policy"]["met"], false);
    }

    fn assert_verified(&self, policy: &str, bundles: &[String]) {
        self.verify(policy, bundles).check(0, "");
        let reply = self.ask(policy, bundles);
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

#[test]
fn the_policy_is_met_by_the_seventh_signer() {
    let mut release = Release::new();
    let tokens = release.tokens();
    for (position, token) in tokens.iter().enumerate().take(6) {
        release.sign(position, token);
        if position > 0 {
            let summary = format!("{} of 7", position + 1);
            release.assert_refused("policy.toml", &release.bundles, &summary);
        }
    }

    // A second bundle of the same signer does not count.
    release.sign(0, &tokens[0]);
    release.assert_refused("policy.toml", &release.bundles, "6 of 7");
    release.bundles.pop();

    release.sign(6, &tokens[6]);
    release.assert_verified("policy.toml", &release.bundles);

    // A repeated bundle neither counts again nor does harm.
    let twice = [&release.bundles[..], &release.bundles[..1]].concat();
    release.assert_verified("policy.toml", &twice);
    let short = [&release.bundles[..6], &release.bundles[..1]].concat();
    release.assert_refused("policy.toml", &short, "6 of 7");

    // A denied hour removes one signer.
    let denied = deny_the_hour(&release, "ada@example.com");
    release.program.write("denied.toml", denied);
    release.assert_refused("denied.toml", &release.bundles, "6 of 7");
    release.sign(7, &tokens[7]);
    release.assert_verified("denied.toml", &release.bundles);
}

/// The policy, with everything denied that a subject signed within half an hour of now.
fn deny_the_hour(release: &Release, subject: &str) -> String {
    use signet::testing::Clock as _;
    let half = std::time::Duration::from_secs(1800);
    let now = signet::testing::SystemClock.now();
    let policy = std::fs::read_to_string(release.program.path("policy.toml")).unwrap();
    format!(
        "{policy}\n[[deny]]\nsubject = \"{subject}\"\nissuer = \"{}\"\nfrom = \"{}\"\nuntil = \"{}\"\n",
        release.server.url(),
        now.before(half).floor_to_second().to_rfc3339(),
        now.after(half).floor_to_second().to_rfc3339(),
    )
}
