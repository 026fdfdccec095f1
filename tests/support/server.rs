//! A whole instance in this process, on a port of its own, over a data directory that goes with the
//! test. Everything is as in the program but the clock, which can be the test's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use serde_json::Value;
use signet::testing::{
    App, Bound, Clock, EmailAddress, Ending, Flags, Settings, Sources, StartError, SystemClock,
    load_settings,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::http::{Reply, Request};

/// A machine account with its secret.
#[derive(Clone, Debug)]
pub struct Account {
    pub client_id: String,
    pub client_secret: String,
}

/// An instance that is yet to be started.
pub struct Plan {
    folder: Arc<TempDir>,
    toml: String,
    listen: SocketAddr,
    clock: Arc<dyn Clock>,
}

impl Plan {
    /// An instance with an empty data directory on a free port, two workers and the system's clock.
    pub fn new() -> Self {
        Self {
            folder: Arc::new(TempDir::new().unwrap()),
            toml: "server.workers = 2\n".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: Arc::new(SystemClock),
        }
    }

    /// Adds lines to the configuration file: dotted keys first, tables such as `[[issuers]]` last.
    #[must_use]
    pub fn toml(mut self, lines: &str) -> Self {
        self.toml.push_str(lines);
        self.toml.push('\n');
        self
    }

    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The folder that holds the data directory and the configuration file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the instance keeps everything.
    pub fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Starts it; returns once it answers.
    pub fn start(self) -> TestServer {
        self.try_start().unwrap()
    }

    /// Starts it, or tells why it does not.
    pub fn try_start(self) -> Result<TestServer, StartError> {
        let file = self.folder().join("signet.toml");
        std::fs::write(&file, &self.toml).unwrap();
        let settings = load_settings(&Sources {
            file: Some(file),
            environment: Vec::new(),
            flags: Flags {
                data_dir: Some(self.data_dir().display().to_string()),
                listen: Some(self.listen.to_string()),
                public_url: None,
            },
        });
        let settings = settings.unwrap_or_else(|error| panic!("{error}"));
        let clock = Arc::clone(&self.clock);
        let (started, starting) = mpsc::channel();
        let (stop, stopping) = oneshot::channel();
        // Not on a thread of the test's own runtime: tests may block while they wait for replies.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .unwrap()
                .block_on(run(settings, clock, started, stopping))
        });
        let (address, app) = starting.recv().unwrap()?;
        let url = app.settings().server.public_url.as_str().to_owned();
        Ok(TestServer {
            plan: self,
            address,
            url,
            app,
            stop,
            thread,
        })
    }
}

/// Says when the instance answers, or why it does not; ends when it has ended.
async fn run(
    mut settings: Settings,
    clock: Arc<dyn Clock>,
    started: mpsc::Sender<Result<(SocketAddr, Arc<App>), StartError>>,
    stopping: oneshot::Receiver<()>,
) -> Ending {
    let serving = async {
        let bound = Bound::bind(settings.server.listen)?;
        settings
            .server
            .public_url
            .adopt_port(bound.address().port());
        App::open(settings, clock)?.serve(bound).await
    };
    match serving.await {
        Err(error) => {
            started.send(Err(error)).unwrap();
            Ending::Asked
        }
        Ok(serving) => {
            let app = Arc::clone(&serving.app);
            started.send(Ok((serving.address(), app))).unwrap();
            serving.until(async { drop(stopping.await) }).await.unwrap()
        }
    }
}

/// An instance that answers. It is stopped when this goes, without waiting for its end.
pub struct TestServer {
    plan: Plan,
    address: SocketAddr,
    url: String,
    app: Arc<App>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Ending>,
}

impl TestServer {
    /// An instance with the defaults.
    pub fn start() -> Self {
        Plan::new().start()
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The instance itself.
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// What clients call it; the embedded issuer too.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Drains and ends it. What it kept can be looked at, and started again under the same URL.
    pub fn stop(self) -> Plan {
        let Self {
            mut plan,
            address,
            app,
            stop,
            thread,
            ..
        } = self;
        drop(app);
        // It may have ended by itself.
        let _ = stop.send(());
        assert_eq!(thread.join().unwrap(), Ending::Asked);
        // The framework's threads end on their own; the last of them lets the store go.
        std::fs::File::open(plan.data_dir().join("lock"))
            .unwrap()
            .lock()
            .unwrap();
        plan.listen = address;
        plan
    }

    /// Stops it and starts it again on what it kept.
    #[must_use]
    pub fn restart(self) -> Self {
        self.stop().start()
    }

    /// Makes a machine account.
    pub fn account(&self, email: &str) -> Account {
        let made = self
            .app
            .accounts()
            .add_service(EmailAddress::new(email).unwrap())
            .unwrap();
        Account {
            client_secret: made.client_secret.reveal().to_owned(),
            client_id: made.client_id,
        }
    }

    /// An identity token of a machine account, as any client gets it.
    pub fn token(&self, account: &Account) -> String {
        let Account {
            client_id,
            client_secret,
            ..
        } = account;
        let form = format!(
            "grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}"
        );
        let kind = "application/x-www-form-urlencoded";
        let grant = self
            .send(&Request::post("/oauth2/token", kind, form))
            .success();
        grant["id_token"].as_str().unwrap().to_owned()
    }

    pub fn send(&self, request: &Request) -> Reply {
        request.send(self.address)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send(&Request::get(path))
    }

    pub fn post_json(&self, path: &str, body: &Value) -> Reply {
        self.send(&Request::json(path, body))
    }
}
