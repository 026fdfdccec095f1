//! The files that the TUF repository offers.
//!
//! Today's clients take `trusted_root.json` and the signing configuration. The others are for older
//! ones, which choose files by `custom.sigstore.usage`. Clients differ over `custom`: Java's demands
//! `status` and `usage` wherever it stands, Go's refuses a usage that it does not know. So it stands
//! at every file, and says `Unknown`, a word that all of them know, where no older client looks.

use std::sync::Arc;

use super::{Anchors, Document, TrustDocuments, timestamp_url};
use crate::protocol::tuf::{Custom, SigstoreCustom};
use crate::protocol::x509::Certificate;

/// A file that clients may fetch.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name, without a folder
    pub name: &'static str,
    /// Its content
    pub content: Arc<[u8]>,
    /// What clients are told about it
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

/// Every file of an instance.
pub(crate) fn targets(anchors: &Anchors, documents: &TrustDocuments) -> Vec<Target> {
    let origin = anchors.public_url.as_str();
    let document = |name, content: &Document| Target::new(name, "Unknown", None, content.clone());
    let key = |name, usage, uri: String, content: &Document| {
        Target::new(name, usage, Some(uri), content.clone())
    };
    let mut targets = vec![
        document("trusted_root.json", &documents.trusted_root),
        document("signing_config.v0.2.json", &documents.signing_config),
        key(
            "rekor.pub",
            "Rekor",
            origin.to_owned(),
            &documents.log_v1_key,
        ),
        key(
            "ctfe.pub",
            "CTFE",
            format!("{origin}/ct"),
            &documents.ct_key,
        ),
    ];
    let names = ["fulcio_intermediate_v1.crt.pem", "fulcio.crt.pem"];
    targets.extend(authority("Fulcio", origin, &anchors.ca_chain, names));
    let (uri, chain) = (
        timestamp_url(&anchors.public_url),
        anchors.tsa_chain.as_slice(),
    );
    if let Some((leaf, above)) = chain.split_first() {
        let leaf = Document::pem_chain(std::slice::from_ref(leaf));
        targets.push(key("tsa_leaf.crt.pem", "TSA", uri.clone(), &leaf));
        let names = ["tsa_intermediate_0.crt.pem", "tsa_root.crt.pem"];
        targets.extend(authority("TSA", &uri, above, names));
    }
    targets
}

/// An authority's root, and what is between it and whom it certifies, where there is something.
fn authority(
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
