//! `dset config`, files of settings, and services of one's own, with the real binary.

use crate::common::{Folder, Ran, Service, questions};
use dset_mock::MockSettings;

const USER: &str = ".config/dset/config.toml";
const KEY: &str = "sk-Canary-0123456789abcdef";

#[test]
fn flags_outrank_variables_then_dot_env_then_the_folders_file_then_the_users_own() {
    let folder = Folder::new();
    let retries = |flags: &[&str], variable: Option<&str>| {
        let all = [&["config", "show", "--json"], flags].concat();
        let mut command = folder.command(&all);
        variable.map(|value| command.env("DSET_RETRIES", value));
        let shown = Ran::from(command.output().unwrap()).exits(0).json();
        let one = &shown["retries"];
        let value = one["value"].as_str().map(str::to_owned);
        (value.unwrap_or(one["value"].to_string()), one["origin"].as_str().unwrap().to_owned())
    };
    let is = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(retries(&[], None), is("3", "default"));
    folder.write(USER, "\nretries = 5\n");
    assert_eq!(retries(&[], None), is("5", &format!("{}:2", folder.path(USER).display())));
    folder.write("dset.toml", "retries = 6\n");
    assert_eq!(retries(&[], None), is("6", "dset.toml:1"));
    folder.write(".env", "DSET_RETRIES=7\n");
    assert_eq!(retries(&[], None), is("7", "DSET_RETRIES in .env"));
    assert_eq!(retries(&[], Some("8")), is("8", "DSET_RETRIES"));
    assert_eq!(retries(&["--retries", "9"], Some("8")), is("9", "flag"));
    assert_eq!(folder.dset(&["config", "get", "retries"]).exits(0).out, "7\n");
}

#[test]
fn a_run_and_a_status_hear_the_files() {
    let service = Service::friendly();
    let folder = Folder::new();
    folder.write("my.csv", questions(2));
    let url = service.url();
    folder.write("dset.toml", format!("input = 'my.csv'\noutput = 'out'\nbase-url = '{url}'\n"));
    folder.write(USER, "key = 'none'\nformats = 'csv'\n");
    folder.dset(&["run"]).exits(0);
    assert!(folder.path("out/output.csv").exists() && !folder.path("out/output.json").exists());
    assert_eq!(folder.dset(&["status", "--json"]).exits(0).json()["ledger"]["answered"], 2);
}

#[test]
fn what_is_wrong_in_a_file_is_said_whole() {
    let folder = Folder::with(&questions(1));
    for (text, said) in [
        (
            "# settings\nmodle = \"x\"\n",
            "error: dset.toml, line 2: there is no setting `modle`\n\n\
             hint: Did you mean `model`?\n",
        ),
        (
            "[limits]\nretries = 3\n",
            "error: dset.toml, line 1: there is no setting `limits`\n  \
             cause: settings stand at the top; tables are [schema], [param], [provider.NAME], [prices.MODEL], [[check]] and [[export]]\n\n\
             hint: `dset config reference` lists them all\n",
        ),
        (
            "samples = 0\n",
            "error: dset.toml, line 1: `samples` cannot be `0`\n  \
             cause: it takes a whole number from 1 to 1000\n\n\
             hint: `dset config reference` says what every setting takes\n",
        ),
        (
            "\n\nconcurrency = \"many\"\n",
            "error: dset.toml, line 3: `concurrency` cannot be `many`\n  \
             cause: it is `auto` or a number from 1 to 4096\n\n\
             hint: `dset config reference` says what every setting takes\n",
        ),
        (
            "output = [\"x\"]\n",
            "error: dset.toml, line 1: `output` cannot be a list like this\n  \
             cause: it takes text\n\n\
             hint: `dset config reference` says what every setting takes\n",
        ),
        (
            "temperature = 3\n",
            "error: dset.toml, line 1: `temperature` cannot be used\n  \
             cause: temperature must be from 0 to 2, not 3\n\n\
             hint: `dset config reference` says what every setting takes\n",
        ),
        (
            "retries = 1\nretries = 2\n",
            "error: dset.toml, line 2, is not TOML\n  \
             cause: duplicate key\n\n\
             hint: A line is like `model = \"deepseek-flash\"` or `concurrency = 32`\n",
        ),
        (
            "[provider.mine]\nbase_url = \"http://h\"\n",
            "error: dset.toml, line 2: [provider.mine] has no `base_url`\n\n\
             hint: Did you mean `base-url`?\n",
        ),
        (
            "[provider.mine]\ndialect = \"gemini\"\n",
            "error: dset.toml, line 2: `provider.mine.dialect` cannot be what it is\n  \
             cause: it takes `chat` or `anthropic`\n\n\
             hint: `dset config schema` lists what a service may be told\n",
        ),
        (
            "\n[provider.mine]\nkey-env = \"MINE_KEY\"\n",
            "error: dset.toml, line 2: [provider.mine] is no service\n  \
             cause: base-url is missing\n\n\
             hint: `dset config schema` lists what a service may be told\n",
        ),
    ] {
        folder.write("dset.toml", text);
        for command in [&["run"][..], &["status"], &["config", "show"]] {
            assert_eq!(folder.dset(command).exits(2).err, said, "{command:?}");
        }
        // What a hint names can be used in a folder like this.
        for command in said.split('`').filter(|ticked| ticked.starts_with("dset config ")) {
            folder.shell(command).exits(0);
        }
    }
    folder.write("dset.toml", b"model = \"\xff\"\n");
    folder.dset(&["run"]).exits(2).says("cannot read `dset.toml`\n  cause: it is not UTF-8");
}

