//! What `dset.toml` and the user's own `config.toml` say.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use dset_core::item::params::{ParamError, Params};
use dset_core::money::OwnPrice;
use dset_core::provider::{FieldError, Table, field, fields};
use dset_core::schema::Schema;
use dset_core::settings::{Layer, SchemaSource};
use serde_json::{Map as JsonMap, Value as Json};
use toml_edit::{Document, Item, Key, TableLike, Value};

use crate::checks;
use crate::datasets::{self, DatasetArgs};
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::{SettingsLayer, said_twice};
use crate::own_prices;
use crate::schema_file::no_schema;
use crate::setting::{Setting, ValueError, ValueKind, key_itself, ticked, unknown};
use crate::spelling::meant;

/// The file of a folder.
pub(crate) const PROJECT: &str = "dset.toml";
/// Where people find what a service takes.
pub(crate) const SEE_SCHEMA: &str = "`dset config schema` lists what a service may be told";
/// More than any settings that a person writes; a file beyond is another thing.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A file of settings, read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigFile {
    /// Its path as people call it.
    pub(crate) path: PathBuf,
    /// What it says of settings.
    pub(crate) settings: SettingsLayer,
    /// The lines, from 1, where it says that, by the field's name.
    pub(crate) lines: BTreeMap<String, usize>,
    /// Services that it describes, by name.
    pub(crate) providers: BTreeMap<String, ProviderTable>,
    /// What it says of prices.
    pub(crate) prices: Vec<OwnPrice>,
    /// The datasets that are written when a run has ended.
    pub(crate) datasets: Vec<DatasetArgs>,
}

/// A table `[provider.NAME]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProviderTable {
    pub(crate) table: Table,
    /// The line of the table, and of each field.
    pub(crate) line: usize,
    pub(crate) lines: BTreeMap<String, usize>,
}

impl ConfigFile {
    /// Reads a file; one that is not there says nothing.
    pub(crate) fn read(path: &Path) -> Result<ConfigFile, UserError> {
        match text(path)? {
            Some(text) => ConfigFile::parse(path, &text),
            None => Ok(ConfigFile { path: path.to_owned(), ..ConfigFile::default() }),
        }
    }

    /// Reads the text of a file at this path.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<ConfigFile, UserError> {
        let document = document(path, text)?;
        let place = Location { path, text };
        let mut file = ConfigFile { path: path.to_owned(), ..ConfigFile::default() };
        for (name, _) in document.as_table().iter() {
            let Some((key, item)) = document.as_table().get_key_value(name) else { continue };
            let line = place.line(key, item);
            match (name, item.as_table_like()) {
                ("provider", Some(table)) => providers(&place, table, &mut file)?,
                ("provider", None) => {
                    return Err(no_table(&place.at(line), "provider", "provider.mine"));
                }
                ("prices", Some(table)) => file.prices = own_prices::read(&place, table)?,
                ("prices", None) => {
                    return Err(no_table(&place.at(line), "prices", "prices.my-model"));
                }
                ("check", _) => {
                    let check = Some(checks::read(&place, item, line)?);
                    file.settings = file.settings.over(Layer { check, ..Layer::default() }.into());
                    file.lines.insert("check".to_owned(), line);
                }
                ("export", _) => file.datasets = datasets::read(&place, item, line)?,
                ("param", Some(table)) => {
                    let fields = fields_of_requests(&place, table)?;
                    let layer = Layer { param: Some(vec![fields]), ..Layer::default() };
                    file.settings = file.settings.over(layer.into());
                    file.lines.insert("param".to_owned(), line);
                }
                ("param", None) => return Err(no_table(&place.at(line), "param", "param")),
                ("schema", Some(_)) => {
                    let schema = schema_of(&place.at(line), item)?;
                    let schema = Some(SchemaSource::Read(Box::new(schema)));
                    file.settings = file.settings.over(Layer { schema, ..Layer::default() }.into());
                    file.lines.insert("schema".to_owned(), line);
                }
                (_, Some(_)) if Setting::named(name).is_none() => {
                    return Err(unknown(&place.at(line), name).cause(
                        "settings stand at the top; tables are [schema], [param], [provider.NAME], [prices.MODEL], [[check]] and [[export]]",
                    ));
                }
                _ => {
                    let setting =
                        Setting::named(name).ok_or_else(|| unknown(&place.at(line), name))?;
                    let one = parse_value(&setting, item)
                        .map_err(|(fault, given)| fault.at(&place.at(line), name, &given))?;
                    if file.settings.says_otherwise(&one) {
                        let at = place.at(line);
                        return Err(said_twice(&format!("{at}`system` and `system-file`")));
                    }
                    file.settings = file.settings.over(one);
                    file.lines.insert(setting.id().to_owned(), line);
                }
            }
        }
        Ok(file)
    }
}

