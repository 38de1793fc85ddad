//! `dset init`: what a folder needs to be run in.

mod files;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;
use dset_core::settings::{JobSpec, Layer, Model, resolve_with_providers};
use secrecy::SecretString;

use crate::config_file::PROJECT;
use crate::display;
use crate::display::page::{BAD, DIM, GOOD, Page};
use crate::display::text::{one_line, quoted};
use crate::error::{UserError, WARNING};
use crate::exit::Exit;
use crate::layers::{Environment, MergedLayer};
use crate::prompt;
use crate::setting::key_for_model;

use crate::command::check_key::{KeyCheck, check_key, read_key};
use crate::command::model_suggestion::ModelSuggestion;
use files::Wrote;

#[derive(Debug, Args)]
#[command(
    after_help = "Makes what is missing and keeps what is there: it can be run again at any time.

  q.csv        three sample questions below the header question,status; under another name in the
               form that its ending says
  dset.toml    settings, all of them comments but what you choose here
  .env         the key, where one is given: readable by you alone
  .gitignore   a line .env, where a key is written and the folder is in a git repository or has a
               .gitignore already

At a terminal it asks, and Enter takes what stands in brackets; elsewhere, and with --yes, it takes \
that without asking. A key that is found in the environment, in .env or kept by `dset keys` is not \
asked for. A new one is tried once where the service has a free way to.

Exit codes: 0 all is there, 1 disk, 2 usage or settings, 130 stopped.

Examples:
  dset init
  dset init -y --model gpt-6-luna
  printf %s \"$KEY\" | dset init --key-stdin"
)]
pub(crate) struct InitArgs {
    /// File with the questions [default: q.csv]
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,

    /// Model to ask, by its name or as provider/model [default: deepseek-flash]
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,

    /// Read the key from standard input, and put it into .env
    #[arg(long, conflicts_with = "no_key")]
    key_stdin: bool,

    /// Leave the key out
    #[arg(long)]
    no_key: bool,

    /// Take what stands in brackets, without asking
    #[arg(short, long)]
    yes: bool,

    /// Do not try the key
    #[arg(long)]
    offline: bool,
}

/// What was chosen.
struct Choice {
    settings: JobSpec,
    merged: MergedLayer,
    /// The questions and the model, where without a word others would be asked.
    input: Option<String>,
    model: Option<String>,
    /// To be put into .env.
    key: Option<SecretString>,
}

pub(super) fn run(args: &InitArgs) -> Result<Exit, UserError> {
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let asks = !args.yes && !args.key_stdin && prompt::is_possible();
    let choice = choose(args, &environment, asks)?;
    let model = choice.settings.model();
    if let Some(typo) = ModelSuggestion::for_model(model, &environment.providers) {
        display::warn(&typo.says, Some(&typo.hint("dset config set model")));
    }
    let trial = match &choice.key {
        Some(key) if args.key_stdin && is_tried(args, &environment, model, &choice.merged) => {
            Some(check_key(model, key)?)
        }
        _ => None,
    };
    let wrote = write(&choice, &environment)?;
    show(args, &choice, &environment, &wrote, asks, trial);
    Ok(Exit::Done)
}

/// A key is not tried at a place that only the folder names.
fn is_tried(args: &InitArgs, environment: &Environment, model: &Model, said: &MergedLayer) -> bool {
    !args.offline && environment.may_send(model, said)
}

fn choose(args: &InitArgs, environment: &Environment, asks: bool) -> Result<Choice, UserError> {
    let under = |layer: Layer| -> Result<(JobSpec, MergedLayer), UserError> {
        let said = environment.under(layer)?;
        let now = resolve_with_providers(said.layer.clone(), None, &environment.providers)?;
        Ok((now.spec, said))
    };
    let (now, said) = under(Layer::default())?;
    let now_input = now.input.display().to_string();
    let named = said.layer.model.unwrap_or_else(|| vec![now.model().request.model.clone()]);
    let mut input = args.questions.as_ref().map(|path| path.display().to_string());
    let mut model = args.model.clone();
    if asks && input.is_none() {
        input = Some(name("Questions file", &now_input)?);
    }
    // Whoever wrote several models down knew why.
    if asks && model.is_none() && named.len() == 1 {
        model = Some(name("Model", &named[0])?);
    }
    // Before anything is made or written down.
    if model.as_deref().is_some_and(prompt::may_be_a_key) {
        return Err(key_for_model("`--model`"));
    }
    if input.as_deref().is_some_and(prompt::may_be_a_key) {
        return Err(UserError::new(Exit::Usage, "`--questions` takes a file, not a key")
            .hint("`dset init` asks for the key, unseen"));
    }
    let input = input.filter(|input| *input != now_input);
    let model = model.filter(|model| named != [model.as_str()]);
    let (settings, said) = under(Layer {
        input: input.as_ref().map(PathBuf::from),
        model: model.clone().map(|model| vec![model]),
        ..Layer::default()
    })?;
    let key = key(args, &settings, &said, environment, asks)?;
    Ok(Choice { settings, merged: said, input, model, key })
}

/// Asks for a name until what is typed is no key.
fn name(question: &str, default: &str) -> Result<String, UserError> {
    loop {
        let word = prompt::word(question, default)?;
        if word == default || !prompt::may_be_a_key(&word) {
            return Ok(word);
        }
        display::warn(
            "that looks like a key, which is asked for next; it is not kept, but it was shown",
            Some("Press Enter for what stands in brackets"),
        );
    }
}

