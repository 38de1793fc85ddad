//! Limits of money, against a service that bills.

use crate::common::{Folder, Going, Ran, Service, questions, until};
use crate::prompts::Recorder;
use dset_mock::MockSettings;

const BOUND: [&str; 2] = ["--max-output-bound", "300"];

/// A service whose answers have from some ten to some two hundred tokens.
fn service() -> Service {
    Service::start(MockSettings {
        price: Some("1/10".parse().unwrap()),
        tokens_median: Some(40),
        tokens_sigma: 0.4,
        latency_ms: 3,
        ..MockSettings::default()
    })
}

/// A folder with so many questions, and with prices.
fn priced(count: usize) -> Folder {
    let folder = Folder::with(&questions(count));
    let set = ["prices", "set", "m", "--input", "1", "--output", "10"];
    folder.dset(&set).exits(0);
    folder
}

/// What the service bills, in dollars.
fn billed(service: &Service) -> f64 {
    service.stats().cost.0 as f64 / 1e12
}

fn run(service: &Service, folder: &Folder, limit: &[&str]) -> Ran {
    service.run(folder, &[&["-m", "m", "-c", "4"], &BOUND[..], limit].concat())
}

#[test]
fn a_run_that_is_killed_again_and_again_is_billed_no_more_than_its_limit() {
    let (service, folder) = (service(), priced(600));
    let limit = 0.25;
    let said = ["-m", "m", "-c", "4", "--max-cost", "0.25", BOUND[0], BOUND[1]];
    for kill in 1..=5 {
        let going = service.begin(&folder, &said);
        until("further asks", || service.stats().asked >= kill * 25);
        going.kill();
        assert!(billed(&service) <= limit, "{} after {kill} kills", billed(&service));
    }
    let ran = run(&service, &folder, &["--max-cost", "0.25", "--json"]).exits(5);
    let bill = billed(&service);
    assert!(bill <= limit, "{bill}");
    let end: serde_json::Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    let amount = |name: &str| end["budget"][name].as_str().unwrap().parse::<f64>().unwrap();
    assert_eq!(amount("max_cost"), limit);
    assert!(amount("spent") + amount("may_have_been_billed") >= bill - 1e-9, "{end}");
    assert!(amount("spent") + amount("may_have_been_billed") >= 0.8 * limit, "{end}");
    assert_eq!(amount("reserved"), 0.0);
    ran.says("the limit of $0.25 is reached").says("that may have been billed").says("--max-cost");
    folder.dset(&["status"]).exits(0).tells("perhaps billed");
    // Nothing is marked, and nothing more is asked.
    assert!(!folder.read("q.csv").contains("ERROR"));
    let asked = service.stats().asked;
    run(&service, &folder, &["--max-cost", "0.25"]).exits(5);
    assert_eq!(service.stats().asked, asked);
    folder.dset(&["status"]).exits(0).tells("--max-output-bound");
    let ran = run(&service, &folder, &["--max-cost", "0.25", "--forgive-lost"]).exits(5);
    assert!(!ran.err.contains("--forgive-lost"), "decided for one run: {}", ran.err);
    assert!(service.stats().asked > asked);
    run(&service, &folder, &["--max-cost", "3"]).exits(0);
    assert_eq!(folder.agreed().len(), 600);
}

#[test]
fn a_run_ends_at_its_limit_and_the_command_that_it_names_goes_on() {
    let (service, folder) = (service(), priced(100));
    folder.asks(&service);
    let command = format!("dset run -m m -c 4 {} {}", BOUND[0], BOUND[1]);
    let ran = folder.shell(&format!("{command} --max-cost 0.02")).exits(5);
    assert!(billed(&service) <= 0.02 && billed(&service) >= 0.8 * 0.02, "{}", billed(&service));
    let hinted =
        |told: &str| told.split('`').find(|part| part.starts_with("dset run")).unwrap().to_owned();
    let later = folder.copy();
    let status = later.dset(&["status"]).exits(0).tells("The limit is reached").out;
    later.shell(&format!("{} -c 4", hinted(&status))).exits(0);
    assert_eq!(later.agreed().len(), 100);
    folder.shell(&hinted(&ran.err)).exits(0);
    assert_eq!(folder.agreed().len(), 100);
    // The limit of a run counts that run alone.
    let other = priced(100);
    run(&service, &other, &["--max-cost-run", "0.02"]).exits(5).says("another run");
    run(&service, &other, &["--max-cost-run", "0.02"]);
    let answered = other.dset(&["status", "--json"]).json()["ledger"]["answered"].clone();
    assert!(answered.as_u64().unwrap() > 50, "{answered}");
}

