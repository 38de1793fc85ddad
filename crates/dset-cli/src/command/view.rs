//! `dset view`: the records of a run in a browser.

use std::path::PathBuf;

use clap::Args;

use crate::run_selector::RunSelectorArgs;
#[cfg(not(feature = "view"))]
use crate::{error::UserError, exit::Exit};

#[derive(Debug, Args)]
#[command(
    after_help = "Opens a page on this machine: every record in a list of any length, with search, \
filters and orders; each with its answers beside each other, its failed asks and its reasoning; \
what was spent, and how a run gets on, while it goes on. Ratings and notes are kept in review.db, an \
index for the search in dset.search.db; nothing else is written, and nothing is asked.

Only this machine can open it, and only with the address that is written here, which has a secret. \
Nothing is fetched from anywhere. It goes on until Ctrl-C.

With --static the page and what it shows are written as a folder of plain files instead, for any web server; \
ratings and notes are in it to be read. A folder that dset wrote is replaced, any other is left alone.

Exit codes: 0 closed or written, 1 the store cannot be read or the folder not written, 2 usage or input, \
nothing was asked yet, or the port is taken.

Examples:
  dset view                         of ./q.csv and ./dset_generator
  dset view in/q.csv -o out         of another run
  dset view --no-open --port 7000   write the address, open nothing
  dset view --json                  the address as one JSON object, for a program
  dset view --static site           plain files for any web server
  dset view --static bad --filter state=rejected"
)]
pub(crate) struct ViewArgs {
    #[command(flatten)]
    pub(crate) which: RunSelectorArgs,

    /// Listen there [default: any free port]
    #[arg(long, value_name = "PORT", default_value = "0", hide_default_value = true)]
    pub(crate) port: u16,

    /// Write the address and leave the browser alone
    #[arg(long)]
    pub(crate) no_open: bool,

    /// Write the address as one JSON object to stdout, and open nothing
    #[arg(long)]
    pub(crate) json: bool,

    /// Write a folder of plain files, and open nothing
    #[arg(long = "static", value_name = "DIR", conflicts_with_all = ["port", "no_open", "json"])]
    pub(crate) folder: Option<PathBuf>,

    /// Of these records only, as the address of a page says it: state=rejected&model=m
    #[arg(long, value_name = "QUERY", requires = "folder")]
    pub(crate) filter: Option<String>,
}

#[cfg(not(feature = "view"))]
pub(super) fn run(_: &ViewArgs) -> Result<Exit, UserError> {
    Err(not_built())
}

/// The error of what the viewer is needed for.
#[cfg(not(feature = "view"))]
pub(super) fn not_built() -> UserError {
    UserError::new(Exit::Usage, "this dset was built without its viewer")
        .hint("Build it with `cargo build --features view`")
}

#[cfg(feature = "view")]
pub(super) use viewer::{browser, explained, run};

#[cfg(feature = "view")]
mod viewer {
    use std::path::Path;
    use std::process::{Command, Stdio};

    use dset_core::settings::JobSpec;
    use dset_engine::os::memory::give_back_large_blocks;
    use dset_engine::view::browse::{BrowseError, Browser, OwnedPricing, SideFiles};
    use dset_view::{Folder, FolderError, Listening, Reports, read_filter};
    use serde_json::{Value, json};

    use super::ViewArgs;
    use crate::command::money::Money;
    use crate::command::{shared, stats, status};
    use crate::display::text::{of, one_line};
    use crate::display::{self, page, stdout, terminal_variables};
    use crate::error::UserError;
    use crate::exit::Exit;
    use crate::explain;

    pub(in crate::command) fn run(args: &ViewArgs) -> Result<Exit, UserError> {
        let (which, settings, terminal) = shared::settings_of(&args.which)?;
        let money = Money::read()?;
        give_back_large_blocks();
        let Some(browser) = browser(&settings, &money)? else {
            return Err(shared::nothing_asked(&which, &settings));
        };
        if let Some(to) = &args.folder {
            let commands = Commands { settings, money };
            let count = write_folder(to, args.filter.as_deref(), &browser, &commands)?;
            if !terminal.quiet {
                let words = format!("{} written, with {}", to.display(), of(count, "record"));
                display::remark(&words);
            }
            return Ok(Exit::Done);
        }
        shared::runtime()?.block_on(async {
            let listening = Listening::new(args.port).await.map_err(|error| {
                let error =
                    UserError::new(Exit::Usage, format!("cannot listen on port {}", args.port))
                        .cause(error.to_string());
                error.hint("`--port 0` takes a free port")
            })?;
            let url = listening.url();
            let quiet = args.json || terminal.json;
            match quiet {
                true => page::json(object(&settings, &listening)),
                false => say(&url),
            }
            if !quiet && !args.no_open {
                open(&url);
            }
            let reports = Box::new(Commands { settings, money });
            listening.serve(browser, reports, shared::stopped()).await.map_err(|error| {
                UserError::new(Exit::Ours, "the viewer ended").cause(error.to_string())
            })?;
            Ok(Exit::Done)
        })
    }

