//! The rules of ARCHITECTURE.md, checked against the sources: which layer may use which, which module
//! may use which, and which module may name which framework.
//!
//! The graph is read from code, not from text: see `architecture/graph.rs`.
#![cfg(test)]

#[path = "architecture/graph.rs"]
mod graph;
#[path = "architecture/routes.rs"]
mod routes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use graph::{Edge, Graph, Mention};

/// Each layer and the layers that it may use. The crate's root and the public module `verify` are
/// listed with them.
const LAYERS: &[(&str, &[&str])] = &[
    ("", &["cli"]),
    (
        "cli",
        &["adapters", "app", "config", "protocol", "services"],
    ),
    (
        "app",
        &["adapters", "config", "log", "protocol", "services"],
    ),
    (
        "adapters",
        &["classify", "config", "log", "protocol", "services"],
    ),
    ("services", &["classify", "log", "protocol"]),
    ("config", &["protocol"]),
    ("log", &["classify", "protocol"]),
    ("protocol", &[]),
    ("classify", &[]),
    ("verify", &["protocol"]),
];

/// Each module and the modules that it may use, in its own layer and in the layers below. Not listed are
/// the modules that `cli` and `app` use, and the modules of `protocol` and `classify` that the layers above
/// them use.
const NEIGHBOURS: &[(&str, &[&str])] = &[
    ("adapters::admin", &["services::account", "services::trust"]),
    (
        "adapters::http",
        &[
            "adapters::keystore",
            "adapters::system",
            "adapters::wire",
            "config",
            "log",
            "services::account",
            "services::ca",
            "services::ctlog",
            "services::issuer",
            "services::oidc",
            "services::rekor",
            "services::roster",
            "services::timestamp",
            "services::trust",
            "services::verify",
        ],
    ),
    (
        "adapters::outbound",
        &[
            "adapters::wire",
            "services::issuer",
            "services::oidc",
            "services::sign",
        ],
    ),
    (
        "adapters::storage",
        &["adapters::system", "log", "services::ledger"],
    ),
    ("adapters::system", &["services::random"]),
    ("adapters::telemetry", &["config"]),
    ("adapters::web", &["adapters::http"]),
    ("adapters::wire", &["log", "services::rekor"]),
    (
        "protocol::attestation",
        &["protocol::hash", "protocol::json", "protocol::proto_json"],
    ),
    (
        "protocol::bundle",
        &[
            "protocol::attestation",
            "protocol::entry",
            "protocol::evidence",
            "protocol::hash",
            "protocol::identity",
            "protocol::json",
            "protocol::keys",
            "protocol::merkle",
            "protocol::note",
            "protocol::policy",
            "protocol::proto_json",
            "protocol::time",
            "protocol::tsp",
            "protocol::x509",
        ],
    ),
    ("protocol::der", &["protocol::oid"]),
    (
        "protocol::entry",
        &[
            "protocol::attestation",
            "protocol::bytes",
            "protocol::cursor",
            "protocol::der",
            "protocol::hash",
            "protocol::identity",
            "protocol::json",
            "protocol::keys",
            "protocol::tsp",
            "protocol::x509",
        ],
    ),
    (
        "protocol::evidence",
        &[
            "protocol::attestation",
            "protocol::hash",
            "protocol::identity",
            "protocol::keys",
            "protocol::time",
            "protocol::x509",
        ],
    ),
    ("protocol::attestation", &["protocol::bytes"]),
    ("protocol::keys", &["protocol::bytes", "protocol::hash"]),
    ("protocol::merkle", &["protocol::hash"]),
    (
        "protocol::note",
        &[
            "protocol::bytes",
            "protocol::hash",
            "protocol::keys",
            "protocol::merkle",
            "protocol::time",
        ],
    ),
    (
        "protocol::policy",
        &[
            "protocol::attestation",
            "protocol::evidence",
            "protocol::hash",
            "protocol::identity",
            "protocol::json",
            "protocol::keys",
            "protocol::time",
            "protocol::x509",
        ],
    ),
    ("protocol::proto_json", &["protocol::bytes"]),
    (
        "protocol::tsp",
        &[
            "protocol::bytes",
            "protocol::der",
            "protocol::hash",
            "protocol::keys",
            "protocol::oid",
            "protocol::time",
            "protocol::x509",
        ],
    ),
    (
        "protocol::tuf",
        &[
            "protocol::hash",
            "protocol::json",
            "protocol::keys",
            "protocol::time",
        ],
    ),
    (
        "protocol::x509",
        &[
            "protocol::bytes",
            "protocol::cursor",
            "protocol::hash",
            "protocol::identity",
            "protocol::keys",
            "protocol::merkle",
            "protocol::oid",
            "protocol::time",
        ],
    ),
    (
        "services::account",
        &["services::ledger", "services::random"],
    ),
    ("services::authority", &["services::roster"]),
    ("services::roster", &["log"]),
    (
        "services::ca",
        &[
            "services::authority",
            "services::ctlog",
            "services::oidc",
            "services::random",
        ],
    ),
    ("services::ctlog", &["log"]),
    (
        "services::issuer",
        &["services::account", "services::oidc", "services::random"],
    ),
    ("services::rekor", &["log"]),
    (
        "services::sign",
        &["services::oidc", "services::random", "services::verify"],
    ),
    (
        "services::timestamp",
        &[
            "services::authority",
            "services::ledger",
            "services::random",
        ],
    ),
    ("services::trust", &["services::ledger", "services::roster"]),
];

