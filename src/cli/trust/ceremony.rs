//! The steps of the root ceremony. `key` and `sign` use files only, so they work without a network and
//! without a server.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};

use super::{CeremonyCommand, ask};
use crate::adapters::admin::trust::{InstallRoot, InstalledRoot, ProposeRoot};
use crate::adapters::keystore::{create_key_file, load_key_file};
use crate::cli::files::{append, read, read_text};
use crate::cli::output::{Failure, Output};
use crate::cli::store::StoreArgs;
use crate::protocol::hash::Sha256;
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::tuf::{KeyId, Metadata, Role, Root, Signed};
use crate::services::trust::ceremony::RootSigningRequest;

pub(super) fn run(command: &CeremonyCommand, store: &StoreArgs) -> Result<(), Failure> {
    match command {
        CeremonyCommand::Key { out } => Ok(generate_key(out)?),
        CeremonyCommand::Propose {
            keys,
            threshold,
            days,
            out,
        } => {
            let keys: Vec<_> = keys
                .iter()
                .map(|file| read_text(file))
                .collect::<Result<_, _>>()?;
            let proposal = ProposeRoot {
                keys: (!keys.is_empty()).then_some(keys),
                threshold: *threshold,
                days: *days,
            };
            Ok(write_proposal(out, &ask(store, proposal)?)?)
        }
        CeremonyCommand::Sign { key, yes, request } => sign(key, *yes, request),
        CeremonyCommand::Finish { requests } => {
            let root = merge(requests)?;
            let root = String::from_utf8_lossy(root.bytes()).into_owned();
            print_installed(&ask(store, InstallRoot { root })?);
            Ok(())
        }
    }
}

pub(super) fn print_installed(root: &InstalledRoot) {
    let mut output = Output::stderr();
    output.success(format_args!(
        "root version {} is now in effect; it expires {}",
        root.version, root.expires
    ));
    output.field("SHA-256", &root.sha256);
}

fn generate_key(out: &Path) -> anyhow::Result<()> {
    let public = append(out, ".pub");
    if public.exists() {
        bail!("{} already exists", public.display());
    }
    let key = create_key_file(out, KeyAlgorithm::P256)?;
    std::fs::write(&public, key.public_key().to_pem())
        .with_context(|| format!("{} cannot be written", public.display()))?;
    let mut output = Output::stderr();
    output.success(format_args!("generated the key {}", id_of(&key)?));
    output.field("private", out.display());
    output.field("public", public.display());
    output.line(
        "Keep the private file secret; send the public one to the person who drafts the root.",
    );
    Ok(())
}

fn write_proposal(out: &Path, request: &str) -> anyhow::Result<()> {
    let parsed = RootSigningRequest::parse(request.as_bytes())?;
    write_atomically(out, request.as_bytes())?;
    let mut output = Output::stderr();
    describe(&mut output, &parsed);
    output.success(format_args!("wrote the signing request {}", out.display()));
    output.line(
        "Send a copy to each key holder, to run: signet trust root-ceremony sign --key KEY COPY",
    );
    Ok(())
}

fn sign(key: &Path, yes: bool, file: &Path) -> Result<(), Failure> {
    let key = load_key_file(key).map_err(|error| Failure::usage(error.into()))?;
    let mut request = load(file)?;
    let mut output = Output::stderr();
    describe(&mut output, &request);
    // Signed on a copy first, so that a key that may not sign is refused before the question.
    let id = request
        .clone()
        .sign(&key)
        .map_err(|error| Failure::failed(error.into()))?;
    output.field("your key", id);
    if !yes && !confirmed(&mut output)? {
        return Err(Failure::failed(anyhow!("declined; nothing was signed")));
    }
    request
        .sign(&key)
        .map_err(|error| Failure::failed(error.into()))?;
    let text = request.to_json().map_err(anyhow::Error::from)?;
    write_atomically(file, text.as_bytes())?;
    output.success(format_args!("signed {}", file.display()));
    if request.check_complete().is_ok() {
        output.line("All signatures are present; run: signet trust root-ceremony finish");
    }
    Ok(())
}

fn confirmed(output: &mut Output<io::Stderr>) -> anyhow::Result<bool> {
    output.line("Sign this? Type yes:");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn merge(files: &[PathBuf]) -> Result<Signed<Root>, Failure> {
    let mut requests = files.iter().map(|file| load(file));
    let mut merged = requests
        .next()
        .ok_or_else(|| Failure::usage(anyhow!("no signing request was given")))??;
    for request in requests {
        merged
            .merge(&request?)
            .map_err(|error| Failure::failed(error.into()))?;
    }
    describe(&mut Output::stderr(), &merged);
    merged
        .check_complete()
        .map_err(|error| Failure::failed(error.into()))?;
    Ok(merged.next().clone())
}

fn load(file: &Path) -> Result<RootSigningRequest, Failure> {
    let text = read(file).map_err(Failure::usage)?;
    RootSigningRequest::parse(&text).map_err(|error| {
        Failure::usage(anyhow::Error::from(error).context(file.display().to_string()))
    })
}

/// Prints everything that a signature would approve.
fn describe<W: io::Write>(output: &mut Output<W>, request: &RootSigningRequest) {
    let (current, next) = (request.current(), request.next());
    output.heading("A new root of trust");
    output.field(
        "current",
        format_args!(
            "version {}, sha256:{}",
            current.body().version(),
            Sha256::of(current.bytes()).to_hex()
        ),
    );
    output.field(
        "next",
        format_args!(
            "version {}, signed content sha256:{}",
            next.body().version(),
            Sha256::of(next.payload()).to_hex()
        ),
    );
    output.line("  Changes:");
    for change in request.changes() {
        output.line(format_args!("    - {change}"));
    }
    for (name, root) in [("current keys", current), ("next keys", next)] {
        let keys = root.body().role(Role::Root);
        let signed = signers(root.body(), next);
        output.field(
            name,
            format_args!(
                "{signed} signed, {} of {} required",
                keys.threshold,
                keys.keyids.len()
            ),
        );
    }
}

/// The number of a root's keys that have signed a document; the signatures are verified.
fn signers(root: &Root, document: &Signed<Root>) -> usize {
    let ids = &root.role(Role::Root).keyids;
    let verifies = |(id, signature): &(&KeyId, &[u8])| {
        let key = root.key(id).filter(|_| ids.contains(id));
        key.is_some_and(|key| key.verify_message(document.payload(), signature).is_ok())
    };
    document.signatures().filter(verifies).count()
}

fn id_of(key: &SigningKey) -> anyhow::Result<KeyId> {
    KeyId::of(key.public_key()).context("this kind of key cannot sign a root")
}

/// Replaces a file whole or not at all: a signing request contains signatures that are laborious to
/// collect again.
fn write_atomically(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let write = || {
        let mut draft = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        draft.write_all(content)?;
        draft.as_file().sync_all()?;
        draft.persist(file)?;
        io::Result::Ok(())
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}
