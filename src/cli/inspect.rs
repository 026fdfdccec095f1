//! `signet inspect`: shows the content of a bundle and verifies nothing.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::output::{Failure, Output, print_json};
use super::verify::read_bundle;
use crate::services::verify::{
    CertificateContents, CertificateFields, Contents, EntryContents, SignedContents,
    SignerContents, TimestampContents,
};

/// `signet inspect …`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InspectArgs {
    /// Bundle to show
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Shows what a bundle claims.
pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let bundle = read_bundle(&args.bundle).map_err(Failure::usage)?;
    let contents = Contents::of(&bundle);
    if args.json {
        print_json(&contents).context("cannot write to standard output")?;
    } else {
        print(&mut Output::stdout(), &contents);
    }
    Ok(())
}

/// The first line of the output.
const WARNING: &str =
    "Nothing below is verified: it is what the bundle claims. To verify it, use signet verify.";

fn print<W: Write>(output: &mut Output<W>, contents: &Contents) {
    output.line(WARNING);
    output.heading("Bundle");
    output.field("version", contents.bundle_version);
    print_content(output, &contents.content);
    match &contents.signer {
        SignerContents::Certificates(chain) => {
            for certificate in chain {
                print_certificate(output, certificate);
            }
        }
        SignerContents::PublicKey { hint } => {
            output.heading("Public key");
            output.field("hint", hint);
        }
    }
    for entry in &contents.log_entries {
        print_entry(output, entry);
    }
    for timestamp in &contents.timestamps {
        print_timestamp(output, timestamp);
    }
}

fn print_content<W: Write>(output: &mut Output<W>, content: &SignedContents) {
    match content {
        SignedContents::Message { digest } => {
            output.field("content", "a signature over the artifact itself");
            output.field("digest", digest.as_deref().unwrap_or("not given"));
        }
        SignedContents::Envelope {
            payload_type,
            signatures,
            statement,
        } => {
            output.field("content", payload_type);
            output.field("signatures", signatures);
            let Some(statement) = statement else {
                output.field("statement", "not readable as an in-toto statement");
                return;
            };
            output.field("predicate type", &statement.predicate_type);
            for subject in &statement.subjects {
                output.field("subject", &subject.name);
                for (function, digest) in &subject.digest {
                    output.field("", format_args!("{function}:{digest}"));
                }
            }
        }
    }
}

fn print_certificate<W: Write>(output: &mut Output<W>, certificate: &CertificateContents) {
    output.heading("Certificate");
    match certificate {
        CertificateContents::Readable(fields) => print_fields(output, fields),
        CertificateContents::Unreadable { unreadable } => output.field("unreadable", unreadable),
    }
}

fn print_fields<W: Write>(output: &mut Output<W>, fields: &CertificateFields) {
    for (name, value) in [
        ("subject", &fields.subject),
        ("OIDC issuer", &fields.oidc_issuer),
    ] {
        output.field(name, value.as_deref().unwrap_or("none"));
    }
    output.field("issued by", &fields.issued_by);
    output.field("serial", &fields.serial);
    output.field("valid from", &fields.not_before);
    output.field("valid until", &fields.not_after);
    output.field("key", format_args!("{} {}", fields.key_details, fields.key));
    output.field("fingerprint", &fields.fingerprint);
    for (name, value) in &fields.claims {
        output.field("claim", format_args!("{name} = {value}"));
    }
    for extension in &fields.extensions {
        output.field("extension", extension);
    }
    for sct in &fields.scts {
        output.field("SCT", format_args!("{} at {}", sct.log_id, sct.time));
    }
}

fn print_entry<W: Write>(output: &mut Output<W>, entry: &EntryContents) {
    output.heading("Log entry");
    output.field("log", &entry.log_id);
    output.field("index", entry.index);
    output.field("kind", format_args!("{} {}", entry.kind, entry.version));
    if let Some(time) = &entry.integrated_time {
        output.field("integrated at", time);
    }
    output.field("promise", if entry.promise { "yes" } else { "no" });
    if let Some(size) = entry.tree_size {
        output.field("tree size", size);
    }
    if let Some(origin) = &entry.origin {
        output.field("checkpoint of", origin);
    }
}

fn print_timestamp<W: Write>(output: &mut Output<W>, timestamp: &TimestampContents) {
    output.heading("Timestamp");
    match timestamp {
        TimestampContents::Readable {
            time,
            serial,
            policy,
        } => {
            output.field("time", time);
            output.field("serial", serial);
            output.field("policy", policy);
        }
        TimestampContents::Unreadable { unreadable } => output.field("unreadable", unreadable),
    }
}

const EXAMPLES: &str = "\
Examples:
  signet inspect release.tar.gz.sigstore.json
  signet inspect --json release.tar.gz.sigstore.json | jq .log_entries

Nothing is verified, so no trusted root is needed.
Exit status: 0 the bundle was shown, 2 the file is not a bundle.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::bundle::verify::testing::World;

    #[test]
    fn the_first_line_says_that_nothing_is_verified() {
        for bundle in [
            World::new().native(),
            World::new().attestation(),
            World::new().managed(),
        ] {
            let mut shown = Vec::new();
            print(&mut Output::plain(&mut shown), &Contents::of(&bundle));

            let shown = String::from_utf8(shown).unwrap();
            assert!(shown.starts_with("Nothing below is verified"), "{shown}");
            assert!(shown.contains("Log entry"), "{shown}");
        }
    }
}
