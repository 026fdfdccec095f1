//! An instance in this process, with a port and a data directory of its own. It differs from the program
//! only in its clock, which can be the test's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use serde_json::Value;
use signet::testing::{
    App, Bound, Clock, EmailAddress, Flags, Settings, Sources, StartError, StopReason, SystemClock,
    load_settings,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::account::{Account, token_in};
use super::clock::TestClock;
use super::http::{Reply, Request};

/// An instance that is not running.
pub struct Plan {
    folder: Arc<TempDir>,
    toml: String,
    listen: SocketAddr,
    clock: Arc<dyn Clock>,
}

impl Plan {
    /// An instance with an empty data directory, a free port, two workers and the system's clock.
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
    pub fn clock(mut self, clock: &Arc<TestClock>) -> Self {
        self.clock = Arc::<TestClock>::clone(clock);
        self
    }

    /// The folder of the data directory and the configuration file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Starts the instance; returns when it answers.
    pub fn start(self) -> TestServer {
        self.try_start().unwrap()
    }

    /// Starts the instance, or returns why it does not start.
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
        // On a thread of its own, because tests block their own thread while they wait for replies.
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

/// Runs an instance until it is stopped. Sends when it answers, or why it does not start.
async fn run(
    mut settings: Settings,
    clock: Arc<dyn Clock>,
    started: mpsc::Sender<Result<(SocketAddr, Arc<App>), StartError>>,
    stopping: oneshot::Receiver<()>,
) -> StopReason {
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
            StopReason::Requested
        }
        Ok(serving) => {
            let app = Arc::clone(&serving.app);
            started.send(Ok((serving.address(), app))).unwrap();
            serving.until(async { drop(stopping.await) }).await.unwrap()
        }
    }
}

/// A running instance. A drop stops it, without waiting for its end.
pub struct TestServer {
    plan: Plan,
    address: SocketAddr,
    url: String,
    app: Arc<App>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<StopReason>,
}

impl TestServer {
    /// Starts an instance with the defaults.
    pub fn start() -> Self {
        Plan::new().start()
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The public URL, which is also the URL of the embedded issuer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the instance in order. It can be started again, with the same data and the same URL.
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
        // It may have stopped already.
        let _ = stop.send(());
        assert_eq!(thread.join().unwrap(), StopReason::Requested);
        // The framework's threads end later than `serve`, and the last one releases the store.
        std::fs::File::open(plan.data_dir().join("lock"))
            .unwrap()
            .lock()
            .unwrap();
        plan.listen = address;
        plan
    }

    /// Stops the instance and starts it again.
    #[must_use]
    pub fn restart(self) -> Self {
        self.stop().start()
    }

    /// Adds a machine account.
    pub fn account(&self, email: &str) -> Account {
        let added = self
            .app
            .accounts()
            .add_service(EmailAddress::new(email).unwrap())
            .unwrap();
        Account {
            client_secret: added.client_secret.reveal().to_owned(),
            client_id: added.client_id,
        }
    }

    /// An identity token for a machine account, by the token endpoint.
    pub fn token(&self, account: &Account) -> String {
        token_in(self.send(&account.token_request()))
    }

    /// An identity token for a new machine account.
    pub fn new_token(&self, email: &str) -> String {
        self.token(&self.account(email))
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
