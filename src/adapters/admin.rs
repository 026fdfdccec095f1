//! The owner's way into a running server: a Unix socket in the data directory.
//!
//! One line of JSON asks, one line of JSON answers. Who may open the socket, its owner, may do all
//! it offers; nothing of it is reachable over the network.

pub(crate) mod trust;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::protocol::identity::EmailAddress;
use crate::services::account::{AccountError, AccountKind, Accounts};
use crate::services::trust::repository::TrustRepository;
use trust::{TrustReply, TrustRequest};

/// The socket's name in the data directory.
const SOCKET_NAME: &str = "admin.sock";

/// The longest name of a socket that every system takes, in bytes.
const MAX_SOCKET_PATH: usize = 103;

/// The longest request, in bytes.
const MAX_REQUEST_LENGTH: u64 = 64 * 1024;

/// The longest reply that a client reads, in bytes: room for a hundred thousand accounts.
const MAX_REPLY_LENGTH: u64 = 32 * 1024 * 1024;

/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections are served at once.
const MAX_CONNECTIONS: usize = 8;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum AdminRequest {
    /// Make a machine account
    AddServiceAccount {
        /// Whom its tokens name.
        email: String,
    },
    /// Name all accounts
    ListAccounts,
    /// Remove an account
    RemoveAccount {
        /// Whose.
        email: String,
    },
    /// Something about the root of trust
    Trust {
        /// What.
        request: TrustRequest,
    },
}

/// What is answered. It can carry a secret, so it has no debug form.
#[derive(Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub(crate) enum AdminReply {
    /// The account was made
    Added {
        /// Its OAuth client id.
        client_id: String,
        /// Its secret, shown this once.
        client_secret: String,
    },
    /// All accounts
    Accounts {
        /// By e-mail address.
        accounts: Vec<AccountEntry>,
    },
    /// The account was removed
    Removed,
    /// What was asked about the root of trust
    Trust {
        /// What.
        answer: TrustReply,
    },
    /// It was not done
    Refused {
        /// Why, for a person.
        message: String,
    },
}

/// An account as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountEntry {
    /// Whom its tokens name.
    pub email: String,
    /// Its OAuth client id.
    pub client_id: String,
    /// `service`.
    pub kind: String,
    /// RFC 3339, UTC.
    pub created: String,
}

/// The services that are reached over the socket.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The accounts of the embedded issuer
    pub accounts: Arc<Accounts>,
    /// The TUF repository
    pub trust: Arc<TrustRepository>,
}

impl Desk {
    /// Does what is asked. Blocks on storage, and on a hash when an account is made.
    pub(crate) fn perform(&self, request: AdminRequest) -> AdminReply {
        match request {
            AdminRequest::Trust { request } => match trust::perform(&self.trust, request) {
                Ok(answer) => AdminReply::Trust { answer },
                Err(message) => AdminReply::Refused { message },
            },
            request => perform(&self.accounts, request),
        }
    }
}

/// Does what is asked about accounts. Blocks on storage, and on a hash when one is made.
pub(crate) fn perform(accounts: &Accounts, request: AdminRequest) -> AdminReply {
    let done = match request {
        AdminRequest::AddServiceAccount { email } => with_email(email, |email| {
            let made = accounts.add_service(email)?;
            Ok(AdminReply::Added {
                client_id: made.client_id,
                client_secret: made.client_secret.reveal().to_owned(),
            })
        }),
        AdminRequest::ListAccounts => Ok(AdminReply::Accounts {
            accounts: entries(accounts),
        }),
        AdminRequest::RemoveAccount { email } => with_email(email, |email| {
            accounts.remove(&email)?;
            Ok(AdminReply::Removed)
        }),
        AdminRequest::Trust { .. } => Err("this is not about accounts".to_owned()),
    };
    done.unwrap_or_else(|message| AdminReply::Refused { message })
}

fn with_email(
    text: String,
    work: impl FnOnce(EmailAddress) -> Result<AdminReply, AccountError>,
) -> Result<AdminReply, String> {
    let email = EmailAddress::new(text.as_str()).map_err(|error| format!("{text:?} {error}"))?;
    work(email).map_err(|error| error.to_string())
}

fn entries(accounts: &Accounts) -> Vec<AccountEntry> {
    let entry = |account: crate::services::account::Account| AccountEntry {
        email: account.email.as_str().to_owned(),
        client_id: account.client_id,
        kind: match account.kind {
            AccountKind::Service => "service".to_owned(),
        },
        created: account.created.to_rfc3339(),
    };
    accounts.list().into_iter().map(entry).collect()
}

