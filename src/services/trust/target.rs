//! The target files of the TUF repository.
//!
//! Current clients read `trusted_root.json` and the signing configuration. The other files are for
//! older clients, which select files by `custom.sigstore.usage`. sigstore-java requires `status` and
//! `usage` in every `custom`, and sigstore-go refuses usages that it does not know. Therefore every
//! file has a `custom`, with the usage `Unknown`, which all clients know, where no older client reads
//! the file.

use std::sync::Arc;

use super::documents::{Document, SIGNING_CONFIG, TRUSTED_ROOT, TrustDocuments};
use crate::protocol::tuf::{Custom, SigstoreCustom};
use crate::protocol::x509::Certificate;
use crate::services::roster::{AuthorityRole, LogRole, Roster};

/// A target file.
#[derive(Clone, Debug)]
pub struct Target {
    /// File name without a path
    pub name: &'static str,
    pub content: Arc<[u8]>,
    /// Metadata of the file for clients
    pub custom: Custom,
}

impl Target {
    fn new(name: &'static str, usage: &str, uri: Option<String>, content: Document) -> Self {
        Self {
            name,
            content: content.bytes,
            custom: Custom {
                sigstore: SigstoreCustom {
                    status: "Active".to_owned(),
                    usage: usage.to_owned(),
                    uri,
                },
            },
        }
    }
}

/// Every target file of an instance. Older clients support one log and one authority of each kind, so
/// they get the first.
pub(crate) fn targets(roster: &Roster, documents: &TrustDocuments) -> Vec<Target> {
    let mut targets = Vec::new();
    for name in [TRUSTED_ROOT, SIGNING_CONFIG] {
        if let Some(content) = documents.find(name).and_then(|one| one.content.clone()) {
            targets.push(Target::new(name, "Unknown", None, content));
        }
    }
    for (name, usage, role) in [
        ("rekor.pub", "Rekor", LogRole::RekorV1),
        ("ctfe.pub", "CTFE", LogRole::Ct),
    ] {
        if let Some(log) = roster.logs_of(role).next() {
            let content = Document::new(log.key.to_pem());
            targets.push(Target::new(name, usage, Some(log.url.clone()), content));
        }
    }
    if let Some(ca) = roster.authorities_of(AuthorityRole::Certificates).next() {
        let names = ["fulcio_intermediate_v1.crt.pem", "fulcio.crt.pem"];
        targets.extend(chain_files("Fulcio", &ca.url, &ca.chain, names));
    }
    if let Some(tsa) = roster.authorities_of(AuthorityRole::Timestamps).next()
        && let Some((leaf, above)) = tsa.chain.split_first()
    {
        let content = Document::pem_chain(std::slice::from_ref(leaf));
        let uri = Some(tsa.url.clone());
        targets.push(Target::new("tsa_leaf.crt.pem", "TSA", uri, content));
        let names = ["tsa_intermediate_0.crt.pem", "tsa_root.crt.pem"];
        targets.extend(chain_files("TSA", &tsa.url, above, names));
    }
    targets
}

/// The file of an authority's root, and the file of its intermediates if there are any.
fn chain_files(
    usage: &'static str,
    uri: &str,
    chain: &[Certificate],
    [intermediates, root]: [&'static str; 2],
) -> impl Iterator<Item = Target> {
    let (top, between) = chain
        .split_last()
        .map_or((&[][..], &[][..]), |(top, between)| {
            (std::slice::from_ref(top), between)
        });
    let files = [(intermediates, between), (root, top)].map(|(name, chain)| {
        let content = Document::pem_chain(chain);
        (!chain.is_empty()).then(|| Target::new(name, usage, Some(uri.to_owned()), content))
    });
    files.into_iter().flatten()
}