#[test]
fn status_keeps_the_limit_of_a_run_and_what_may_have_been_billed_is_forgiven_under_a_limit_alone() {
    let (service, folder) = (service(), priced(60));
    run(&service, &folder, &["--max-cost-run", "0.02"]).exits(5);
    let hinted = folder.dset(&["status"]).exits(0).tells("--max-cost-run 0.02").out;
    assert!(hinted.contains("--max-output-bound 300"), "{hinted}");
    let refusing = Service::with(&["Question 1,=400"]);
    let failed = priced(30);
    run(&refusing, &failed, &["--max-cost", "5"]).exits(3);
    let limit = "--max-cost 5 --max-output-bound 300";
    failed.dset(&["show", "--failed"]).exits(0).tells(limit);
    failed.dset(&["status"]).exits(0).tells(limit);
    let asked = service.stats().asked;
    let bare = ["run", "--base-url", &service.url(), "--key", "none", "-m", "m", "--forgive-lost"];
    folder.dset(&bare).exits(2).says("is about a limit of money");
    assert_eq!(service.stats().asked, asked);
}

#[test]
fn answers_that_were_not_counted_are_spent_at_their_worst_and_nothing_forgives_them() {
    let (service, folder) = (Recorder::counting(serde_json::Value::Null), priced(40));
    let limit = [BOUND[0], BOUND[1], "--max-cost", "0.05"];
    let ran = service.run(&folder, &limit).exits(5);
    assert!(!ran.err.contains("may have been billed"), "{}", ran.err);
    let asked = service.asked();
    assert!((10..40).contains(&asked), "{asked}");
    let status = folder.dset(&["status"]).exits(0).out;
    assert!(!status.contains("--forgive-lost") && !status.contains("perhaps billed"), "{status}");
    service.run(&folder, &[&limit[..], &["--forgive-lost"]].concat()).exits(5);
    assert_eq!(service.asked(), asked, "all of it is spent");
}

#[test]
fn what_a_model_cost_counts_for_a_limit_when_later_runs_ask_it_elsewhere_or_not_at_all() {
    for second in ["two/other", "one/dear"] {
        let service = Service::start(MockSettings {
            tokens_median: Some(40),
            keep_requests: 1000,
            ..MockSettings::default()
        });
        let folder = Folder::with(&questions(200));
        let at = |name| format!("[provider.{name}]\nbase-url = 'http://{name}.invalid/v1'\n");
        let price = |model, output| {
            format!("[prices.\"{model}\"]\ninput = {}\noutput = {output}\n", output / 10)
        };
        let prices = [("one/m", 1), ("one/dear", 50), ("two/dear", 100), ("two/other", 100)]
            .map(|(model, output)| price(model, output));
        folder.write("dset.toml", at("one") + &at("two") + &prices.concat());
        // The pretend service stands in for a proxy, and answers for both.
        let run = |second, further: &[&str]| {
            let words =
                ["run", "--key", "none", "-c", "4", "--max-cost", "0.5", BOUND[0], BOUND[1]];
            let mut command =
                folder.command(&[&words[..], further, &["-m", "one/m", "-m", second]].concat());
            command.env("http_proxy", service.url());
            Ran::from(command.output().unwrap()).exits(5)
        };
        let asked = || {
            let is_second = |body: &&serde_json::Value| body["model"] != "m";
            service.requests().iter().filter(is_second).count()
        };
        run("two/dear", &[]);
        let before = asked();
        assert!(before > 50, "{before}");
        run(second, &[]);
        run(second, &["--forgive-lost"]);
        assert!(asked() < before + 12, "{second}: {before}, then {}", asked());
    }
}

#[test]
fn what_is_left_of_each_model_is_reckoned_by_its_own_answers() {
    let (service, folder) = (service(), priced(40));
    folder.dset(&["prices", "set", "dear", "--input", "100", "--output", "1000"]).exits(0);
    service.run(&folder, &["-m", "m"]).exits(0);
    let url = service.url();
    let pilot = ["estimate", "--pilot", "8", "-m", "m", "-m", "dear", "--base-url", &url];
    let found = folder.dset(&[&pilot[..], &["--key", "none", "--json"]].concat()).exits(0).json();
    assert_eq!(found["left"], 32);
    let asked = service.stats().asked;
    let few = ["estimate", "--pilot", "4", "-m", "m", "-m", "dear", "--base-url", &url];
    folder.dset(&[&few[..], &["--key", "none"]].concat()).exits(2).says("5 answers are the least");
    assert_eq!(service.stats().asked, asked);
    let spent = folder.dset(&["stats", "--json"]).exits(0).json();
    let of_dear = spent["spent"]["models"].as_array().unwrap().iter();
    let of_dear = of_dear.clone().find(|model| model["model"] == "dear").unwrap();
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let each = number(&of_dear["answers"]["at_most"]) / 8.0;
    let expected = number(&found["cost"]["expected"]);
    assert!((expected / (32.0 * each) - 1.0).abs() < 0.01, "{expected} {each}");
}

