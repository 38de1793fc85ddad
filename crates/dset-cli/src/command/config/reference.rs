//! The reference of settings, which is `docs/settings.md`.

use std::fmt::Write as _;

use crate::setting::{Setting, ValueKind};

const HEAD: &str = "# Settings

*Written by `dset config reference`; a test holds it to the program.*

A setting is said by a flag, by a variable, by a line of `.env`, or by a line of `dset.toml` in the
working folder or of your own file for all folders (`dset config path --user`). What stands first here
is heard first. `dset config show --origin` tells what holds and which place says it. See
[configuration](configuration.md) for files and for services of your own.
";

pub(super) fn reference() -> String {
    let mut out = HEAD.to_owned();
    for setting in Setting::all() {
        let (name, takes) = (setting.name(), setting.value_kind());
        let default = setting.default_text().unwrap_or_else(|| "none".into());
        let default = match setting.default_word() {
            Some(word) => format!("`{word}`"),
            None => default,
        };
        // Writing to a string does not fail.
        let _ = write!(
            out,
            "\n## {name}\n\n{}.\n\n- Flag: `{}`\n- Variable: `{}`\n- In files: `{}`\n\
             - Takes: {takes}\n- Default: {default}\n",
            setting.help().trim_end_matches('.'),
            setting.flag(),
            setting.variable(),
            in_file(&name, &takes, setting.default_word()),
        );
    }
    out
}

/// A setting as a file has it.
fn in_file(name: &str, takes: &ValueKind, default: Option<String>) -> String {
    match takes {
        ValueKind::Fields => format!("{name} = {{ top_p = 0.9 }}"),
        ValueKind::Check => format!("{name} = [{{ name = \"no-refusal\" }}]"),
        takes => format!("{name} = {}", example(takes, default)),
    }
}

/// A value as a file has it.
fn example(takes: &ValueKind, default: Option<String>) -> String {
    match takes {
        ValueKind::Words(words) => {
            format!("{:?}", default.or_else(|| words.first().cloned()).unwrap_or_default())
        }
        ValueKind::Bool => "true".to_owned(),
        ValueKind::Whole { least, .. } => default.unwrap_or_else(|| least.to_string()),
        ValueKind::Number => default.unwrap_or_else(|| "0.5".into()),
        ValueKind::List => match default {
            Some(word) if word.contains(',') => {
                format!("{:?}", word.split(',').collect::<Vec<_>>())
            }
            default => format!("{:?}", default.unwrap_or_else(|| "…".into())),
        },
        ValueKind::WordOrNumber | ValueKind::Text | ValueKind::Fields | ValueKind::Check => {
            format!("{:?}", default.unwrap_or_else(|| "…".into()))
        }
    }
}
