//! The commands of each client, filled in for one instance.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Feature, TufRepository};
use crate::services::roster::Roster;

/// The steps of one client, in order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Client {
    pub name: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    pub purpose: String,
    /// Lines for a POSIX shell; `FILE`, `WHO` and other capitals are placeholders for the user
    pub commands: String,
}

/// The clients that are tested against this server.
const CLIENTS: &str = include_str!("clients.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientsFile {
    client: Vec<ClientTemplate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientTemplate {
    name: String,
    step: Vec<StepTemplate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTemplate {
    purpose: String,
    #[serde(default)]
    needs: Vec<Feature>,
    commands: String,
}

/// The commands for an instance with these features.
pub(super) fn of(
    roster: &Roster,
    tuf: Option<&TufRepository>,
    features: &[Feature],
) -> Vec<Client> {
    let url = shell_word(roster.public_url.as_str());
    // With several issuers, only the user knows which one issued the token.
    let issuer = match roster.issuers.as_slice() {
        [only] => shell_word(only),
        _ => Cow::Borrowed("ISSUER"),
    };
    let root = tuf.map_or("", |tuf| &tuf.initial_root_sha256);
    let fill = |template: StepTemplate| {
        let commands = template.commands.trim().replace("{url}", &url);
        Step {
            purpose: template.purpose,
            commands: commands
                .replace("{root}", root)
                .replace("{issuer}", &issuer),
        }
    };
    let is_possible = |step: &StepTemplate| step.needs.iter().all(|need| features.contains(need));
    let file: ClientsFile = toml::from_str(CLIENTS).expect("a test reads this file");
    let clients = file.client.into_iter().map(|client| Client {
        name: client.name,
        steps: client
            .step
            .into_iter()
            .filter(is_possible)
            .map(fill)
            .collect(),
    });
    clients.filter(|client| !client.steps.is_empty()).collect()
}

/// Quotes a text for a POSIX shell, because operators may configure any issuer URL.
fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/._@%+=-".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_metacharacters_are_quoted() {
        for (text, word) in [
            ("https://sign.example:8477", "https://sign.example:8477"),
            ("http://[::1]:1", "'http://[::1]:1'"),
            ("https://a.example/$(id)", "'https://a.example/$(id)'"),
            ("a'b;c", r"'a'\''b;c'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