/// Reads the key that is to be written down, if any is.
fn key(
    args: &InitArgs,
    settings: &JobSpec,
    said: &MergedLayer,
    environment: &Environment,
    asks: bool,
) -> Result<Option<SecretString>, UserError> {
    let model = settings.model();
    let is_found = || Ok::<_, UserError>(environment.find_key(model, said)?.is_some());
    match &model.key_variable {
        _ if args.no_key => Ok(None),
        Some(name) if args.key_stdin => {
            if std::io::stdin().is_terminal() {
                return Err(UserError::new(Exit::Usage, "--key-stdin reads a pipe or a file")
                    .hint("At a terminal leave it out: `dset init` asks for the key, unseen"));
            }
            let key = prompt::piped_key()?;
            if environment.has_another_in_dot_env(name, &key) {
                return Err(UserError::new(
                    Exit::Usage,
                    format!("there is another {name} in .env"),
                )
                .cause("`dset init` overwrites nothing")
                .hint(format!("Take the line {name} out of .env, and try again")));
            }
            Ok(Some(key))
        }
        Some(_) if asks && !is_found()? => read_key(
            &key_question(model, environment.may_send(model, said)),
            Some(model).filter(|model| is_tried(args, environment, model, said)),
        ),
        _ => Ok(None),
    }
}

/// Names whom the key is for: the host as well, where that is not the service's own, or only the
/// folder says that it is.
fn key_question(model: &Model, is_safe: bool) -> String {
    let (preset, url) = (&model.preset, model.base_url());
    let host = url.host_str().unwrap_or_default();
    let at = match (is_safe, preset.is_official_host(url)) {
        (true, true) => String::new(),
        (true, false) => format!(" at {host}"),
        (false, _) => format!(" at {host}, which only this folder names"),
    };
    format!("{} API key{at} (hidden, Enter to skip)", preset.name)
}

fn write(choice: &Choice, environment: &Environment) -> Result<Vec<(String, Wrote)>, UserError> {
    let folder = Path::new(".");
    let model = choice.settings.model();
    let mut wrote = Vec::new();
    let input = &choice.settings.input;
    wrote.push((input.display().to_string(), files::questions(input)?));
    let settings = files::settings(folder, choice.input.as_deref(), choice.model.as_deref())?;
    wrote.push((PROJECT.into(), settings));
    if let (Some(key), Some(variable)) = (&choice.key, &model.key_variable) {
        let has = environment.is_in_dot_env(variable);
        // First, so that there is no moment in which git would take the key.
        let ignored = files::ignore(folder)?;
        wrote.push((".env".into(), files::dot_env(folder, variable, key, has)?));
        wrote.extend(ignored.map(|ignored| (".gitignore".into(), ignored)));
    }
    Ok(wrote)
}

fn show(
    args: &InitArgs,
    choice: &Choice,
    environment: &Environment,
    wrote: &[(String, Wrote)],
    asks: bool,
    trial: Option<KeyCheck>,
) {
    let page = Page::open();
    if asks {
        page.blank();
    } else if !args.yes {
        page.line(DIM, "", "nobody is asked here: what has no flag takes its default", 0);
    }
    let model = choice.settings.model();
    for (name, how) in wrote {
        let (style, mark, words) = match how {
            Wrote::Made(words) => (GOOD, page.tick, words),
            Wrote::Kept(words) => (DIM, "=", words),
        };
        page.line(style, &format!("  {mark} "), &format!("{:<12} {words}", one_line(name)), 17);
    }
    let key = environment.find_key(model, &choice.merged).ok().flatten();
    let (style, mark, words) = match (&model.key_variable, &choice.key, &key) {
        (None, ..) => (GOOD, page.tick, format!("none is needed for {}", model.preset.name)),
        (Some(name), Some(_), _) => match trial {
            Some(KeyCheck::Refused) => (BAD, page.cross, format!("{name} in .env is refused")),
            Some(trial @ KeyCheck::Works(_)) => {
                (GOOD, page.tick, format!("{name} in .env {trial}"))
            }
            Some(trial) => (GOOD, page.tick, format!("{name} in .env, {trial}")),
            None => (GOOD, page.tick, format!("{name} in .env")),
        },
        (Some(name), None, Some(key)) => (GOOD, page.tick, format!("{name} from {}", key.place())),
        (Some(name), None, None) => (WARNING, "!", format!("{name} is not there yet")),
    };
    page.line(style, &format!("  {mark} "), &format!("{:<12} {words}", "key"), 17);
    page.blank();
    let is_lacking = model.key_variable.is_some() && choice.key.is_none() && key.is_none();
    if is_lacking {
        page.hint(&match environment.may_keep(model) {
            true => format!("Keep the key with `dset keys set {}`", model.preset.id),
            false => format!("Put `{}=…` into .env", model.key_variable.as_deref().unwrap_or("")),
        });
    }
    let file = one_line(&choice.settings.input.display().to_string());
    let mut run = "dset run".to_owned();
    // What was chosen is not written down where settings were there.
    if wrote.iter().any(|(name, how)| name == PROJECT && matches!(how, Wrote::Kept(_))) {
        run.extend(choice.input.iter().map(|input| format!(" {}", quoted(input))));
        run.extend(choice.model.iter().map(|model| format!(" -m {}", quoted(model))));
    }
    page.hint(&match wrote.iter().any(|(_, how)| *how == Wrote::Made(files::SAMPLED.into())) {
        true => format!("Try the samples with `{run}`; then put your own questions into {file}"),
        false => format!("Ask the questions in {file} with `{run}`"),
    });
}
