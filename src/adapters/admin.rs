//! The admin socket: a Unix socket in the data directory, by which the owner of that directory commands
//! a running server.
//!
//! The client sends one line of JSON, an [`AdminRequest`]; the server answers with one line, an
//! [`AdminReply`]. The socket's permissions are the only access control, and they admit the owner alone.

pub(crate) mod account;
pub(crate) mod trust;

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::services::account::Accounts;
use crate::services::trust::repository::TrustRepository;
use account::{AddServiceAccount, ListAccounts, RemoveAccount};
use trust::{InstallRoot, ProposeRoot, RenewRoot, ShowTrust};

const SOCKET_NAME: &str = "admin.sock";

/// Maximum length of a socket's path that every system accepts, in bytes.
const MAX_SOCKET_PATH: usize = 103;

/// Maximum length of a request, in bytes.
const MAX_REQUEST_LENGTH: u64 = 64 * 1024;

/// Maximum length of a reply, in bytes: room for 100,000 accounts.
const MAX_REPLY_LENGTH: u64 = 32 * 1024 * 1024;

/// Maximum time that either side waits for the other.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of connections served at the same time.
const MAX_CONNECTIONS: usize = 8;

/// A command, with the service that performs it and the type of its reply. The command line performs
/// it directly when no server runs.
pub(crate) trait AdminCommand: Sized {
    type Service;
    type Reply: Serialize + DeserializeOwned;
    type Error: Error + Send + Sync + 'static;

    fn into_request(self) -> AdminRequest;

    /// Performs the command. Blocks on storage.
    fn perform(self, service: &Self::Service) -> Result<Self::Reply, Self::Error>;
}

/// Every command, as it is sent.
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(crate) enum AdminRequest {
    AddServiceAccount(AddServiceAccount),
    ListAccounts(ListAccounts),
    RemoveAccount(RemoveAccount),
    ShowTrust(ShowTrust),
    RenewRoot(RenewRoot),
    ProposeRoot(ProposeRoot),
    InstallRoot(InstallRoot),
}

/// The reply to a command whose own reply is `T`. It can contain a secret, so it has no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AdminReply<T> {
    Done(T),
    /// The command failed, with a message for the user
    Refused(String),
}

/// The services that commands are performed by.
#[derive(Clone)]
pub(crate) struct AdminServices {
    pub accounts: Arc<Accounts>,
    pub trust: Arc<TrustRepository>,
}

impl AdminServices {
    /// Performs a command and encodes the reply. Blocks on storage.
    fn perform(&self, request: AdminRequest) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        match request {
            AdminRequest::AddServiceAccount(command) => reply_to(command, &self.accounts),
            AdminRequest::ListAccounts(command) => reply_to(command, &self.accounts),
            AdminRequest::RemoveAccount(command) => reply_to(command, &self.accounts),
            AdminRequest::ShowTrust(command) => reply_to(command, &self.trust),
            AdminRequest::RenewRoot(command) => reply_to(command, &self.trust),
            AdminRequest::ProposeRoot(command) => reply_to(command, &self.trust),
            AdminRequest::InstallRoot(command) => reply_to(command, &self.trust),
        }
    }
}

fn reply_to<C: AdminCommand>(
    command: C,
    service: &C::Service,
) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let reply = match command.perform(service) {
        Ok(reply) => AdminReply::Done(reply),
        Err(error) => AdminReply::Refused(error.to_string()),
    };
    serde_json::to_vec(&reply).map(Zeroizing::new)
}

/// Why the admin socket cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("a server is already running on this data directory: {} answers", .0.display())]
    AlreadyRunning(PathBuf),
    #[error(
        "the data directory {} must be accessible to its owner only; run: chmod 700 {}",
        .0.display(), .0.display()
    )]
    DirectoryNotPrivate(PathBuf),
    #[error("{} is not a socket; remove it, so that the server can create one", .0.display())]
    NotASocket(PathBuf),
    #[error("the admin socket {} cannot be used", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("unexpected reply from the running server; is it another version?")]
    UnexpectedReply,
    /// The server's own message
    #[error("{0}")]
    Refused(String),
}

