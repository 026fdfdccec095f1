//! The layers: defaults, file, environment, flags. The defaults are the schema: a key that they lack is
//! unknown, and a value of another type is refused. Errors name the layer that contains the value.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use config::{Config, FileFormat, Format as _, Map, Source, Value, ValueKind};

use super::error::ConfigError;
use super::{DEFAULT, Flags, Sources, Tables};

/// Maximum size of a configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The prefix of environment variables that are settings.
const PREFIX: &str = "SIGNET_";

/// Environment variables of the client commands, which are not settings.
const CLIENT_VARIABLES: [&str; 5] = [
    "SIGNET_CONFIG",
    "SIGNET_URL",
    "SIGNET_IDENTITY_TOKEN",
    "SIGNET_IDENTITY_TOKEN_FILE",
    "SIGNET_CA_FILE",
];

/// The keys that are lists of tables, and the defaults of such a table. `config/default.toml` documents
/// them in comments, because its own lists are empty.
pub(super) const ELEMENTS: [(&str, &str); 2] = [
    (
        "issuers",
        r#"
url = ""
audience = "sigstore"
type = "email"
subject_domain = ""
ca_file = ""
key_hosts = []
"#,
    ),
    (
        "policies",
        r#"
name = ""
file = ""
"#,
    ),
];

/// All layers in one; each value remembers its layer.
pub(super) struct Merged {
    root: Config,
}

/// Reads and checks each layer, then merges them.
pub(super) fn merge(sources: &Sources) -> Result<Merged, ConfigError> {
    let defaults = Layer::parse("the defaults", DEFAULT)?;
    let mut layers = vec![];
    if let Some(file) = &sources.file {
        layers.push(Layer::load(file)?);
    }
    layers.push(Layer::from_environment(&sources.environment, &defaults)?);
    layers.push(Layer::from_flags(&sources.flags));

    let schema = defaults.values.clone();
    let mut builder = Config::builder().add_source(defaults);
    for mut layer in layers {
        check_table(&layer.values, &schema, "", &layer.place)?;
        for (key, default) in ELEMENTS {
            layer.complete_elements(key, &Layer::parse("the defaults", default)?)?;
        }
        builder = builder.add_source(layer);
    }
    let root = builder.build().map_err(ConfigError::Unexpected)?;
    Ok(Merged { root })
}

impl Merged {
    /// The tables, every value of which is checked by itself.
    pub(super) fn tables(&self) -> Result<Tables, ConfigError> {
        let tables = self.root.clone().try_deserialize();
        tables.map_err(|error| match error {
            config::ConfigError::At {
                error,
                key: Some(key),
                ..
            } if matches!(*error, config::ConfigError::Message(_)) => ConfigError::Refused {
                place: self.place(&key),
                // The crate writes `issuers[0]url`.
                key: key.replace(']', "]."),
                problem: error.to_string(),
            },
            other => ConfigError::Unexpected(other),
        })
    }

    /// The layer that contains a key, for messages.
    pub(super) fn place(&self, key: &str) -> String {
        let key = key.split('[').next().unwrap_or(key);
        let (table, name) = key.split_once('.').unwrap_or((key, ""));
        let table = self
            .root
            .collect()
            .ok()
            .and_then(|mut all| all.remove(table));
        let value = match table {
            Some(Value {
                kind: ValueKind::Table(mut keys),
                ..
            }) => keys.remove(name),
            other => other,
        };
        value
            .and_then(|value| value.origin().map(str::to_owned))
            .unwrap_or_else(|| "the configuration".to_owned())
    }
}

#[derive(Clone, Debug)]
struct Layer {
    /// The layer's name in messages
    place: String,
    values: Map<String, Value>,
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.values.clone())
    }
}

impl Layer {
    fn parse(place: &str, text: &str) -> Result<Self, ConfigError> {
        let place = place.to_owned();
        let values = FileFormat::Toml
            .parse(Some(&place), text)
            .map_err(|source| ConfigError::Syntax {
                place: place.clone(),
                source,
            })?;
        Ok(Self { place, values })
    }

