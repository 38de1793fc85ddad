//! What holds, and where it comes from.

use clap::Args;
use dset_core::settings::{JobSpec, Layer, endpoint, resolve_with_providers};
use serde_json::{Map, Value, json};
use url::Url;

use crate::config_file::ConfigFile;
use crate::display::text::{one_line, shortened};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::{Environment, MergedLayer, SettingsLayer};
use crate::setting::{Setting, unknown};

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Say where each value comes from
    #[arg(long)]
    pub(crate) origin: bool,

    #[command(flatten)]
    pub(crate) layer: SettingsLayer,
}

/// So much of a value is shown in a table.
const VALUE_CHARS_MAX: usize = 48;

/// A setting as it is shown.
struct Row {
    name: String,
    /// Absent where nobody says it and it has no value of its own.
    value: Option<Value>,
    /// What holds then, in words.
    otherwise: String,
    origin: String,
}

/// Writes every setting, one a line or as one JSON object.
pub(super) fn all(mut args: ShowArgs, environment: &Environment) -> Result<String, UserError> {
    // Said here, it is meant of this command.
    let as_json = args.layer.terminal.json.take() == Some(true);
    let said = environment.under(args.layer)?;
    // What could not be run with is not shown as what holds; and no key passes.
    let settings = resolve_with_providers(said.layer.clone(), None, &environment.providers)?.spec;
    let values = values(&said)?;
    let mut rows: Vec<Row> =
        Setting::all().iter().map(|setting| row(setting, &said, &values, environment)).collect();
    for (file, is_project) in [(&environment.project, true), (&environment.user, false)] {
        rows.extend(of_providers(file, is_project, environment));
    }
    if args.origin {
        rows.extend(of_keys(&settings, &said, environment));
    }
    Ok(if as_json { as_object(rows) } else { as_table(&rows, args.origin) })
}

/// Writes the value of one setting, or nothing where it has none.
pub(super) fn one(name: &str, environment: &Environment) -> Result<String, UserError> {
    let setting = Setting::named(name).ok_or_else(|| unknown("", name))?;
    let said = environment.under(Layer::default())?;
    let row = row(&setting, &said, &values(&said)?, environment);
    Ok(row.value.map(|value| format!("{}\n", text(&value))).unwrap_or_default())
}

fn values(said: &MergedLayer) -> Result<Map<String, Value>, UserError> {
    match (serde_json::to_value(&said.layer), serde_json::to_value(&said.terminal)) {
        (Ok(Value::Object(layer)), Ok(Value::Object(terminal))) => {
            Ok(layer.into_iter().chain(terminal).collect())
        }
        _ => Err(UserError::new(Exit::Usage, "a setting is not UTF-8").hint("Give it in UTF-8")),
    }
}

fn row(
    setting: &Setting,
    said: &MergedLayer,
    values: &Map<String, Value>,
    environment: &Environment,
) -> Row {
    let name = setting.name();
    let value = values.get(&name).filter(|value| !value.is_null()).cloned();
    let value = match value {
        Some(value) if name == "base-url" => Some(without_secrets(value)),
        Some(value) => Some(value),
        None => setting.default_word().map(Value::String),
    };
    let origin = environment.place(setting, said);
    Row { otherwise: setting.default_text().unwrap_or_else(|| "none".into()), name, value, origin }
}

/// What a file says of services, but for what the folder's file says over the user's.
fn of_providers(file: &ConfigFile, is_project: bool, environment: &Environment) -> Vec<Row> {
    let mut rows = Vec::new();
    for (id, own) in &file.providers {
        let over = environment.project.providers.get(id).filter(|_| !is_project);
        for (field, value) in &own.table {
            if over.is_some_and(|over| over.table.contains_key(field)) {
                continue;
            }
            let value = match field.as_str() {
                "base-url" => without_secrets(value.clone()),
                // Some people put keys there.
                "headers" | "auth-prefix" => json!("…"),
                _ => value.clone(),
            };
            let line = own.lines.get(field).copied().unwrap_or(own.line);
            rows.push(Row {
                name: format!("provider.{id}.{field}"),
                value: Some(value),
                otherwise: String::new(),
                origin: format!("{}:{line}", file.path.display()),
            });
        }
    }
    rows
}

/// Whether the key of each model is there, and where.
fn of_keys(settings: &JobSpec, said: &MergedLayer, environment: &Environment) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for model in &settings.models {
        let Some(name) = &model.key_variable else { continue };
        if rows.iter().any(|row| row.name == *name) {
            continue;
        }
        let (value, origin) = match environment.find_key(model, said) {
            Ok(Some(key)) => (Some("set".into()), key.place().to_owned()),
            Ok(None) => (None, "nowhere".to_owned()),
            Err(error) => (None, error.message),
        };
        rows.push(Row { name: name.clone(), value, otherwise: "not set".into(), origin });
    }
    rows
}

/// Leaves out of URLs what may be secret in them.
fn without_secrets(value: Value) -> Value {
    match value {
        Value::String(url) => {
            Value::String(Url::parse(&url).map_or_else(|_| "…".into(), |url| endpoint(&url)))
        }
        Value::Array(urls) => urls.into_iter().map(without_secrets).collect(),
        other => other,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn as_table(rows: &[Row], with_origin: bool) -> String {
    let shown = |row: &Row| match &row.value {
        Some(value) => shortened(&text(value), VALUE_CHARS_MAX),
        None => format!("({})", row.otherwise),
    };
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
    let name_width = widest(&mut rows.iter().map(|row| one_line(&row.name).chars().count()));
    let value_width = widest(&mut rows.iter().map(|row| shown(row).chars().count()));
    let mut out = String::new();
    for row in rows {
        let (name, value) = (one_line(&row.name), shown(row));
        let line = match with_origin {
            true => {
                format!("{name:name_width$}  {value:value_width$}  {}", one_line(&row.origin))
            }
            false => format!("{name:name_width$}  {value}"),
        };
        out += line.trim_end();
        out.push('\n');
    }
    out
}

fn as_object(rows: Vec<Row>) -> String {
    let rows =
        rows.into_iter().map(|row| (row.name, json!({"value": row.value, "origin": row.origin})));
    let version = ("v".to_owned(), json!(1));
    format!("{:#}\n", Value::Object(std::iter::once(version).chain(rows).collect()))
}
