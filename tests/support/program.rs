//! The program as people run it: a process with its own data directory, which never outlives the
//! test.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// How long a command may take, and a server to say a line.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder to work in and the program to run there.
pub struct Program {
    folder: TempDir,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
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

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Where a server keeps everything.
    pub fn data_dir(&self) -> PathBuf {
        self.path("signet-data")
    }

    /// The program with these arguments, in the folder, with nothing of the tester's environment.
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

    /// Runs a command to its end with this on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        run(self.command(arguments), input)
    }

    /// Starts a server on a free port and waits for its word that it listens.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        Server::start(self.command(&all))
    }
}

/// Runs a command to its end with this on its standard input.
pub fn run(mut command: Command, input: &str) -> Ended {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let mut stdin = process.0.stdin.take().unwrap();
    // A command that does not read its input may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let stdout = collect(process.0.stdout.take().unwrap());
    let stderr = collect(process.0.stderr.take().unwrap());
    let said = |pipe: Receiver<String>| pipe.recv_timeout(PATIENCE).expect("it does not end");
    let (stdout, stderr) = (said(stdout), said(stderr));
    Ended {
        status: process.0.wait().unwrap().code(),
        stdout,
        stderr,
    }
}

/// Sends on what a pipe carried once it is closed.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        // Nobody listens any more when the test gave up.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// A process that is killed when this goes.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server as a process of its own.
pub struct Server {
    process: Process,
    lines: Receiver<String>,
    /// What it said before it listened, and since.
    said: Vec<String>,
    address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it says that it listens.
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
                // The test may have enough; the pipe is emptied all the same.
                let _ = sender.send(line);
            }
        });
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self {
            process,
            lines,
            said: Vec::new(),
            address: unknown,
        };
        let line = server.wait_for("listening on ");
        server.address = line.rsplit(' ').next().unwrap().parse().unwrap();
        server
    }

    /// Waits for a line with this in it.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!(
                    "the server never said {text:?}, but:\n{}",
                    self.said.join("\n")
                );
            };
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients call it where nothing else is set.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.process.0.id().to_string();
        // The shell's own `kill`, for a program of that name is not everywhere.
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end; gives the exit status and all that was said on standard error.
    pub fn wait(mut self) -> (Option<i32>, String) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
            }
        }
        let status = self.process.0.wait().unwrap();
        (status.code(), self.said.join("\n"))
    }

    /// Asks it to end and waits for that.
    pub fn stop(self) -> (Option<i32>, String) {
        self.signal("TERM");
        self.wait()
    }
}
