//! What people copy: each client's commands, filled in for one instance.

use std::borrow::Cow;

use serde::Serialize;

use super::recipes::RECIPES;
use super::{Feature, TufRepository};
use crate::services::roster::Roster;

/// A client and what to do with it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Client {
    /// Its name
    pub name: &'static str,
    /// What can be done, in order
    pub steps: Vec<Step>,
}

/// Commands for a shell, and what they are for.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    /// What they do
    pub purpose: &'static str,
    /// Lines for a POSIX shell; `FILE`, `WHO` and other capitals stand for one's own
    pub commands: String,
}

/// A client's commands before they are filled in.
pub(super) struct Recipe {
    pub(super) client: &'static str,
    pub(super) steps: &'static [StepRecipe],
}

/// Commands in which `{url}`, `{issuer}` and `{root}` stand for the instance's own.
pub(super) struct StepRecipe {
    pub(super) purpose: &'static str,
    /// What the instance must have for it
    pub(super) needs: &'static [Feature],
    pub(super) commands: &'static str,
}

/// The commands for an instance with these features.
pub(super) fn of(
    roster: &Roster,
    tuf: Option<&TufRepository>,
    features: &[Feature],
) -> Vec<Client> {
    let url = shell_word(roster.public_url.as_str());
    // Where there are several, only the reader knows whose token it was.
    let issuer = match roster.issuers.as_slice() {
        [only] => shell_word(only),
        _ => Cow::Borrowed("ISSUER"),
    };
    let root = tuf.map_or("", |tuf| &tuf.initial_root_sha256);
    let fill = |commands: &str| {
        commands
            .trim()
            .replace("{url}", &url)
            .replace("{root}", root)
            .replace("{issuer}", &issuer)
    };
    let step = |recipe: &StepRecipe| Step {
        purpose: recipe.purpose,
        commands: fill(recipe.commands),
    };
    let is_possible =
        |recipe: &&StepRecipe| recipe.needs.iter().all(|need| features.contains(need));
    let client = |recipe: &Recipe| Client {
        name: recipe.client,
        steps: recipe.steps.iter().filter(is_possible).map(step).collect(),
    };
    let clients = RECIPES.iter().map(client);
    clients.filter(|client| !client.steps.is_empty()).collect()
}

/// A text as one word of a POSIX shell, whatever it holds: issuers are named by people.
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
    fn a_word_of_the_shell_stays_one_word() {
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
