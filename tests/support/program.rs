//! The program as users run it: a process with a data directory of its own, killed when the test ends.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::account::{Account, EMAIL, token_in};

/// Maximum time for a command to end, and for a server to print a line. It is generous, because a machine
/// may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A working directory for the program.
pub struct Program {
    folder: TempDir,
}

/// The exit status and the output of a command.
#[derive(Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Checks the exit status, and that standard error contains a text.
    pub fn check(&self, status: i32, stderr: &str) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(
            self.stderr.contains(stderr),
            "{stderr:?} is not in {self:?}"
        );
    }

    /// The standard output of a command that must succeed, as JSON.
    pub fn json(&self) -> Value {
        self.check(0, "");
        serde_json::from_str(&self.stdout).unwrap()
    }
}

impl Program {
    pub fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The default data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.path("signet-data")
    }

    /// The program with these arguments, in the folder, without the tester's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.wrapped::<&str>(&[], arguments)
    }

    /// The same, run by another program such as `strace`.
    pub fn wrapped<S: AsRef<OsStr>>(&self, by: &[S], arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_signet");
        let mut command = match by.split_first() {
            None => Command::new(program),
            Some((wrapper, rest)) => {
                let mut command = Command::new(wrapper);
                command.args(rest).arg(program);
                command
            }
        };
        command
            .args(arguments)
            .current_dir(self.folder())
            .env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        run(self.command(arguments), "")
    }

    /// Runs a command to its end with a standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        run(self.command(arguments), input)
    }

    /// Adds a machine account by the command line.
    pub fn add_account(&self, email: &str) -> Account {
        let added = self.run(&["account", "add", email, "--service", "--json"]);
        Account::from_json(&added.json())
    }

    /// An identity token for a new machine account for [`EMAIL`], from a server without TLS.
    pub fn new_token(&self, server: &Server) -> String {
        let request = self.add_account(EMAIL).token_request();
        token_in(request.send(server.address()))
    }

    /// Signs `release` by the command line, with the token on standard input.
    pub fn sign_release(&self, url: &str, token: &str, more: &[&str]) -> Ended {
        let sign = [
            "sign",
            "--url",
            url,
            "--identity-token-file",
            "-",
            "release",
        ];
        self.run_with_input(&[&sign[..], more].concat(), token)
    }

    /// Verifies by the command line that [`EMAIL`] signed, as the issuer at `url` says.
    pub fn verify(&self, url: &str, more: &[&str]) -> Ended {
        let verify = ["verify", "--certificate-identity", EMAIL];
        let issuer = ["--certificate-oidc-issuer", url];
        self.run(&[&verify[..], &issuer, more].concat())
    }

    /// Starts a server on a free port and waits until it listens.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        Server::start(self.command(&all))
    }
}

/// Runs a command to its end with a standard input.
pub fn run(mut command: Command, input: &str) -> Ended {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let mut stdin = process.0.stdin.take().unwrap();
    // A command that does not read its input may have ended already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let stdout = collect(process.0.stdout.take().unwrap());
    let stderr = collect(process.0.stderr.take().unwrap());
    let output = |pipe: Receiver<String>| {
        pipe.recv_timeout(PATIENCE)
            .expect("the command does not end")
    };
    let (stdout, stderr) = (output(stdout), output(stderr));
    Ended {
        status: process.0.wait().unwrap().code(),
        stdout,
        stderr,
    }
}

/// Reads a pipe until it is closed, and sends its content.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        // Fails if the test has given up.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// A process that is killed on drop.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running server.
pub struct Server {
    process: Process,
    lines: Receiver<String>,
    /// The lines of standard error that were read so far
    log: Vec<String>,
    address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process(command.spawn().unwrap());
        let stderr = BufReader::new(process.0.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // The pipe is read to its end even if the test has ended.
                let _ = sender.send(line);
            }
        });
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self {
            process,
            lines,
            log: Vec::new(),
            address: unknown,
        };
        let line = server.wait_for("listening on ");
        server.address = line.rsplit(' ').next().unwrap().parse().unwrap();
        server
    }

    /// Waits for a line on standard error that contains a text.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no line contains {text:?}:\n{}", self.log.join("\n"));
            };
            self.log.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The process ID.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The default public URL.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.process.0.id().to_string();
        // The shell's built-in `kill`, because not every system has a program of that name.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end; returns the exit status and standard error.
    pub fn wait(mut self) -> (Option<i32>, String) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
            }
        }
        let status = self.process.0.wait().unwrap();
        (status.code(), self.log.join("\n"))
    }

    /// Stops the server and waits for its end.
    pub fn stop(self) -> (Option<i32>, String) {
        self.signal("TERM");
        self.wait()
    }
}