/// Why the socket cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Another server answers on it
    #[error("another server is already running on this data directory: {} answers", .0.display())]
    AlreadyServed(PathBuf),
    /// Others than the owner could get at it
    #[error("the data directory {} must be accessible to its owner only (mode 0700)", .0.display())]
    OpenDirectory(PathBuf),
    /// Something else has its name
    #[error("{} is in the way: it is not a socket", .0.display())]
    InTheWay(PathBuf),
    /// The operating system refused
    #[error("the admin socket {} cannot be used", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The other side spoke something else
    #[error("the running server gave an answer that cannot be read; is it another version?")]
    Unintelligible,
}

/// The server's side. The socket goes when this goes.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Opens the socket; one that a dead server left behind is replaced. Needs a tokio runtime.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub(crate) fn bind(data_dir: &Path) -> Result<Self, AdminError> {
        let path = data_dir.join(SOCKET_NAME);
        let failed = |source| AdminError::Io {
            path: path.clone(),
            source,
        };
        let mode = data_dir.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(AdminError::OpenDirectory(data_dir.to_owned()));
        }
        let folder = Folder::open(data_dir).map_err(failed)?;
        clear_stale_socket(&path, &folder)?;
        let listener = UnixListener::bind(folder.socket()).map_err(failed)?;
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, owner_only).map_err(failed)?;
        Ok(Self { listener, path })
    }

    /// Answers requests until the task is dropped.
    pub(crate) async fn serve(self, desk: Desk) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let desk = desk.clone();
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(async move {
                        let answer = answer(stream, desk);
                        // A client that says nothing, or hangs up, has only itself to blame.
                        let _ = tokio::time::timeout(PATIENCE, answer).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(error = %error, "admin connection was not accepted");
                    // Out of file descriptors, most likely; asking at once would only spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // Left behind it does no harm: the next server finds it stale.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The data directory, held open to give the socket a short name: the system takes no longer one
/// than 107 bytes, and a data directory's own name may be longer (unix(7), `sun_path`).
struct Folder {
    path: PathBuf,
    held: File,
}

impl Folder {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            held: File::open(path)?,
        })
    }

    /// The socket's name, good for as long as the folder is held.
    fn socket(&self) -> PathBuf {
        let path = self.path.join(SOCKET_NAME);
        if path.as_os_str().len() <= MAX_SOCKET_PATH {
            return path;
        }
        Path::new("/proc/self/fd")
            .join(self.held.as_raw_fd().to_string())
            .join(SOCKET_NAME)
    }
}

fn clear_stale_socket(path: &Path, folder: &Folder) -> Result<(), AdminError> {
    let failed = |source| AdminError::Io {
        path: path.to_owned(),
        source,
    };
    match path.symlink_metadata() {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(AdminError::InTheWay(path.to_owned()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    match BlockingStream::connect(folder.socket()) {
        Ok(_) => Err(AdminError::AlreadyServed(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

async fn answer(mut stream: UnixStream, desk: Desk) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut line = Vec::new();
    tokio::io::BufReader::new(reading.take(MAX_REQUEST_LENGTH))
        .read_until(b'\n', &mut line)
        .await?;
    let reply = match serde_json::from_slice(&line) {
        Ok(request) => tokio::task::spawn_blocking(move || desk.perform(request))
            .await
            .map_err(io::Error::other)?,
        Err(error) => AdminReply::Refused {
            message: format!("the request cannot be read: {error}"),
        },
    };
    let mut bytes = Zeroizing::new(serde_json::to_vec(&reply)?);
    bytes.push(b'\n');
    writing.write_all(&bytes).await?;
    writing.shutdown().await
}

/// The command line's side: a connection to the server that runs on a data directory.
#[derive(Debug)]
pub(crate) struct AdminClient {
    stream: BlockingStream,
    path: PathBuf,
}

impl AdminClient {
    /// Connects if a server runs there; none where nobody answers.
    ///
    /// # Errors
    /// The socket is there but may not be opened.
    pub(crate) fn connect(data_dir: &Path) -> Result<Option<Self>, AdminError> {
        let path = data_dir.join(SOCKET_NAME);
        match Folder::open(data_dir).and_then(|folder| BlockingStream::connect(folder.socket())) {
            Ok(stream) => Ok(Some(Self { stream, path })),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(source) => Err(AdminError::Io { path, source }),
        }
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The connection broke, nothing came in time, or the answer cannot be read.
    pub(crate) fn call(self, request: &AdminRequest) -> Result<AdminReply, AdminError> {
        let line = self.exchange(request).map_err(|source| AdminError::Io {
            path: self.path.clone(),
            source,
        })?;
        serde_json::from_slice(&line).map_err(|_| AdminError::Unintelligible)
    }

    fn exchange(&self, request: &AdminRequest) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut stream = &self.stream;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = Zeroizing::new(Vec::new());
        BufReader::new(stream.take(MAX_REPLY_LENGTH)).read_until(b'\n', &mut answer)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
