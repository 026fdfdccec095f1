//! Goes through a year in the life of an instance's TUF repository, day by day, and writes what
//! clients could fetch on each day into a folder of its own, for clients that we did not write.
//!
//! ```text
//! cargo run --example tuf_year -- year --renew all
//! ```
//!
//! `year/days.json` tells each day's moment and what the server said of itself.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use serde_json::json;
use signet::testing::{App, Clock, Flags, RepositoryHealth, Sources, UnixTime, load_settings};

#[derive(Parser)]
#[command(about = "Writes each day of a year of an instance's TUF repository into a folder")]
struct Options {
    /// Where to write the days
    folder: PathBuf,
    /// What is renewed as the days go by
    #[arg(long, value_enum, default_value = "all")]
    renew: Renew,
    /// How many days after the first
    #[arg(long, default_value_t = 365)]
    days: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Renew {
    /// What a server renews, and the root when the server warns for the first time
    All,
    /// What a server renews, and the root never
    Online,
    /// Nothing: the server was stopped after its first start
    Nothing,
}

/// Noon, UTC, on the first of March 2027, and so many days later.
struct Days(AtomicU64);

const FIRST_NOON: u64 = 1_803_902_400;
const DAY: u64 = 86_400;

impl Clock for Days {
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
    let clock = Arc::new(Days(AtomicU64::new(0)));
    let app = App::open(settings, Arc::<Days>::clone(&clock) as Arc<dyn Clock>)?;
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
