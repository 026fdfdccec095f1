//! A whole instance on a free port, with the front that its users have.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use signet::testing::{
    App, Bound, Cli, EmailAddress, Flags, InstanceClient, Serving, Sources, SystemClock,
    load_settings, run_command,
};
use tempfile::TempDir;

/// Whose signatures are made.
pub const IDENTITY: &str = "build@example.com";

/// An instance with an empty data directory, which goes with it.
pub struct Instance {
    pub serving: Serving,
    folder: TempDir,
}

impl Instance {
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let flags = Flags {
            data_dir: Some(folder.path().join("data").display().to_string()),
            listen: Some("127.0.0.1:0".to_owned()),
            public_url: None,
        };
        let mut settings = load_settings(&Sources {
            flags,
            ..Sources::default()
        })?;
        let bound = Bound::bind(settings.server.listen)?;
        let port = bound.address().port();
        settings.server.public_url.adopt_port(port);
        let app = App::open(settings, Arc::new(SystemClock))?;
        let serving = app.serve(bound).await?;
        Ok(Self { serving, folder })
    }

    pub fn url(&self) -> &str {
        self.serving.app.settings().server.public_url.as_str()
    }

    /// Signs as a new machine account, with `signet sign`, and returns the bundle.
    pub async fn sign(&self, content: &[u8]) -> Result<Vec<u8>> {
        let accounts = self.serving.app.accounts();
        let account = accounts.add_service(EmailAddress::new(IDENTITY)?)?;
        let secret = account.client_secret.reveal();
        let token = InstanceClient::new(self.url(), None)?
            .request_token(&account.client_id, secret)
            .await?;
        let file = self.folder.path().join("artifact");
        std::fs::write(&file, content)?;
        let bundle = self.folder.path().join("bundle");
        let cli = Cli::parse_from([
            "signet",
            "sign",
            &file.display().to_string(),
            "--url",
            self.url(),
            "--identity-token",
            token.as_str(),
            "--bundle",
            &bundle.display().to_string(),
        ]);
        tokio::task::spawn_blocking(move || run_command(&cli)).await?;
        std::fs::read(bundle).context("nothing was signed")
    }
}