#[test]
fn a_limit_that_pays_for_nothing_is_refused_with_the_least_that_does() {
    let (service, folder) = (service(), priced(10));
    folder.asks(&service);
    let command = format!("dset run -m m -c 4 {} {}", BOUND[0], BOUND[1]);
    let ran = folder.shell(&format!("{command} --max-cost 0.001")).exits(2);
    assert_eq!(service.stats().asked, 0);
    assert!(ran.err.contains("the limit of $0.001 pays for no question"), "{}", ran.err);
    let hint = ran.err.split('`').find(|part| part.starts_with("dset run")).unwrap().to_owned();
    folder.shell(&hint).exits(5);
    assert!(service.stats().asked > 0);
}

#[test]
fn a_limit_wants_a_price_and_a_bound_of_answers() {
    let service = service();
    let folder = Folder::with(&questions(3));
    let limit = ["--max-cost", "$20"];
    service
        .run(&folder, &[&["-m", "m"], &BOUND[..], &limit].concat())
        .exits(2)
        .says("a limit needs the price of m")
        .says("dset prices set m --input 0.3 --output 1.2");
    let folder = priced(3);
    service
        .run(&folder, &[&["-m", "m"], &limit[..]].concat())
        .exits(2)
        .says("how long an answer of m can be")
        .says("--max-output-bound 4000");
    service
        .run(&folder, &[&["-m", "m", "--max-tokens", "50"], &limit[..]].concat())
        .exits(2)
        .says("--max-tokens may not count the tokens it thinks with");
    folder
        .dset(&["run", "-m", "deepseek-flash", "--max-cost", "1"])
        .exits(2)
        .says("--max-tokens 4000");
    for word in ["20€", "-1", "NaN", "0", "1e3"] {
        folder
            .dset(&["run", "--max-cost", word])
            .exits(2)
            .says("an amount of US dollars above 0 and at most 1,000,000, like 20 or 0.50");
    }
    folder.dset(&["run", "--max-cost", "0.0181234"]).exits(2).says("with at most 6 decimals");
    assert_eq!(service.stats().asked, 0);
    assert!(!folder.path("dset_generator").exists(), "nothing was begun");
    run(&service, &folder, &["--max-cost", "$20"]).exits(0);
}

#[test]
fn a_service_that_bills_more_than_can_be_foreseen_is_named_once() {
    let service = Service::start(MockSettings {
        tokens_in: Some(5_000),
        latency_ms: 3,
        ..MockSettings::default()
    });
    let folder = priced(30);
    let ran = run(&service, &folder, &["--max-cost", "20"]).exits(0);
    let told = ran.err.matches("from now on more is reserved").count();
    assert_eq!(told, 1, "{}", ran.err);
}

#[test]
fn cheaper_hours_are_kept_to_only_where_there_are_any() {
    let (service, folder) = (service(), priced(3));
    let flat = service.run(&folder, &["-m", "m", "--off-peak"]).exits(2);
    flat.says("m has no cheaper hours").says("dset prices m");
    let unknown = service.run(&folder, &["-m", "nobody-knows", "--off-peak"]).exits(2);
    unknown.says("--off-peak needs the price of nobody-knows");
    let alone = service.run(&folder, &["-m", "m", "--deadline", "18:00"]).exits(2);
    alone.says("--deadline goes with --off-peak");
    let past = ["-m", "m", "--off-peak", "--deadline", "2026-01-01T00:00:00Z"];
    service.run(&folder, &past).exits(2).says("the deadline is past");
    service.run(&folder, &["-m", "m", "--off-peak", "--deadline", "soon"]).exits(2);
    assert_eq!(service.stats().asked, 0);
}

#[test]
fn hints_repeat_a_limit_to_its_last_decimal_and_that_only_cheap_hours_were_meant() {
    let service = Service::start(MockSettings { latency_ms: 60_000, ..MockSettings::default() });
    let folder = Folder::with(&questions(3));
    folder.write(
        "dset.toml",
        format!("key = \"none\"\n[provider.deepseek]\nbase-url = \"{}\"\n", service.url()),
    );
    let limits = ["--max-tokens", "50", "--max-output-bound", "300", "--max-cost", "12.345678"];
    let run = [&["run", "-m", "deepseek/deepseek-flash", "--off-peak"][..], &limits].concat();
    let going = Going { child: folder.command(&run).spawn().unwrap() };
    let status = || folder.dset(&["status"]).out;
    until("the run has begun", || status().contains("last run"));
    going.kill();
    let hint = "dset run --max-tokens 50 --max-cost 12.345678 --max-output-bound 300 --off-peak";
    let status = status();
    assert!(status.contains(hint), "{status}");
    folder.write("dset.toml", folder.read("dset.toml").replace("key", "off-peak = true\nkey"));
    let hint = hint.strip_suffix(" --off-peak").unwrap();
    folder.dset(&["status"]).exits(0).tells(&format!("{hint}`"));
}