/// The server's side. The socket is removed on drop.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Creates the socket, replacing one that a killed server left. Requires a tokio runtime.
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
            return Err(AdminError::DirectoryNotPrivate(data_dir.to_owned()));
        }
        let folder = DataDir::open(data_dir).map_err(failed)?;
        clear_stale_socket(&path, &folder)?;
        let listener = UnixListener::bind(folder.socket()).map_err(failed)?;
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, owner_only).map_err(failed)?;
        Ok(Self { listener, path })
    }

    /// Answers requests until the task is dropped.
    pub(crate) async fn serve(self, services: AdminServices) {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
                return;
            };
            let services = services.clone();
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(async move {
                        // A client that is silent or hangs up gets no reply; that is no concern of
                        // the server.
                        let _ = tokio::time::timeout(TIMEOUT, answer(stream, services)).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "admin.accept_failed");
                    // Most likely the process is out of file descriptors: retrying at once would spin.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // A socket that stays behind is harmless: the next server replaces it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The data directory, kept open so that the socket in it has a short path: the system accepts at most
/// 107 bytes (unix(7), `sun_path`), and the directory's own path may be longer.
struct DataDir {
    path: PathBuf,
    handle: File,
}

impl DataDir {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            handle: File::open(path)?,
        })
    }

    /// A path of the socket, valid as long as this value exists.
    fn socket(&self) -> PathBuf {
        let path = self.path.join(SOCKET_NAME);
        if path.as_os_str().len() <= MAX_SOCKET_PATH {
            return path;
        }
        Path::new("/proc/self/fd")
            .join(self.handle.as_raw_fd().to_string())
            .join(SOCKET_NAME)
    }
}

fn clear_stale_socket(path: &Path, folder: &DataDir) -> Result<(), AdminError> {
    let failed = |source| AdminError::Io {
        path: path.to_owned(),
        source,
    };
    match path.symlink_metadata() {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(AdminError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    match BlockingStream::connect(folder.socket()) {
        Ok(_) => Err(AdminError::AlreadyRunning(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

async fn answer(mut stream: UnixStream, services: AdminServices) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut line = Vec::new();
    tokio::io::BufReader::new(reading.take(MAX_REQUEST_LENGTH))
        .read_until(b'\n', &mut line)
        .await?;
    let mut reply = match serde_json::from_slice(&line) {
        Ok(request) => tokio::task::spawn_blocking(move || services.perform(request))
            .await
            .map_err(io::Error::other)??,
        Err(error) => {
            let message = format!("the request cannot be parsed: {error}");
            Zeroizing::new(serde_json::to_vec(&AdminReply::<()>::Refused(message))?)
        }
    };
    reply.push(b'\n');
    writing.write_all(&reply).await?;
    writing.shutdown().await
}

/// The command line's side: a connection to the server that runs on a data directory.
#[derive(Debug)]
pub(crate) struct AdminClient {
    stream: BlockingStream,
    path: PathBuf,
}

impl AdminClient {
    /// Connects to the server that runs on the data directory; none if no server does.
    ///
    /// # Errors
    /// The socket exists and cannot be opened.
    pub(crate) fn connect(data_dir: &Path) -> Result<Option<Self>, AdminError> {
        let path = data_dir.join(SOCKET_NAME);
        match DataDir::open(data_dir).and_then(|folder| BlockingStream::connect(folder.socket())) {
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

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// The command was refused, the connection broke or timed out, or the reply cannot be parsed.
    pub(crate) fn call<C: AdminCommand>(self, command: C) -> Result<C::Reply, AdminError> {
        let line = self.exchange(&command.into_request());
        let line = line.map_err(|source| AdminError::Io {
            path: self.path.clone(),
            source,
        })?;
        match serde_json::from_slice(&line) {
            Ok(AdminReply::Done(reply)) => Ok(reply),
            Ok(AdminReply::Refused(message)) => Err(AdminError::Refused(message)),
            Err(_) => Err(AdminError::UnexpectedReply),
        }
    }

    fn exchange(&self, request: &AdminRequest) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut stream = &self.stream;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut reply = Zeroizing::new(Vec::new());
        BufReader::new(stream.take(MAX_REPLY_LENGTH)).read_until(b'\n', &mut reply)?;
        Ok(reply)
    }
}

#[cfg(test)]
mod tests;