/// Crates and modules of the standard library that only some modules may name.
const RESERVED: &[(&str, &[&str])] = &[
    // The web framework and what belongs to it
    (
        "actix_web",
        &["adapters::http", "adapters::web", "app::routes"],
    ),
    ("actix_http", &["adapters::http"]),
    ("actix_server", &["adapters::http"]),
    ("actix_service", &["adapters::http"]),
    ("actix_tls", &["adapters::http"]),
    ("hyper", &["adapters::http"]),
    ("hyper_util", &["adapters::http"]),
    ("http_body_util", &["adapters::http"]),
    ("prost", &["adapters::http"]),
    ("askama", &["adapters::web"]),
    ("prometheus", &["adapters::http", "app"]),
    // Other frameworks
    ("sled", &["adapters::storage::sled"]),
    ("reqwest", &["adapters::outbound"]),
    ("rustls", &["adapters::http", "adapters::outbound"]),
    ("openidconnect", &["services::oidc::jwks"]),
    ("rcgen", &["protocol::x509"]),
    ("cel", &["protocol::policy"]),
    ("argon2", &["services::account"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli"]),
    ("indicatif", &["cli"]),
    ("config", &["config"]),
    ("tracing_subscriber", &["adapters::telemetry", "config"]),
    ("tracing", &["adapters", "app", "log", "services"]),
    // The operating system
    ("tokio", &["adapters", "app", "cli", "log", "services"]),
    ("tokio::net", &["adapters"]),
    ("std::env", &["adapters", "cli"]),
    ("std::fs", &["adapters", "app", "cli", "config"]),
    ("std::os", &["adapters", "config"]),
    ("std::net::TcpListener", &["adapters::http"]),
    ("std::process", &["cli"]),
    ("std::thread", &["adapters", "log"]),
    ("rustix", &["adapters"]),
    // Time is an argument
    ("std::time::SystemTime", &["adapters::system"]),
    ("std::time::Instant", &["adapters::http", "cli"]),
    ("tokio::time::Instant", &["adapters::http"]),
];

/// What no module may name.
const FORBIDDEN: &[&str] = &[
    "tokio::fs",
    "tokio::process",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "todo!",
    "unimplemented!",
    "dbg!",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The first segment of a module's path.
fn layer(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// The name of a module in [`NEIGHBOURS`]: `services::ca` for everything in that folder. The layers
/// `config` and `log` are one module each.
fn neighbour(module: &str) -> String {
    let segments = match layer(module) {
        "config" | "log" => 1,
        _ => 2,
    };
    module
        .split("::")
        .take(segments)
        .collect::<Vec<_>>()
        .join("::")
}

fn is_within(module: &str, outer: &str) -> bool {
    module
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every pair of modules with an edge, and the first edge.
fn pairs(graph: &Graph, name: impl Fn(&str) -> String) -> BTreeMap<(String, String), Edge> {
    let mut pairs = BTreeMap::new();
    for edge in graph.edges() {
        let pair = (name(&edge.from), name(&edge.to));
        if pair.0 != pair.1 {
            pairs.entry(pair).or_insert(edge);
        }
    }
    pairs
}

/// Compares a table with the pairs in the sources. Returns a line for each pair that is missing on either
/// side.
fn compare(
    table: (&str, &[(&str, &[&str])]),
    used: &BTreeMap<(String, String), Edge>,
) -> Vec<String> {
    let (name, rows) = table;
    let allowed: BTreeSet<(&str, &str)> = rows
        .iter()
        .flat_map(|(from, to)| to.iter().map(|to| (*from, *to)))
        .collect();
    let missing = used
        .iter()
        .filter(|((from, to), _)| !allowed.contains(&(from, to)))
        .map(|((from, to), edge)| {
            format!(
                "{}: `{from}` uses `{to}`. Remove that use, or add \"{to}\" to the row \"{from}\" \
                 of {name}",
                edge.place
            )
        });
    let unused = allowed
        .iter()
        .filter(|(from, to)| !used.contains_key(&((*from).to_owned(), (*to).to_owned())))
        .map(|(from, to)| {
            format!(
                "`{from}` does not use `{to}`: remove \"{to}\" from the row \"{from}\" of {name}"
            )
        });
    missing.chain(unused).collect()
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn layers_use_only_the_layers_below_them() {
    let graph = Graph::read(root());
    let used = pairs(&graph, |module| layer(module).to_owned());

    assert_none(&compare(("LAYERS", LAYERS), &used));
}

#[test]
fn modules_use_only_the_neighbours_that_the_table_lists() {
    let graph = Graph::read(root());
    let mut used = pairs(&graph, neighbour);
    used.retain(|(from, to), _| {
        let (from_layer, to_layer) = (layer(from), layer(to));
        let sees_all = matches!(from_layer, "" | "app" | "cli" | "verify");
        // `super::x`, where the parent is the layer's own file.
        let is_layer = to == to_layer && from_layer == to_layer;
        let is_listed =
            to_layer != "classify" && (to_layer != "protocol" || from_layer == to_layer);
        !sees_all && !is_layer && is_listed
    });

    assert_none(&compare(("NEIGHBOURS", NEIGHBOURS), &used));
}

/// The edges between the children of one module, by that module.
type Siblings = BTreeMap<String, BTreeMap<(String, String), Edge>>;

fn siblings(graph: &Graph) -> Siblings {
    let mut siblings = Siblings::new();
    for edge in graph.edges() {
        let (from, to): (Vec<_>, Vec<_>) = (
            edge.from.split("::").collect(),
            edge.to.split("::").collect(),
        );
        let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
            let pair = ((*a).to_owned(), (*b).to_owned());
            let edges = siblings.entry(from[..shared].join("::")).or_default();
            edges.entry(pair).or_insert(edge);
        }
    }
    siblings
}

/// The shortest way from one module to another along the edges, both ends included.
fn way<'a>(
    from: &'a str,
    to: &str,
    edges: &'a BTreeMap<(String, String), Edge>,
) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        for (_, next) in edges.keys().filter(|(from, _)| from == last) {
            let longer = [way.as_slice(), &[next]].concat();
            if next == to {
                return Some(longer);
            }
            if seen.insert(next) {
                ways.push_back(longer);
            }
        }
    }
    None
}

#[test]
fn no_sibling_modules_form_a_cycle() {
    let graph = Graph::read(root());
    let siblings = siblings(&graph);
    let mut faults = Vec::new();
    for (parent, edges) in &siblings {
        let mut names: BTreeSet<&str> = edges.keys().map(|(from, _)| from.as_str()).collect();
        while let Some(name) = names.pop_first() {
            let Some(cycle) = way(name, name, edges) else {
                continue;
            };
            // One report for each cycle.
            names.retain(|name| !cycle.contains(name));
            let steps = cycle.windows(2).map(|pair| {
                let place = &edges[&(pair[0].to_owned(), pair[1].to_owned())].place;
                format!("\n    `{}` uses `{}`: {place}", pair[0], pair[1])
            });
            faults.push(format!(
                "the modules in `crate::{parent}` form a cycle:{}",
                steps.collect::<String>()
            ));
        }
    }
    assert_none(&faults);
}

#[test]
fn frameworks_and_the_operating_system_are_named_where_they_belong() {
    let graph = Graph::read(root());
    let names = |mention: &Mention, path: &str| {
        // A single word is a variable or a field, unless it is a macro.
        let is_path = mention.path.len() > 1 || path.ends_with('!');
        let length = path.split("::").count();
        let start = mention.path.iter().take(length).map(String::as_str);
        is_path && start.eq(path.split("::"))
    };
    let mut faults = Vec::new();
    for (path, modules) in RESERVED {
        let mut unused: BTreeSet<&str> = modules.iter().copied().collect();
        for mention in graph.foreign().filter(|mention| names(mention, path)) {
            let allowed = modules
                .iter()
                .find(|outer| is_within(&mention.module, outer));
            match allowed {
                Some(outer) => drop(unused.remove(outer)),
                None => faults.push(format!(
                    "{}: `{}` names {path}; RESERVED allows that only in {modules:?}",
                    mention.place, mention.module
                )),
            }
        }
        faults.extend(unused.iter().map(|module| {
            format!("`{module}` does not name {path}: remove it from that row of RESERVED")
        }));
    }
    for path in FORBIDDEN {
        let found = graph.foreign().filter(|mention| names(mention, path));
        faults.extend(found.map(|mention| format!("{}: {path} is forbidden", mention.place)));
    }
    assert_none(&faults);
}

#[test]
fn protocol_code_is_synchronous() {
    let graph = Graph::read(root());
    let asynchronous = graph
        .foreign()
        .filter(|mention| layer(&mention.module) == "protocol")
        .filter(|mention| matches!(mention.path[0].as_str(), "async" | "await"));

    let places: Vec<_> = asynchronous
        .map(|mention| mention.place.to_string())
        .collect();

    assert_none(&places);
}

#[test]
fn the_architecture_page_names_every_folder_and_no_file_that_is_gone() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let graph = Graph::read(root());
    let folders: BTreeSet<&Path> = graph
        .files()
        .filter(|file| file.starts_with("src"))
        .filter_map(Path::parent)
        .filter(|folder| !is_inside_of_a_module(folder))
        .collect();

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

#[test]
fn every_guarantee_on_the_architecture_page_names_a_test() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let code = ["src", "tests"].map(|folder| rust_code_in(&root().join(folder)));
    let rows: Vec<&str> = page
        .lines()
        .filter(|row| row.starts_with("| `src/"))
        .collect();
    assert!(!rows.is_empty());

    for row in rows {
        let guarantees = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for guarantee in guarantees.split(". ") {
            let name = guarantee.split('`').rev().nth(1);
            let name = name.filter(|_| guarantee.ends_with("`)"));
            let name = name.unwrap_or_else(|| panic!("no test proves {guarantee:?}"));
            let head = format!("fn {name}() ");
            let is_test = |code: &String| {
                let before = code.split_once(&head).map(|(before, _)| before);
                before.is_some_and(|code| {
                    let code = code.trim_end_matches("async ").trim_end();
                    code.rsplit("#[")
                        .next()
                        .is_some_and(|last| last.contains("test"))
                        && code.ends_with(']')
                })
            };
            assert!(code.iter().any(is_test), "there is no test {name}");
        }
    }
}

fn rust_code_in(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let read = |path: PathBuf| {
        if path.is_dir() {
            rust_code_in(&path)
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            fs::read_to_string(path).unwrap()
        } else {
            String::new()
        }
    };
    entries.map(|entry| read(entry.path())).collect()
}

/// Whether a folder has a file of its name next to it and is three levels down: then the header of
/// that file explains it.
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
