//! The API reference lists exactly the routes of an instance with every feature.

use std::collections::BTreeSet;
use std::sync::Arc;

use signet::testing::{App, Flags, Sources, SystemClock, load_settings};

#[test]
fn the_api_reference_lists_every_route_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags {
        data_dir: Some(folder.path().join("data").display().to_string()),
        ..Flags::default()
    };
    let settings = load_settings(&Sources {
        flags,
        ..Sources::default()
    });
    let app = App::open(settings.unwrap(), Arc::new(SystemClock)).unwrap();
    let routes: BTreeSet<_> = app.route_paths().into_iter().collect();

    let reference = include_str!("../../docs/api.md");
    let rows = reference.lines().filter_map(|line| {
        let (route, _) = line.strip_prefix("| `")?.split_once('`')?;
        let is_route = route.starts_with("GET /") || route.starts_with("POST /");
        is_route.then(|| route.to_owned())
    });
    let documented: BTreeSet<_> = rows.collect();

    let missing: Vec<_> = routes.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&routes).collect();
    assert!(missing.is_empty(), "docs/api.md does not list {missing:?}");
    assert!(
        gone.is_empty(),
        "docs/api.md lists routes that do not exist: {gone:?}"
    );
}