/// Reads the text of a file of settings; `None` where there is no file.
pub(crate) fn text(path: &Path) -> Result<Option<String>, UserError> {
    let unreadable = |cause: String| {
        UserError::new(Exit::Usage, format!("cannot read `{}`", path.display()))
            .cause(one_line(&cause))
            .hint("Mend it, or move it out of the way")
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        // Whoever runs as somebody else, with that one's home left behind, has no file there.
        Err(_) if std::fs::metadata(path).is_err() => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable("it is larger than 1 MiB".into()));
    }
    // Editors on Windows put a byte order mark before the first name.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map(Some).map_err(|_| unreadable("it is not UTF-8".into()))
}

fn document<'a>(path: &Path, text: &'a str) -> Result<Document<&'a str>, UserError> {
    Document::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        // The line itself may hold a key; what is wrong with it does not.
        UserError::new(Exit::Usage, format!("{}, line {line}, is not TOML", path.display()))
            .cause(one_line(error.message()))
            .hint("A line is like `model = \"deepseek-flash\"` or `concurrency = 32`")
    })
}

/// A place in a file.
pub(crate) struct Location<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Location<'_> {
    /// Returns the line of a key and its value, from 1.
    pub(crate) fn line(&self, key: &Key, item: &Item) -> usize {
        let span = key.span().or_else(|| item.span());
        span.map_or(1, |span| line_of(self.text, span.start))
    }

    /// Returns how an error begins that is about a line.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}, line {line}: ", self.path.display())
    }

    /// Returns a value as it is written.
    pub(crate) fn source(&self, value: &Value) -> String {
        let written = value.span().and_then(|span| self.text.get(span));
        written.unwrap_or_default().to_owned()
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Reads what a value says of a setting; fails with what is wrong and the value as it may be shown.
fn parse_value(setting: &Setting, item: &Item) -> Result<SettingsLayer, (ValueError, String)> {
    let takes = setting.value_kind();
    let Some(word) = item.as_value().and_then(|value| flag_word(&takes, value)) else {
        // Whatever stands there for a key may be one.
        if setting.id() == "key" {
            return Err((ValueError::IsKey, String::new()));
        }
        let given = match item.as_value() {
            Some(Value::Array(_)) => "a list like this".to_owned(),
            Some(value @ (Value::Boolean(_) | Value::Float(_))) => ticked(value.to_string().trim()),
            _ => "that".to_owned(),
        };
        return Err((ValueError::WrongKind(takes.to_string()), given));
    };
    // TOML has a word for yes and no; the many that variables have are for programs without types.
    let is_strange = match &takes {
        ValueKind::Bool => !["true", "false"].contains(&&*word),
        ValueKind::Words(words) => !words.contains(&word),
        _ => false,
    };
    if is_strange {
        return Err((ValueError::WrongKind(takes.to_string()), ticked(&word)));
    }
    setting.read(&word).map_err(|fault| (fault, ticked(&word)))
}

/// Writes a value as the flag takes it, where it is one that the flag could take.
fn flag_word(takes: &ValueKind, value: &Value) -> Option<String> {
    match (value, takes) {
        (Value::String(text), _) => Some(text.value().clone()),
        (Value::Integer(number), _) => Some(number.value().to_string()),
        (
            Value::Float(number),
            ValueKind::Number | ValueKind::WordOrNumber | ValueKind::Whole { .. },
        ) => Some(number.value().to_string()),
        (Value::Boolean(is), ValueKind::Bool) => Some(is.value().to_string()),
        (Value::Boolean(is), ValueKind::Words(words)) => meaning(words, *is.value()).cloned(),
        (Value::Array(values), ValueKind::List) if !values.is_empty() => {
            let words = values.iter().map(|value| flag_word(&ValueKind::Text, value));
            let words = words.collect::<Option<Vec<String>>>()?;
            (!words.iter().any(|word| word.contains(','))).then(|| words.join(","))
        }
        _ => None,
    }
}

/// Returns the one of these words that `true` or `false` stands for.
pub(crate) fn meaning(words: &[String], is: bool) -> Option<&String> {
    let meaning = if is { ["on", "yes"] } else { ["off", "no"] };
    words.iter().find(|word| meaning.contains(&word.as_str()))
}

/// Reads the further fields of requests.
fn fields_of_requests(place: &Location<'_>, table: &dyn TableLike) -> Result<Params, UserError> {
    let mut all = Params::default();
    for (name, _) in table.iter() {
        let Some((key, item)) = table.get_key_value(name) else { continue };
        let at = place.at(place.line(key, item));
        let value = json(item);
        if has_null(&value) {
            let what = format!("{at}`param.{}` cannot be what it is", one_line(name));
            return Err(UserError::new(Exit::Usage, what)
                .cause("JSON has no dates and no numbers that are not finite")
                .hint("Write a date as text"));
        }
        let fields = Params::new(JsonMap::from_iter([(name.to_owned(), value)]));
        let fields = fields.map_err(|error| param_error(&at, &error))?;
        all = fields.over(&all);
    }
    Ok(all)
}

/// Reads a schema that is written as a table.
fn schema_of(at: &str, item: &Item) -> Result<Schema, UserError> {
    let what = format!("{at}[schema]");
    let value = json(item);
    if has_null(&value) {
        return Err(UserError::new(Exit::Usage, format!("{what} is no schema"))
            .cause("JSON has no dates and no numbers that are not finite")
            .hint("Write a date as text"));
    }
    Schema::new(value).map_err(|error| no_schema(&what, error, true))
}

/// Tells whether something had no value in JSON.
fn has_null(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Array(values) => values.iter().any(has_null),
        Json::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

/// The error of a field of requests that cannot be sent along.
pub(crate) fn param_error(at: &str, error: &ParamError) -> UserError {
    let user = UserError::new(Exit::Usage, format!("{at}{}", one_line(&error.to_string())));
    match error {
        ParamError::NotJson { name, .. } => user
            .hint(format!("Text stands in quotes, like `--param '{}=\"text\"'`", one_line(name))),
        ParamError::NoValue(_) | ParamError::Name(_) => {
            user.hint("Give it like `--param top_p=0.9`")
        }
        ParamError::Own { setter, .. } if setter.starts_with("--") => {
            user.hint(format!("Say it with `{setter}`"))
        }
        ParamError::Own { .. } | ParamError::Tools(_) => user.hint("Leave it out"),
        ParamError::Key(_) => user.hint("`--key NAME` names the variable that holds the key"),
    }
}

fn providers(
    place: &Location<'_>,
    tables: &dyn TableLike,
    file: &mut ConfigFile,
) -> Result<(), UserError> {
    for (id, _) in tables.iter() {
        let Some((key, item)) = tables.get_key_value(id) else { continue };
        let line = place.line(key, item);
        let Some(table) = item.as_table_like() else {
            let name = format!("provider.{}", one_line(id));
            return Err(no_table(&place.at(line), &name, "provider.mine"));
        };
        let mut own = ProviderTable { line, ..ProviderTable::default() };
        for (name, _) in table.iter() {
            let Some((key, item)) = table.get_key_value(name) else { continue };
            let line = place.line(key, item);
            let at = place.at(line);
            let shown = format!("provider.{}.{}", one_line(id), one_line(name));
            let value = field(name, json(item)).map_err(|fault| field_error(fault, &at, &shown))?;
            own.table.insert(name.to_owned(), value);
            own.lines.insert(name.to_owned(), line);
        }
        file.providers.insert(id.to_owned(), own);
    }
    Ok(())
}

/// The error of something else where a table belongs, which begins with a line `[like]`.
pub(crate) fn no_table(at: &str, name: &str, like: &str) -> UserError {
    let what = match like {
        "param" => "Fields of requests",
        like if like.starts_with("prices") => "A price",
        _ => "A service",
    };
    let begin = if like == "param" { "begin" } else { "begins" };
    UserError::new(Exit::Usage, format!("{at}`{name}` must be a table"))
        .hint(format!("{what} {begin} with a line like `[{like}]`"))
}

/// The error of a field of a service; its value is never shown, because it may be a key.
fn field_error(fault: FieldError, at: &str, shown: &str) -> UserError {
    match fault {
        FieldError::IsKey => key_itself(at, shown),
        FieldError::WrongKind(takes) => {
            UserError::new(Exit::Usage, format!("{at}`{shown}` cannot be what it is"))
                .cause(one_line(&format!("it takes {takes}")))
                .hint(SEE_SCHEMA)
        }
        FieldError::Unknown => {
            let (table, name) = shown.rsplit_once('.').unwrap_or(("provider", shown));
            let error = UserError::new(Exit::Usage, format!("{at}[{table}] has no `{name}`"));
            if name.contains("key") && !name.contains("env") {
                return error.hint("`key-env` names the variable that holds the key");
            }
            match meant(name, fields().keys().cloned()) {
                Some(own) => error.hint(format!("Did you mean `{own}`?")),
                None => error.hint(SEE_SCHEMA),
            }
        }
    }
}

/// Returns a value as JSON has it.
pub(crate) fn json(item: &Item) -> Json {
    let of_table = |table: &dyn TableLike| {
        Json::Object(table.iter().map(|(name, item)| (name.to_owned(), json(item))).collect())
    };
    if let Some(table) = item.as_table_like() {
        return of_table(table);
    }
    if let Some(tables) = item.as_array_of_tables() {
        return tables.iter().map(|table| of_table(table)).collect();
    }
    match item.as_value() {
        Some(Value::String(text)) => text.value().as_str().into(),
        Some(Value::Integer(number)) => (*number.value()).into(),
        Some(Value::Float(number)) => (*number.value()).into(),
        Some(Value::Boolean(is)) => (*is.value()).into(),
        Some(Value::Array(values)) => {
            values.iter().map(|value| json(&Item::Value(value.clone()))).collect()
        }
        _ => Json::Null,
    }
}
