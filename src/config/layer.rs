//! Layers: defaults, file, environment, flags. The defaults are the schema: a key that they lack
//! is unknown, and a value of another type than theirs is refused, with the layer that said so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use config::{Config, FileFormat, Format as _, Map, Source, Value, ValueKind};

use super::error::ConfigError;
use super::{DEFAULT, Flags, Sources, Tables};

/// The largest file that is read as a configuration, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What every variable of ours begins with.
const PREFIX: &str = "SIGNET_";

/// Variables of the client commands, which are no settings.
const CLIENT_VARIABLES: [&str; 5] = [
    "SIGNET_CONFIG",
    "SIGNET_URL",
    "SIGNET_IDENTITY_TOKEN",
    "SIGNET_IDENTITY_TOKEN_FILE",
    "SIGNET_CA_FILE",
];

/// All layers in one, each value still knowing where it came from.
pub(super) struct Joined {
    root: Config,
}

/// Reads and checks each layer, then joins them.
pub(super) fn join(sources: &Sources) -> Result<Joined, ConfigError> {
    let defaults = Layer::parse("the defaults", DEFAULT)?;
    let mut layers = vec![];
    if let Some(file) = &sources.file {
        layers.push(Layer::load(file)?);
    }
    layers.push(Layer::from_environment(&sources.environment, &defaults)?);
    layers.push(Layer::from_flags(&sources.flags));

    let schema = defaults.values.clone();
    let mut builder = Config::builder().add_source(defaults);
    for layer in layers {
        layer.check(&schema)?;
        builder = builder.add_source(layer);
    }
    let root = builder.build().map_err(ConfigError::Unexpected)?;
    Ok(Joined { root })
}

impl Joined {
    /// The tables as they are written.
    pub(super) fn tables(&self) -> Result<Tables, ConfigError> {
        self.root
            .clone()
            .try_deserialize()
            .map_err(ConfigError::Unexpected)
    }

    /// Which layer set the key, for messages.
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
            let kind = defaults.table(table).and_then(|table| table.get(key));
            let value = typed(text, kind);
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

    fn table(&self, name: &str) -> Option<&Map<String, Value>> {
        match self.values.get(name).map(|value| &value.kind) {
            Some(ValueKind::Table(keys)) => Some(keys),
            _ => None,
        }
    }

    fn check(&self, schema: &Map<String, Value>) -> Result<(), ConfigError> {
        check_table(&self.values, schema, "", &self.place)
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
            (ValueKind::Array(elements), ValueKind::Array(sample)) if !sample.is_empty() => {
                check_texts(elements, &key, place)?;
            }
            (ValueKind::Array(elements), _) => check_elements(elements, &key, place)?,
            _ => {}
        }
    }
    Ok(())
}

/// The elements of `issuers` and `policies`, the keys that hold tables in a list.
fn check_elements(elements: &[Value], key: &str, place: &str) -> Result<(), ConfigError> {
    let schema = match key {
        "policies" => super::policies::schema(),
        _ => super::issuers::schema(),
    };
    for (position, element) in elements.iter().enumerate() {
        let key = format!("{key}[{position}]");
        let ValueKind::Table(values) = &element.kind else {
            return Err(ConfigError::WrongType {
                place: place.to_owned(),
                key,
                expected: "a table",
                found: kind_name(&element.kind),
            });
        };
        check_table(values, &schema, &key, place)?;
    }
    Ok(())
}

/// A list that holds texts.
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

/// A variable's text as the type its key has; text that does not fit stays text and is refused.
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
    let divided = defaults.values.keys().find_map(|table| {
        let key = name.strip_prefix(table.as_str())?.strip_prefix('_')?;
        Some(format!("{PREFIX}{table}__{key}").to_ascii_uppercase())
    });
    match divided {
        Some(example) => Err(ConfigError::MisspeltVariable {
            variable: variable.to_owned(),
            example,
        }),
        None => Ok(()),
    }
}