    fn load(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            file: file.to_owned(),
            source,
        };
        let metadata = fs::metadata(file).map_err(unreadable)?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(ConfigError::Writable {
                file: file.to_owned(),
                mode,
            });
        }
        if metadata.len() > MAX_FILE_BYTES {
            return Err(ConfigError::TooLarge {
                file: file.to_owned(),
                bytes: metadata.len(),
                limit: MAX_FILE_BYTES,
            });
        }
        let text = fs::read_to_string(file).map_err(unreadable)?;
        Self::parse(&file.display().to_string(), &text)
    }

    /// `SIGNET_SERVER__LISTEN` sets `server.listen`, as a value of the type that the key has.
    fn from_environment(
        variables: &[(String, String)],
        defaults: &Self,
    ) -> Result<Self, ConfigError> {
        let mut layer = Self {
            place: "the environment".to_owned(),
            values: Map::new(),
        };
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            let name = name.to_ascii_lowercase();
            let Some((table, key)) = name.split_once("__") else {
                refuse_misspelt(variable, &name, defaults)?;
                continue;
            };
            let default = match defaults.values.get(table).map(|value| &value.kind) {
                Some(ValueKind::Table(keys)) => keys.get(key),
                _ => None,
            };
            let value = typed(text, default);
            layer.set(&format!("the environment ({variable})"), table, key, value);
        }
        Ok(layer)
    }

    fn from_flags(flags: &Flags) -> Self {
        let mut layer = Self {
            place: "the command line".to_owned(),
            values: Map::new(),
        };
        let given = [
            ("--data-dir", "data_dir", &flags.data_dir),
            ("--listen", "listen", &flags.listen),
            ("--public-url", "public_url", &flags.public_url),
        ];
        for (flag, key, value) in given {
            if let Some(text) = value {
                let place = format!("the command line ({flag})");
                layer.set(&place, "server", key, ValueKind::String(text.clone()));
            }
        }
        layer
    }

    fn set(&mut self, place: &str, table: &str, key: &str, value: ValueKind) {
        let place = place.to_owned();
        let entry = self
            .values
            .entry(table.to_owned())
            .or_insert_with(|| Value::new(Some(&place), ValueKind::Table(Map::new())));
        if let ValueKind::Table(keys) = &mut entry.kind {
            keys.insert(key.to_owned(), Value::new(Some(&place), value));
        }
    }

    /// Checks each table in a list, and adds the defaults of keys that it lacks.
    fn complete_elements(&mut self, key: &str, defaults: &Self) -> Result<(), ConfigError> {
        let Some(list) = self.values.get_mut(key) else {
            return Ok(());
        };
        let place = list.origin().unwrap_or(&self.place).to_owned();
        let ValueKind::Array(elements) = &mut list.kind else {
            return Ok(());
        };
        for (position, element) in elements.iter_mut().enumerate() {
            let key = format!("{key}[{position}]");
            let found = kind_name(&element.kind);
            let ValueKind::Table(values) = &mut element.kind else {
                return Err(ConfigError::WrongType {
                    place,
                    key,
                    expected: "a table",
                    found,
                });
            };
            check_table(values, &defaults.values, &key, &place)?;
            for (name, default) in &defaults.values {
                values
                    .entry(name.clone())
                    .or_insert_with(|| default.clone());
            }
        }
        Ok(())
    }
}

fn check_table(
    values: &Map<String, Value>,
    schema: &Map<String, Value>,
    parent: &str,
    place: &str,
) -> Result<(), ConfigError> {
    for (name, value) in values {
        let key = match parent {
            "" => name.clone(),
            table => format!("{table}.{name}"),
        };
        let place = value.origin().unwrap_or(place);
        let Some(default) = schema.get(name) else {
            let mut allowed: Vec<_> = schema.keys().cloned().collect();
            allowed.sort();
            return Err(ConfigError::UnknownKey {
                place: place.to_owned(),
                key,
                allowed,
            });
        };
        let (expected, found) = (kind_name(&default.kind), kind_name(&value.kind));
        if expected != found {
            return Err(ConfigError::WrongType {
                place: place.to_owned(),
                key,
                expected,
                found,
            });
        }
        match (&value.kind, &default.kind) {
            (ValueKind::Table(values), ValueKind::Table(schema)) => {
                check_table(values, schema, &key, place)?;
            }
            // The lists at the top have tables as elements, all others have texts.
            (ValueKind::Array(elements), _) if !parent.is_empty() => {
                check_texts(elements, &key, place)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_texts(elements: &[Value], key: &str, place: &str) -> Result<(), ConfigError> {
    let expected = kind_name(&ValueKind::String(String::new()));
    let other = elements
        .iter()
        .map(|element| kind_name(&element.kind))
        .find(|found| *found != expected);
    match other {
        None => Ok(()),
        Some(found) => Err(ConfigError::WrongType {
            place: place.to_owned(),
            key: format!("{key}[]"),
            expected,
            found,
        }),
    }
}

const fn kind_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(value) if *value < 0 => "a negative number",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
            "a whole number"
        }
        ValueKind::Float(_) => "a fraction",
        ValueKind::String(_) => "a text in quotes",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
    }
}

/// The text of a variable as a value of the key's type. Text that does not fit stays text, so that the
/// type check refuses it.
fn typed(text: &str, default: Option<&Value>) -> ValueKind {
    let fitting = match default.map(|value| &value.kind) {
        Some(ValueKind::Boolean(_)) => text.parse().ok().map(ValueKind::Boolean),
        Some(ValueKind::I64(_)) => text.parse().ok().map(ValueKind::I64),
        _ => None,
    };
    fitting.unwrap_or_else(|| ValueKind::String(text.to_owned()))
}

fn refuse_misspelt(variable: &str, name: &str, defaults: &Layer) -> Result<(), ConfigError> {
    if CLIENT_VARIABLES.contains(&variable) {
        return Ok(());
    }
    let separated = defaults.values.keys().find_map(|table| {
        let key = name.strip_prefix(table.as_str())?.strip_prefix('_')?;
        Some(format!("{PREFIX}{table}__{key}").to_ascii_uppercase())
    });
    match separated {
        Some(example) => Err(ConfigError::MisspeltVariable {
            variable: variable.to_owned(),
            example,
        }),
        None => Ok(()),
    }
}