    /// Reads a run to look around in it; `None` where there is no store.
    pub(in crate::command) fn browser(
        settings: &JobSpec,
        money: &Money,
    ) -> Result<Option<Browser>, UserError> {
        let (prices, providers) = (money.prices.clone(), money.providers().clone());
        let side = SideFiles::beside(&settings.output, &terminal_variables::cache_folder());
        let pricing = OwnedPricing { prices, providers };
        Browser::open(settings.clone(), side, pricing).map_err(explained)
    }

    /// Says for people why nothing can be shown.
    pub(in crate::command) fn explained(error: BrowseError) -> UserError {
        match error {
            BrowseError::Job(error) => explain::job(error),
            other => UserError::new(Exit::Ours, other.to_string()),
        }
    }

    /// Writes the page with what it shows, and returns how many records that are.
    fn write_folder(
        to: &Path,
        filter: Option<&str>,
        browser: &Browser,
        commands: &Commands,
    ) -> Result<u64, UserError> {
        let unreadable = |error: String| {
            UserError::new(Exit::Usage, "`--filter` cannot be read")
                .cause(one_line(&error))
                .hint("Filter in `dset view`, and copy what stands behind the `?` of its address")
        };
        let filter = read_filter(filter.unwrap_or_default())
            .map_err(|error| unreadable(error.to_string()))?;
        let failed = |message| UserError::new(Exit::Ours, message);
        let (status, stats) = (commands.status(), commands.stats());
        let (status, stats) = (&status.map_err(failed)?, &stats.map_err(failed)?);
        let folder = Folder { browser, status, stats, filter: &filter };
        folder.write(to).map_err(|error| match error {
            FolderError::Browse(BrowseError::Filter(error)) => unreadable(error.to_string()),
            FolderError::Browse(error) => explained(error),
            FolderError::TooMany(_) => UserError::new(Exit::Usage, error.to_string())
                .hint("Say which by `--filter`, as in `--filter 'state=rejected'`"),
            FolderError::Nothing => UserError::new(Exit::Usage, error.to_string())
                .hint("Filter in `dset view`, and copy what stands behind the `?` of its address"),
            FolderError::Foreign { .. } => UserError::new(Exit::Usage, error.to_string())
                .hint("Name a folder that is empty or not there"),
            FolderError::Io { path, error } => {
                let message = format!("cannot write `{}`", path.display());
                UserError::new(Exit::Ours, message).cause(error.to_string())
            }
        })
    }

    fn say(url: &str) {
        stdout::write(format!("{url}\nCtrl-C ends it\n").as_bytes());
    }

    fn object(settings: &JobSpec, listening: &Listening) -> Value {
        json!({
            "input": settings.input,
            "output": settings.output,
            "url": listening.url(),
            "api": format!("http://{}/api/v1/", listening.address),
            "token": listening.token.as_str(),
        })
    }

    /// Opens the browser that the system or `BROWSER` names; where there is none, the address stands
    /// there to be copied.
    fn open(url: &str) {
        let (program, arguments): (&str, &[&str]) = match std::env::consts::OS {
            "macos" => ("open", &[]),
            "windows" => ("rundll32", &["url.dll,FileProtocolHandler"]),
            _ => ("xdg-open", &[]),
        };
        let program = terminal_variables::browser().unwrap_or_else(|| program.to_owned());
        let _ = Command::new(program)
            .args(arguments)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }

    /// What the commands say, for the pages that show it.
    struct Commands {
        settings: JobSpec,
        money: Money,
    }

    impl Reports for Commands {
        fn status(&self) -> Result<Value, String> {
            status::report(&self.settings, &self.money).map_err(|error| error.message)
        }

        fn stats(&self) -> Result<Value, String> {
            match stats::report(&self.settings, &self.money) {
                Ok(Some(report)) => Ok(report),
                Ok(None) => Err("nothing was asked yet".to_owned()),
                Err(error) => Err(error.message),
            }
        }
    }
}
