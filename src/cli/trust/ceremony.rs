//! The steps of the root ceremony. `key` and `sign` touch files alone, so they work where there is no
//! network and no server.

use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};

use super::{CeremonyCommand, read, tell_installed, unexpected};
use crate::adapters::admin::trust::{TrustReply, TrustRequest};
use crate::adapters::keystore::{create_key_file, load_key_file};
use crate::cli::output::{Failure, Output};
use crate::protocol::bytes::Sha256;
use crate::protocol::keys::{KeyAlgorithm, SigningKey};
use crate::protocol::tuf::{KeyId, Metadata, Role, Root, Signed};
use crate::services::trust::ceremony::RootSigningRequest;

pub(super) fn run(
    command: &CeremonyCommand,
    ask: impl FnOnce(TrustRequest) -> Result<TrustReply, Failure>,
) -> Result<(), Failure> {
    match command {
        CeremonyCommand::Key { out } => Ok(make_key(out)?),
        CeremonyCommand::Propose {
            keys,
            threshold,
            days,
            out,
        } => {
            let keys = read_keys(keys)?;
            let request = TrustRequest::Propose {
                keys: (!keys.is_empty()).then_some(keys),
                threshold: *threshold,
                days: *days,
            };
            match ask(request)? {
                TrustReply::Proposed { request } => Ok(write_proposal(out, &request)?),
                _ => Err(unexpected().into()),
            }
        }
        CeremonyCommand::Sign { key, yes, request } => sign(key, *yes, request),
        CeremonyCommand::Finish { requests } => {
            let root = merge(requests)?;
            let root = String::from_utf8_lossy(root.bytes()).into_owned();
            match ask(TrustRequest::Install { root })? {
                TrustReply::Installed(root) => {
                    tell_installed(&root);
                    Ok(())
                }
                _ => Err(unexpected().into()),
            }
        }
    }
}

fn make_key(out: &Path) -> anyhow::Result<()> {
    let public = beside(out, ".pub");
    if public.exists() {
        bail!("{} is there already", public.display());
    }
    let key = create_key_file(out, KeyAlgorithm::P256)?;
    std::fs::write(&public, key.public_key().to_pem())
        .with_context(|| format!("{} cannot be written", public.display()))?;
    let mut output = Output::stderr();
    output.success(format_args!("made the key {}", id_of(&key)?));
    output.field("private", out.display());
    output.field("public", public.display());
    output.line("Keep the private file to yourself; give the public one to who proposes the root.");
    Ok(())
}

fn read_keys(files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let read_key = |file: &PathBuf| {
        let text = read(file)?;
        String::from_utf8(text).with_context(|| format!("{} is no PEM file", file.display()))
    };
    files.iter().map(read_key).collect()
}

fn write_proposal(out: &Path, request: &str) -> anyhow::Result<()> {
    let parsed = RootSigningRequest::parse(request.as_bytes())?;
    write_whole(out, request.as_bytes())?;
    let mut output = Output::stderr();
    describe(&mut output, &parsed);
    output.success(format_args!("wrote the signing request {}", out.display()));
    output
        .line("Give a copy to each owner of a key: signet trust root-ceremony sign --key KEY COPY");
    Ok(())
}

fn sign(key: &Path, yes: bool, file: &Path) -> Result<(), Failure> {
    let key = load_key_file(key).map_err(|error| Failure::usage(error.into()))?;
    let mut request = load(file)?;
    let mut output = Output::stderr();
    describe(&mut output, &request);
    // Refused before anybody is asked.
    let id = request
        .clone()
        .sign(&key)
        .map_err(|error| Failure::failed(error.into()))?;
    output.field("your key", id);
    if !yes && !agreed(&mut output)? {
        return Err(Failure::failed(anyhow!("nothing was signed")));
    }
    request
        .sign(&key)
        .map_err(|error| Failure::failed(error.into()))?;
    let text = request.to_json().map_err(anyhow::Error::from)?;
    write_whole(file, text.as_bytes())?;
    output.success(format_args!("signed {}", file.display()));
    if request.check_complete().is_ok() {
        output.line("It has all signatures: signet trust root-ceremony finish");
    }
    Ok(())
}

fn agreed(output: &mut Output<io::Stderr>) -> anyhow::Result<bool> {
    output.line("Sign this? Type yes:");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn merge(files: &[PathBuf]) -> Result<Signed<Root>, Failure> {
    let mut requests = files.iter().map(|file| load(file));
    let mut whole = requests
        .next()
        .ok_or_else(|| Failure::usage(anyhow!("no signing request")))??;
    for request in requests {
        whole
            .merge(&request?)
            .map_err(|error| Failure::failed(error.into()))?;
    }
    describe(&mut Output::stderr(), &whole);
    whole
        .check_complete()
        .map_err(|error| Failure::failed(error.into()))?;
    Ok(whole.next().clone())
}

fn load(file: &Path) -> Result<RootSigningRequest, Failure> {
    let text = read(file).map_err(Failure::usage)?;
    RootSigningRequest::parse(&text).map_err(|error| {
        Failure::usage(anyhow::Error::from(error).context(file.display().to_string()))
    })
}

/// In words, all that a signature would mean.
fn describe<W: io::Write>(output: &mut Output<W>, request: &RootSigningRequest) {
    let (present, next) = (request.current(), request.next());
    output.heading("A new root of trust");
    output.field(
        "present",
        format_args!(
            "version {}, sha256:{}",
            present.body().version(),
            Sha256::of(present.bytes()).to_hex()
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
    output.line("  What changes:");
    for change in request.changes() {
        output.line(format_args!("    - {change}"));
    }
    for (name, root) in [("by present", present), ("by next", next)] {
        let keys = root.body().role(Role::Root);
        let signed = signers(root.body(), next);
        output.field(
            name,
            format_args!(
                "{signed} signed, {} of {} keys needed",
                keys.threshold,
                keys.keyids.len()
            ),
        );
    }
}

/// How many keys of a root have signed a document, their signatures verified.
fn signers(root: &Root, document: &Signed<Root>) -> usize {
    let ids = &root.role(Role::Root).keyids;
    let holds = |(id, signature): &(&KeyId, &[u8])| {
        let key = root.key(id).filter(|_| ids.contains(id));
        key.is_some_and(|key| key.verify_message(document.payload(), signature).is_ok())
    };
    document.signatures().filter(holds).count()
}

fn id_of(key: &SigningKey) -> anyhow::Result<KeyId> {
    KeyId::of(key.public_key()).context("the key is of another kind")
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A file whole or not at all: a signing request has signatures that nobody wants to gather twice.
fn write_whole(file: &Path, content: &[u8]) -> anyhow::Result<()> {
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
