//! Writes a setting into a file, and leaves everything else in it as it is.

use std::io;
use std::path::Path;

use dset_core::item::params::Params;
use dset_core::settings::{Layer, resolve_with_providers};
use dset_core::template::{PromptError, Role, check_without_columns};
use dset_engine::os::files::{folder_of, replace, write_whole};
use serde_json::Value as Json;
use toml_edit::{Array, DocumentMut, InlineTable, Value};

use crate::command::model_suggestion::ModelSuggestion;
use crate::config_file::{ConfigFile, meaning, text};
use crate::display;
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::{Environment, Origin};
use crate::prompt::may_be_a_key;
use crate::setting::{Setting, ValueKind, key_for_model, ticked, truth, unknown};

/// Sets it, and returns what to say.
pub(super) fn set(name: &str, word: &str, user: bool) -> Result<String, UserError> {
    let setting = Setting::named(name).ok_or_else(|| unknown("", name))?;
    if setting.id() == "model" && may_be_a_key(word) {
        return Err(key_for_model(&format!("`{name}`")));
    }
    if setting.value_kind() == ValueKind::Check {
        return Err(UserError::new(Exit::Usage, "a check is a table of its own in the file").hint(
            "Write a line `[[check]]` at the end of dset.toml, and then `name = \"no-refusal\"`",
        ));
    }
    let said = setting.read(word).map_err(|fault| fault.at("", name, &ticked(word)))?;
    if setting.id() == "template" {
        check_without_columns(word).map_err(|error| PromptError { role: Role::User, error })?;
    }
    let path = super::path(user)?;
    let old = text(&path)?;
    let value = value(&setting.value_kind(), word);
    let new = edited(&path, old.as_deref().unwrap_or_default(), name, value.clone())?;
    write(&path, &new, old.is_some()).map_err(|error| {
        UserError::new(Exit::Ours, format!("cannot write `{}`", path.display()))
            .cause(one_line(&error.to_string()))
            .hint("Nothing was changed; mend that and try again")
    })?;
    warn_of_typos(said.layer.model.unwrap_or_default(), user);
    warn_if_unheard(&setting, user);
    Ok(format!("{}: {name} = {}\n", path.display(), one_line(value.to_string().trim())))
}

/// Writes a word as the file would best have it.
fn value(takes: &ValueKind, word: &str) -> Value {
    let number = || word.trim().parse::<i64>().ok().map(Value::from);
    let float = || word.trim().parse::<f64>().ok().map(Value::from);
    let typed = match takes {
        ValueKind::Bool => truth(word).map(Value::from),
        ValueKind::Words(words) if !words.iter().any(|own| own == word) => {
            truth(word).and_then(|is| meaning(words, is)).map(Value::from)
        }
        ValueKind::Whole { .. } | ValueKind::WordOrNumber => number(),
        ValueKind::Number => number().or_else(float),
        ValueKind::List if word.contains(',') => {
            let words = word.split(',').map(str::trim).filter(|word| !word.is_empty());
            Some(words.collect::<Array>().into())
        }
        ValueKind::Fields => {
            let fields = word.parse::<Params>().unwrap_or_default();
            let fields = fields.iter().filter_map(|(name, value)| Some((name, of_json(value)?)));
            Some(Value::InlineTable(fields.collect()))
        }
        ValueKind::List | ValueKind::Words(_) | ValueKind::Text | ValueKind::Check => None,
    };
    typed.unwrap_or_else(|| word.into())
}

/// Returns the text of a file with this setting in it. A file that cannot be read is not edited.
fn edited(path: &Path, text: &str, name: &str, value: Value) -> Result<String, UserError> {
    ConfigFile::parse(path, text)?;
    let mut document: DocumentMut = text.parse().map_err(|_| {
        UserError::new(Exit::Usage, format!("`{}` cannot be edited", path.display()))
    })?;
    let table = document.as_table_mut();
    if let Value::InlineTable(fields) = &value {
        return Ok(with_fields(&document, name, fields));
    }
    if table.is_empty() {
        // Comments alone: they were there first.
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{end}{name} = {value}\n"));
    }
    match table.get_mut(name).and_then(|item| item.as_value_mut()) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        None => drop(table.insert(name, toml_edit::value(value))),
    }
    Ok(document.to_string())
}

/// Puts fields into a table of them, which stands behind all settings.
fn with_fields(document: &DocumentMut, name: &str, fields: &InlineTable) -> String {
    let mut document = document.clone();
    let own = document.as_table_mut().entry(name).or_insert_with(toml_edit::table);
    if let Some(own) = own.as_table_like_mut() {
        for (field, value) in fields.iter() {
            own.insert(field, toml_edit::value(value.clone()));
        }
    }
    document.to_string()
}

/// Returns a JSON value as TOML has it, which has no null.
fn of_json(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(is) => (*is).into(),
        Json::String(text) => text.as_str().into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Json::Array(values) => values.iter().map(of_json).collect::<Option<Array>>()?.into(),
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| Some((name, of_json(value)?)));
            members.collect::<Option<InlineTable>>()?.into()
        }
    })
}

