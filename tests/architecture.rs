//! The direction rule, enforced: what each layer's sources may never name, and what must be named.
#![cfg(test)]

#[path = "architecture/routes.rs"]
mod routes;

use std::fs;
use std::path::{Path, PathBuf};

/// A folder and the words that its code may not contain.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "src/protocol",
        &[
            "actix",
            "sled::",
            "reqwest",
            "tokio",
            "tracing",
            "async fn",
            "SystemTime",
            "std::fs",
            "std::net",
            "std::thread",
            "std::env",
            "crate::services",
            "crate::adapters",
            "crate::config",
            "crate::app",
        ],
    ),
    (
        "src/services",
        &[
            "actix",
            "sled::",
            "reqwest",
            "clap",
            "SystemTime",
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "std::env",
            "crate::adapters",
            "crate::config",
            "crate::app",
        ],
    ),
    (
        "src/adapters/storage",
        &["actix", "reqwest", "crate::adapters::http", "crate::cli"],
    ),
    (
        "src/adapters/outbound",
        &["actix", "sled::", "crate::adapters::http", "crate::cli"],
    ),
    (
        "src/adapters/http",
        &[
            "sled::",
            "reqwest",
            "crate::cli",
            "crate::adapters::storage",
        ],
    ),
    (
        "src/config",
        &[
            "actix",
            "sled::",
            "reqwest",
            "crate::adapters",
            "crate::app",
        ],
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_under(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_under(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file: comments and inline tests are free to speak of anything.
fn code_of(path: &Path) -> Vec<(usize, String)> {
    if is_for_tests(path) {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect()
}

#[test]
fn no_layer_names_what_it_must_not_know() {
    let mut breaches = Vec::new();
    for (folder, words) in FORBIDDEN {
        let files = files_under(&root().join(folder), "rs");
        assert!(!files.is_empty(), "{folder} has no sources");
        for file in files {
            for (number, line) in code_of(&file) {
                for word in words.iter().filter(|word| line.contains(**word)) {
                    breaches.push(format!("{}:{number}: {word}", file.display()));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn the_clock_is_read_in_one_place() {
    for file in files_under(&root().join("src"), "rs") {
        let reads = code_of(&file)
            .iter()
            .any(|(_, line)| line.contains("SystemTime::now"));
        assert!(
            !reads || file.ends_with("adapters/system.rs"),
            "{} reads the clock",
            file.display()
        );
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for file in files_under(&root().join("src"), "rs") {
        for (number, line) in code_of(&file) {
            let unfinished = ["todo!(", "unimplemented!(", "dbg!("]
                .iter()
                .any(|w| line.contains(w));
            assert!(!unfinished, "{}:{number}: {line}", file.display());
        }
    }
}

#[test]
fn the_architecture_page_names_every_folder_and_no_file_that_is_gone() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut folders: Vec<PathBuf> = files_under(&root().join("src"), "rs")
        .iter()
        .filter(|file| !is_for_tests(file))
        .filter_map(|file| {
            file.parent()?
                .strip_prefix(root())
                .ok()
                .map(Path::to_path_buf)
        })
        .filter(|folder| !is_inside_of_a_module(folder))
        .collect();
    folders.dedup();

    for folder in folders {
        assert!(
            page.contains(&format!("`{}`", folder.display())),
            "{} is not named",
            folder.display()
        );
    }
    for path in page.split('`').filter(|text| text.starts_with("src/")) {
        assert!(
            root().join(path).exists(),
            "{path} is named and does not exist"
        );
    }
}

/// Files that hold tests alone.
fn is_for_tests(file: &Path) -> bool {
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    ["tests", "testing"].contains(&stem)
}

/// A folder beside a file of its name, three levels down: the inside of one module, which the
/// module's own header explains.
fn is_inside_of_a_module(folder: &Path) -> bool {
    folder.components().count() > 3 && root().join(folder.with_extension("rs")).exists()
}

#[test]
fn the_readme_runs_the_two_commands() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    for command in ["cargo run --release -- demo", "cargo test"] {
        assert!(
            page.contains(command),
            "README.md does not show `{command}`"
        );
    }
}
