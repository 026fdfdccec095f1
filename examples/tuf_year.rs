//! Simulates a year of an instance's TUF repository and writes a snapshot of each day into its own folder, for
//! testing third-party TUF clients.
//!
//! ```text
//! cargo run --example tuf_year -- year --renew all
//! ```
//!
//! `year/days.json` contains the time and the repository health of each day.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use serde_json::json;
use signet::testing::{App, Clock, Flags, RepositoryHealth, Sources, UnixTime, load_settings};

#[derive(Parser)]
#[command(about = "Write a snapshot of an instance's TUF repository for each day of a year")]
struct Options {
    /// Output folder
    folder: PathBuf,
    /// Metadata to renew
    #[arg(long, value_enum, default_value = "all")]
    renew: Renew,
    /// Number of days after the first
    #[arg(long, default_value_t = 365)]
    days: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Renew {
    /// The online roles, and the root as soon as the server warns about it
    All,
    /// Only the online roles, as a running server does
    Online,
    /// Nothing, as if the server had stopped after its first start
    Nothing,
}

/// Clock that shows noon UTC, the given number of days after 1 March 2027.
struct DayClock(AtomicU64);

const FIRST_NOON: u64 = 1_803_902_400;
const DAY: u64 = 86_400;

impl Clock for DayClock {
    fn now(&self) -> UnixTime {
        let days = self.0.load(Ordering::SeqCst);
        UnixTime::from_seconds(FIRST_NOON + days * DAY)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let data = tempfile::tempdir()?;
    let settings = load_settings(&Sources {
        flags: Flags {
            data_dir: Some(data.path().join("data").display().to_string()),
            ..Flags::default()
        },
        ..Sources::default()
    })?;
    let clock = Arc::new(DayClock(AtomicU64::new(0)));
    let app = App::open(settings, Arc::<DayClock>::clone(&clock) as Arc<dyn Clock>)?;
    let repository = app.repository();
    let mut days = Vec::new();
    for day in 0..=options.days {
        clock.0.store(day, Ordering::SeqCst);
        if day == 0 || options.renew != Renew::Nothing {
            repository.renew()?;
        }
        let health = repository.health();
        days.push(json!({ "now": clock.now().to_rfc3339(), "health": health.to_string() }));
        if options.renew == Renew::All && matches!(health, RepositoryHealth::Root(_)) {
            repository.renew_root()?;
        }
        let folder = options.folder.join(format!("{day:03}"));
        for path in repository.paths() {
            let bytes = repository.file(&path).context("a path without a file")?;
            let file = folder.join(path);
            fs::create_dir_all(file.parent().context("a file without a folder")?)?;
            fs::write(file, bytes)?;
        }
    }
    let days = serde_json::to_vec_pretty(&days)?;
    fs::write(options.folder.join("days.json"), days)?;
    Ok(())
}