/// Writes a file of settings whole, with lines that end as they did.
pub(in crate::command) fn write(path: &Path, text: &str, is_there: bool) -> io::Result<()> {
    if !is_there {
        fs_err::create_dir_all(folder_of(path))?;
        return write_whole(path, text.as_bytes());
    }
    let text = with_line_ends_of(&fs_err::read_to_string(path)?, text);
    let all = |file: &mut dyn io::Write| file.write_all(text.as_bytes()).map(Some);
    replace(path, all, || Ok::<(), io::Error>(())).map(drop)
}

/// Returns a text with lines that end as those of another do, where all of these end with CRLF.
fn with_line_ends_of(before: &str, text: &str) -> String {
    let ends = before.matches('\n').count();
    match ends > 0 && before.matches("\r\n").count() == ends {
        true => text.replace("\r\n", "\n").replace('\n', "\r\n"),
        false => text.to_owned(),
    }
}

/// Says which of these models are probably not meant, and how to name those that are.
fn warn_of_typos(mut names: Vec<String>, user: bool) {
    let Ok(environment) = Environment::read(Path::new(".")) else { return };
    let typo = |name: &String| {
        let said = environment.under(Layer { model: Some(vec![name.clone()]), ..Layer::default() });
        let now = resolve_with_providers(said.ok()?.layer, None, &environment.providers).ok()?;
        ModelSuggestion::for_model(now.spec.model(), &environment.providers)
    };
    let typos: Vec<Option<ModelSuggestion>> = names.iter().map(typo).collect();
    for (name, typo) in names.iter_mut().zip(&typos) {
        typo.iter().flat_map(|typo| &typo.meant).for_each(|meant| name.clone_from(meant));
    }
    let whole = names.join(",");
    let command = if user { "dset config set --user model" } else { "dset config set model" };
    for typo in typos.into_iter().flatten() {
        let meant = typo.meant.map(|_| whole.clone());
        let typo = ModelSuggestion { meant, ..typo };
        display::warn(&typo.says, Some(&typo.hint(command)));
    }
}

/// Says so where another place is heard before the one that was written.
fn warn_if_unheard(setting: &Setting, user: bool) {
    let said = Environment::read(Path::new(".")).and_then(|all| all.under(Layer::default()));
    let by = match said.map(|said| said.origin(setting.id())) {
        Ok(Origin::Environment) => "the environment",
        Ok(Origin::DotEnv) => ".env",
        Ok(Origin::Project(_)) if user => "dset.toml",
        _ => return,
    };
    let message = format!("in this folder {by} says otherwise, and is heard first");
    display::warn(&message, Some("See `dset config show --origin`"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_in(text: &str, name: &str, word: &str) -> String {
        let setting = Setting::named(name).unwrap();
        let value = value(&setting.value_kind(), word);
        let new = edited(Path::new("dset.toml"), text, name, value).unwrap();
        let read = ConfigFile::parse(Path::new("dset.toml"), &new).unwrap();
        let one = setting.read(word).unwrap();
        assert_eq!(one.clone().over(read.settings.clone()), read.settings, "{new}");
        new
    }

    #[test]
    fn lines_end_as_they_did() {
        for (before, text, written) in [
            ("a = 1\r\n", "a = 2\n", "a = 2\r\n"),
            ("a = 1\r\n# b\r\n", "a = 2\n# b\r\n", "a = 2\r\n# b\r\n"),
            ("a = 1\n", "a = 2\n", "a = 2\n"),
            ("a = 1\r\nb = 1\n", "a = 2\nb = 1\n", "a = 2\nb = 1\n"),
            ("", "a = 2\n", "a = 2\n"),
        ] {
            assert_eq!(with_line_ends_of(before, text), written, "{before:?}");
        }
    }

    #[test]
    fn a_value_is_written_in_its_place_and_everything_else_stays() {
        let text =
            "# mine\nmodel = \"a\"  # the cheap one\n\n[provider.x]\nbase-url = 'http://h'\n";
        for (text, name, word, written) in [
            ("", "model", "a", "model = \"a\"\n"),
            ("# only this", "concurrency", "32", "# only this\nconcurrency = 32\n"),
            (text, "model", "b", &text.replace("\"a\"", "\"b\"")),
            (text, "model", "b,c", &text.replace("\"a\"", "[\"b\", \"c\"]")),
            (text, "json", "true", &text.replace("one\n\n", "one\njson = true\n\n")),
            ("", "concurrency", "auto", "concurrency = \"auto\"\n"),
            ("", "temperature", "0.5", "temperature = 0.5\n"),
            ("", "temperature", "1", "temperature = 1\n"),
            ("", "timeout", "90s", "timeout = \"90s\"\n"),
            ("", "timeout", "90", "timeout = 90\n"),
            ("", "backoff", "1m,2m", "backoff = [\"1m\", \"2m\"]\n"),
            ("", "quiet", "1", "quiet = true\n"),
            ("", "quiet", "no", "quiet = false\n"),
            ("", "stream", "1", "stream = \"on\"\n"),
            ("", "header", "false", "header = \"no\"\n"),
            ("", "column", "2", "column = \"2\"\n"),
            ("", "template", "-x {{ q }}", "template = \"-x {{ q }}\"\n"),
            ("", "param", "top_p=0.5", "[param]\ntop_p = 0.5\n"),
            (
                "[param]\nseed = 1 # one\n",
                "param",
                "stop=[\"x\"]",
                "[param]\nseed = 1 # one\nstop = [\"x\"]\n",
            ),
        ] {
            assert_eq!(set_in(text, name, word), *written, "{name} {word}");
        }
    }
}