#[test]
fn a_limit_without_a_bound_names_what_nearly_all_answers_had() {
    let (service, folder) = (service(), priced(60));
    folder.asks(&service);
    let set = ["prices", "set", "deepseek-flash", "--input", "1", "--output", "10"];
    folder.dset(&set).exits(0);
    folder.dset(&["run", "--limit", "40"]).exits(0);
    let longest = folder.count("SELECT max(output_tokens) FROM answer_facts");
    folder
        .dset(&["run", "--max-cost", "5"])
        .exits(2)
        .says(&format!("99.9 % have at most {longest} tokens"))
        .says("--max-output-bound ");
    let hinted = folder.dset(&["run", "--max-cost", "5"]).exits(2).err;
    let value = hinted.split("--max-output-bound ").nth(1).unwrap();
    let value: i64 = value.split('`').next().unwrap().parse().unwrap();
    assert!(value >= longest && value <= longest + longest / 10 + 50, "{hinted}");
}

#[test]
fn a_run_that_ends_at_its_limit_says_the_balance_where_the_service_tells_it() {
    let service = Service::start(MockSettings {
        expect_key: Some("sk-0123456789".into()),
        tokens_median: Some(40),
        ..MockSettings::default()
    });
    let folder = Folder::with(&questions(60));
    let provider = format!("[provider.deepseek]\nbase-url = '{}'\n", service.url());
    folder.write(".config/dset/config.toml", provider);
    folder.write(".env", "DEEPSEEK_API_KEY=sk-0123456789\n");
    let set = ["prices", "set", "deepseek-flash", "--input", "1", "--output", "10"];
    folder.dset(&set).exits(0);
    let said = ["run", "--max-cost", "0.01", "--max-output-bound", "300", "-c", "4"];
    folder.dset(&said).exits(5).says("your balance at").says("$110.00");
    let quiet = folder.dset(&[&said[..], &["--quiet"]].concat()).exits(5);
    assert!(!quiet.err.contains("your balance"), "{}", quiet.err);
}

#[test]
fn a_dataset_cannot_go_into_a_file() {
    let (service, folder) = (service(), priced(3));
    folder.write("notes", "mine");
    let ran = service.run(&folder, &["-m", "m", "--to", "notes/rows.jsonl"]).exits(2);
    ran.says("`notes` is a file, and nothing can be written into it").says("--to");
    assert_eq!(service.stats().asked, 0);
}

#[test]
fn what_outputs_tell_of_their_cost_counts_where_their_store_is_gone() {
    let (service, folder) = (service(), priced(60));
    run(&service, &folder, &["--max-cost", "0.02"]).exits(5);
    let before = billed(&service);
    std::fs::remove_file(folder.path("dset_generator/dset.db")).unwrap();
    run(&service, &folder, &["--max-cost", "0.02"]).exits(5).says("what they cost counts");
    assert!(billed(&service) <= 0.02, "{} and {before}", billed(&service));
    let spent = folder.dset(&["status", "--json"]).exits(0).json()["spent"].to_string();
    assert!(spent.contains(&format!("{before:.4}")[..5]), "{spent}");
}

#[test]
fn asking_everything_again_keeps_what_is_there_where_the_limit_pays_for_nothing() {
    let (service, folder) = (service(), priced(20));
    run(&service, &folder, &["--max-cost", "1"]).exits(0);
    let (asked, outputs) = (service.stats().asked, folder.outputs());
    let refused = run(&service, &folder, &["--max-cost", "0.005", "--again"]).exits(5);
    refused.says("the limit of $0.005 is reached").says("still count").says("--again --max-cost");
    let poor = run(&service, &folder, &["--max-cost-run", "0.0001", "--again"]).exits(2);
    poor.says("the limit of $0.0001 pays for no question");
    // A brace makes no template: the system prompt is a part of every ask.
    folder.write("system", format!("{{\"a\": 1}} {}", "x".repeat(50_000)));
    let long = ["--system-file", "system", "--max-cost", "0.04", "--again"];
    run(&service, &folder, &long).exits(5).says("still count");
    assert_eq!((service.stats().asked, folder.outputs()), (asked, outputs));
}
