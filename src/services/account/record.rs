//! The stored form of an account: JSON with a version, read strictly.

use serde::{Deserialize, Serialize};

use super::{Account, AccountKind, SecretHash};
use crate::protocol::identity::EmailAddress;
use crate::protocol::time::UnixTime;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    email: String,
    client_id: String,
    secret_hash: String,
    created_millis: u64,
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Service,
}

pub(super) fn encode(account: &Account) -> Vec<u8> {
    let record = Record {
        version: VERSION,
        email: account.email.as_str().to_owned(),
        client_id: account.client_id.clone(),
        secret_hash: account.secret_hash.as_str().to_owned(),
        created_millis: account.created.millis(),
        kind: match account.kind {
            AccountKind::Service => Kind::Service,
        },
    };
    serde_json::to_vec(&record).expect("strings and numbers can be written as JSON")
}

/// None if the bytes are not an account, or one of another version.
pub(super) fn decode(bytes: &[u8]) -> Option<Account> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    if record.version != VERSION {
        return None;
    }
    Some(Account {
        email: EmailAddress::new(record.email).ok()?,
        client_id: record.client_id,
        secret_hash: SecretHash::parse(&record.secret_hash)?,
        created: UnixTime::from_millis(record.created_millis),
        kind: match record.kind {
            Kind::Service => AccountKind::Service,
        },
    })
}