#[test]
fn a_key_in_a_file_is_refused_and_never_shown() {
    let folder = Folder::with(&questions(1));
    for text in [
        format!("key = \"{KEY}\"\n"),
        format!("key = [\"{KEY}\"]\n"),
        format!("key = {KEY}\n"),
        format!("api-key = \"{KEY}\"\n"),
        format!("[provider.deepseek]\nkey-env = \"{KEY}\"\n"),
        format!("[provider.deepseek]\nkey = \"{KEY}\"\n"),
        format!("[provider.deepseek]\nheaders = {{authorization = \"Bearer {KEY}\"}}\n"),
        format!("[provider.deepseek]\nbase-url = \"https://me:{KEY}@h\"\n"),
    ] {
        folder.write("dset.toml", &text);
        // A service is made of both files, and judged when they are put together.
        let edit = if text.contains("https") { "show" } else { "set" };
        let edit = ["config", edit, "retries", "1"];
        let edit = if edit[1] == "set" { &edit[..] } else { &edit[..2] };
        for command in [&["run"][..], &["config", "show"], edit] {
            let ran = folder.dset(command).exits(2);
            assert!(!format!("{}{}", ran.out, ran.err).contains("Canary"), "{text}: {}", ran.err);
        }
        assert_eq!(folder.read("dset.toml"), text, "a file that is wrong is not edited");
    }
    folder.write("dset.toml", "");
    let ran = folder.dset(&["config", "set", "key", KEY]).exits(2);
    assert_eq!(
        ran.err,
        "error: `key` takes the name of a variable, not the key itself\n  \
         cause: what stands in settings is shown and handed on; a key must not be\n\n\
         hint: Put `NAME=…` into .env or the environment, and NAME here\n"
    );
    assert_eq!(folder.read("dset.toml"), "");
    let ran = folder.dset(&["config", "show", "--key", KEY]).exits(2);
    assert!(!ran.err.contains("Canary") && ran.out.is_empty());
    folder.write(".env", format!("DEEPSEEK_API_KEY={KEY}\n"));
    folder.write("dset.toml", format!("base-url = \"https://h/v1?key={KEY}\"\n"));
    let ran = folder.dset(&["config", "show", "--json"]).exits(0).tells("https://h/v1");
    assert!(!ran.out.contains("Canary"));
}

