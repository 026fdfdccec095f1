//! Machine accounts of the embedded issuer, and their tokens.

use serde_json::Value;

use super::http::{Reply, Request};

/// The signer in most tests.
pub const EMAIL: &str = "build@example.com";

/// The credentials of a machine account.
#[derive(Clone, Debug)]
pub struct Account {
    pub client_id: String,
    pub client_secret: String,
}

impl Account {
    /// The credentials in the JSON that `signet account add --json` prints.
    pub fn from_json(json: &Value) -> Self {
        let text = |name| json[name].as_str().unwrap().to_owned();
        Self {
            client_id: text("client_id"),
            client_secret: text("client_secret"),
        }
    }

    /// A request for a token (RFC 6749 §4.4).
    pub fn token_request(&self) -> Request {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            self.client_id, self.client_secret
        );
        Request::post("/oauth2/token", "application/x-www-form-urlencoded", form)
    }
}

/// The identity token in the reply to [`Account::token_request`].
pub fn token_in(reply: Reply) -> String {
    reply.success()["id_token"].as_str().unwrap().to_owned()
}