#[test]
fn every_setting_is_shown_with_where_it_comes_from() {
    let folder = Folder::new();
    folder.write("dset.toml", "model = [\"a\", \"mine/b\"]\nreasoning = true\n");
    folder.write(".env", "DSET_TIMEOUT=90\n");
    let tables =
        "[provider.mine]\nbase-url = \"http://h:1?key=x\"\nheaders = {x-team = \"secret\"}\n";
    folder.write(USER, tables);
    let user = folder.path(USER).display().to_string();
    let ran = folder.dset(&["config", "show", "--origin", "--rpm", "5"]).exits(0);
    assert_eq!(
        ran.out.replace(&user, "USER"),
        "\
input                   q.csv                                       default
output                  dset_generator                              default
formats                 csv,json,txt                                default
csv-bom                 (as the file is)                            default
csv-id                  (as the file is)                            default
model                   a,mine/b                                    dset.toml:1
samples                 1                                           default
base-url                (none)                                      default
key                     (the service's, like DEEPSEEK_API_KEY)      default
system                  (none)                                      default
system-file             (none)                                      default
template                {{ question }}                              default
column                  question                                    default
header                  auto                                        default
id                      (an id column, where there is one)          default
where                   (none)                                      default
offset                  (none)                                      default
sample                  (none)                                      default
on-bad-row              fail                                        default
last                    refuse                                      default
split-on                (each line is one)                          default
config                  (its default)                               default
split                   train                                       default
concurrency             auto                                        default
rpm                     5                                           flag
tpm                     (what the service takes)                    default
share-pace              off                                         DSET_SHARE_PACE
max-cost                (no limit)                                  default
max-cost-run            (no limit)                                  default
max-output-bound        (none)                                      default
off-peak                false                                       default
max-tokens              (the service's)                             default
temperature             (the service's)                             default
reasoning               on                                          dset.toml:2
reasoning-effort        (none)                                      default
param                   (none)                                      default
schema                  (none)                                      default
check                   (none)                                      default
gold                    (none)                                      default
on-fail                 (retry for the schema, else mark)           default
tries                   3                                           default
enough                  (all of them)                               default
retry                   reasons                                     default
retries                 3                                           default
backoff                 1m,2m,4m                                    default
timeout                 1m30s                                       DSET_TIMEOUT in .env
idle-timeout            5m                                          default
stream                  (where the service is known to think long)  default
stop-loops              false                                       default
on-error                skip                                        default
log-format              auto                                        default
json                    false                                       default
quiet                   false                                       default
verbose                 false                                       default
provider.mine.base-url  http://h:1/                                 USER:2
provider.mine.headers   …                                           USER:3
DEEPSEEK_API_KEY        (not set)                                   nowhere
"
    );
}

#[test]
fn a_setting_that_is_set_is_got_and_comments_stay() {
    let folder = Folder::new();
    folder.dset(&["config", "set", "max-tokens", "100"]).exits(0);
    assert_eq!(folder.read("dset.toml"), "max-tokens = 100\n");
    let text =
        "# mine\nmodel = \"a\" # cheap\n\n# and\n[provider.x]\nbase-url = \"http://h\" # there\n";
    folder.write("dset.toml", text);
    let ran = folder.dset(&["config", "set", "model", "b,x/c"]).exits(0);
    assert_eq!(ran.out, "dset.toml: model = [\"b\", \"x/c\"]\n");
    assert_eq!(folder.read("dset.toml"), text.replace("\"a\"", "[\"b\", \"x/c\"]"));
    assert_eq!(folder.dset(&["config", "get", "model"]).exits(0).out, "b,x/c\n");
    folder
        .dset(&["config", "set", "--user", "model", "c"])
        .exits(0)
        .says("dset.toml says otherwise");
    assert_eq!(folder.read(USER), "model = \"c\"\n");
    let path = folder.dset(&["config", "path", "--user"]).exits(0).out;
    assert_eq!(path.trim_end(), folder.path(USER).display().to_string());
    folder.dset(&["config", "path"]).exits(0).tells("/dset.toml\n");
    let before = folder.read("dset.toml");
    let ran = folder.dset(&["config", "set", "timeout", "soon"]).exits(2);
    assert_eq!(
        ran.err,
        "error: `timeout` cannot be `soon`\n  \
         cause: `soon` is not a time like 90s, 1m or 1m30s\n\n\
         hint: `dset config reference` says what every setting takes\n"
    );
    folder.dset(&["config", "set", "modle", "x"]).exits(2).says("Did you mean `model`?");
    folder.dset(&["config", "get", "modle"]).exits(2).says("Did you mean `model`?");
    assert_eq!(folder.read("dset.toml"), before);
}

#[test]
fn a_service_of_ones_own_is_asked_with_its_key_in_its_header() {
    let expect_key = Some(KEY.to_owned());
    for (dialect, fields, path) in [
        ("openai", "", "/v1"),
        ("azure", "auth-header = 'api-key'\n", "/v1"),
        ("anthropic", "dialect = 'anthropic'\nheaders = {anthropic-version = '2023-06-01'}\n", ""),
    ] {
        let service = Service::start(MockSettings {
            dialect: dialect.parse().unwrap(),
            expect_key: expect_key.clone(),
            ..MockSettings::default()
        });
        let folder = Folder::with(&questions(2));
        let url = service.url();
        let base = url.trim_end_matches("/v1");
        let table = format!("[provider.mine]\nbase-url = '{base}{path}'\nkey-env = 'MINE_KEY'\n");
        folder.write("dset.toml", table + fields);
        let run = |key: &str| {
            let mut command = folder.command(&["run", "-m", "mine/some/model"]);
            Ran::from(command.env("MINE_KEY", key).output().unwrap())
        };
        run("another").exits(4);
        let ran = run(KEY).exits(0);
        assert!(!ran.err.contains("Canary"), "{}", ran.err);
        assert_eq!(folder.rows().len(), 2, "{fields}");
    }
}

#[test]
fn a_downloaded_folder_gets_no_key_of_whoever_runs_it() {
    let folder = Folder::with(&questions(1));
    let run = |folder: &Folder| {
        let mut command = folder.command(&["run"]);
        command.env("DEEPSEEK_API_KEY", KEY);
        Ran::from(command.output().unwrap())
    };
    for trap in [
        "base-url = 'https://evil.example/v1'\n",
        "[provider.deepseek]\nbase-url = 'https://evil.example/v1'\n",
        "model = 'x/m'\n[provider.x]\nbase-url = 'https://evil.example/v1'\n\
         key-env = 'DEEPSEEK_API_KEY'\n",
    ] {
        folder.write("dset.toml", trap);
        assert!(
            run(&folder).exits(2).err.starts_with(
                "error: the key DEEPSEEK_API_KEY would be sent to evil.example, which only \
                 dset.toml names\n  cause: the key is from the environment, the base URL from \
                 dset.toml in this folder\n\nhint: If that is meant, say so: \
                 `dset run --base-url https://evil.example/v1`\n"
            ),
            "{trap}"
        );
    }
    // It goes nowhere, and not in clear either.
    folder.write("dset.toml", "base-url = 'http://evil.example/v1'\n");
    let err = run(&folder).exits(2).err;
    assert!(err.starts_with("error: ") && !err.contains("unencrypted"), "{err}");
}

#[test]
fn every_setting_is_in_flags_variables_files_the_schema_and_the_reference() {
    let folder = Folder::new();
    let reference = folder.dset(&["config", "reference"]).exits(0).out;
    let schema = folder.dset(&["config", "schema"]).exits(0).json();
    let shown = folder.dset(&["config", "show", "--json"]).exits(0).json();
    let help = folder.dset(&["run", "--help"]).exits(0).out;
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(shown["v"], 1);
    for name in shown.as_object().unwrap().keys().filter(|name| *name != "v") {
        assert!(properties.contains_key(name), "{name} is in the schema");
        assert!(reference.contains(&format!("\n## {name}\n")), "{name} is in the reference");
        let flag = if name == "input" { "QUESTIONS".into() } else { format!("--{name}") };
        assert!(help.contains(&flag), "{flag} is in the help");
        let variable = format!("DSET_{}", name.to_uppercase().replace('-', "_"));
        assert!(reference.contains(&format!("Variable: `{variable}`")), "{variable}");
    }
    // The one has providers, prices and datasets, the other the version.
    assert_eq!(properties.len(), shown.as_object().unwrap().len() + 2);
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    let page = std::fs::read_to_string(format!("{docs}/settings.md")).unwrap();
    assert!(page == reference, "write it anew: `dset config reference > docs/settings.md`");
    let page = std::fs::read_to_string(format!("{docs}/configuration.md")).unwrap();
    let fields = &schema["$defs"]["provider"]["properties"];
    for field in fields.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{field}`")), "{field} is in docs/configuration.md");
    }
    // What the reference shows as a line of a file can be read from one.
    let lines = reference.lines().filter_map(|line| line.strip_prefix("- In files: `"));
    for line in lines.map(|line| line.trim_end_matches('`')).filter(|line| !line.contains('…')) {
        folder.write("dset.toml", line);
        folder.dset(&["config", "show"]).exits(0);
    }
}
