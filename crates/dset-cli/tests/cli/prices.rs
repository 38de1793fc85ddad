//! What models cost, and what was spent.

use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;
use serde_json::{Value, json};

fn prices(folder: &Folder, words: &[&str]) -> Value {
    folder.dset(&[&["prices", "--json"], words].concat()).exits(0).json()
}

#[test]
fn the_table_is_shown_with_its_hours_its_source_and_its_age() {
    let folder = Folder::new();
    let all = prices(&folder, &[]);
    assert!(all["prices"].as_array().unwrap().len() > 60);
    assert!(all["table"]["age_days"].as_i64().is_some());
    let flash = prices(&folder, &["deepseek/deepseek-flash"]);
    let times = flash["prices"].as_array().unwrap();
    let now: Vec<&Value> = times.iter().filter(|price| !price["now"].is_null()).collect();
    assert_eq!((times.len(), now.len()), (4, 1), "three earlier prices are kept");
    assert_eq!(now[0]["base"]["input"], "0.30");
    assert_eq!(now[0]["off_peak"]["cached_input"], "0.003");
    let input = now[0]["now"]["input"].as_str().unwrap();
    assert_eq!(input, if now[0]["tariff"] == "peak" { "0.30" } else { "0.15" });
    folder
        .dset(&["prices", "deepseek-v4-flash"])
        .exits(0)
        .tells("deepseek/deepseek-flash\n")
        .tells("0.30 in, 0.006 cached, 1.20 out; 01:00 to 04:00 and 06:00 to 10:00 UTC, Mon to Fri")
        .tells("until 2026-08-16  0.14 in, 0.0028 cached, 0.28 out\n")
        .tells("source            https://");
    folder.dset(&["prices"]).exits(0).tells("mistral/mistral-large-4 ").tells("table  ");
}

#[test]
fn a_price_of_ones_own_is_written_and_outranks_the_table() {
    let folder = Folder::new();
    folder.write("dset.toml", "# mine\nmodel = \"m\"\n");
    let set = ["prices", "set", "deepseek-flash", "--input", "0.3", "--output", "1"];
    folder
        .dset(&set)
        .exits(0)
        .tells("dset.toml: [prices] deepseek-flash = input 0.30, output 1.00");
    folder.dset(&[&set[..], &["--cached-input", "0.006"]].concat()).exits(0);
    assert_eq!(
        folder.read("dset.toml"),
        "# mine\nmodel = \"m\"\n\n[prices.deepseek-flash]\ninput = 0.30\ncached-input = 0.006\n\
         output = 1.00\n"
    );
    let own = &prices(&folder, &["deepseek-flash"])["own"][0];
    assert_eq!((&own["model"], &own["now"]["output"]), (&json!("deepseek-flash"), &json!("1.00")));
}

#[test]
fn what_is_no_price_is_refused_with_its_line() {
    let folder = Folder::new();
    for (word, why) in [
        ("-1", "a price is not negative"),
        ("20€", "a plain decimal number"),
        ("NaN", "a plain decimal number"),
        ("3e-7", "a plain decimal number"),
        ("0,3", "a plain decimal number"),
        ("0.0000001", "at most 6 decimals"),
    ] {
        let set = ["prices", "set", "m", "--output", "1", "--input", word];
        folder.dset(&set).exits(2).says(&format!("`--input` cannot be `{word}`")).says(why);
    }
    assert!(!folder.path("dset.toml").exists(), "nothing was written");
    for (text, says) in [
        (
            "[prices.m]\ninput = 1\noutput = -2\n",
            "dset.toml, line 3: `prices.m.output` cannot be `-2`",
        ),
        ("[prices.m]\ninput = 1e-3\noutput = 2\n", "dset.toml, line 2: `prices.m.input` cannot be"),
        ("[prices.m]\ninput = nan\noutput = 2\n", "dset.toml, line 2: `prices.m.input` cannot be"),
        ("[prices.m]\ninput = 1\noutpt = 2\n", "dset.toml, line 3: [prices.m] has no `outpt`"),
        ("\n[prices.m]\ninput = 1\n", "dset.toml, line 2: [prices.m] is no price"),
        ("prices = 3\n", "dset.toml, line 1: `prices` must be a table"),
    ] {
        folder.write("dset.toml", text);
        folder.dset(&["prices"]).exits(2).says(says).says("hint: ");
    }
    folder.write("dset.toml", "");
    folder
        .dset(&["prices", "my-own"])
        .exits(2)
        .says("no price is known of `my-own`")
        .says("hint: Say what it costs: `dset prices set my-own --input 0.3 --output 1.2`");
    folder.dset(&["prices", "deepseek-flsh"]).exits(2).says("`dset prices deepseek-flash`");
}

fn spent(folder: &Folder, command: &str) -> Value {
    folder.dset(&[command, "--json"]).exits(0).json()["spent"].clone()
}

#[test]
fn what_was_spent_is_worked_out_by_the_prices_of_now_and_of_then() {
    let folder = Folder::with(&questions(4));
    let service = Service::start(MockSettings {
        on: ["Question 3,=filter"].map(|rule| rule.parse().unwrap()).to_vec(),
        ..MockSettings::default()
    });
    // An address of nobody's: the name alone tells no price.
    let ran = service.run(&folder, &["--max-tokens", "50", "--json"]).exits(3);
    let end: Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!(end["spent"]["total"]["at_most"], Value::Null, "unknown, and not zero");
    folder.sql(
        "UPDATE answer_facts SET input_tokens = 1000, cached_tokens = NULL, output_tokens = 100,
           reasoning_tokens = 0, cost = NULL;
         UPDATE attempts SET input_tokens = 1000, cached_tokens = NULL, output_tokens = 50;",
    );
    let unknown = spent(&folder, "status");
    assert_eq!(unknown["total"]["no_price"], 4);
    let status = folder.dset(&["status"]).exits(0);
    status.tells("spent             unknown: 4 calls of deepseek-flash, without a price\n");
    let set = "prices set deepseek-flash --input 1 --cached-input 0.1 --output 10";
    folder.dset(&set.split(' ').collect::<Vec<_>>()).exits(0);
    for command in ["status", "stats"] {
        let spent = spent(&folder, command);
        // 3 answers of 1,000 and 100 tokens, and one of 50 that a filter ended.
        assert_eq!(spent["total"]["at_most"], "0.0075", "{command}");
        assert_eq!(spent["total"]["at_least"], "0.0039", "{command}");
        assert_eq!(spent["rejected"]["at_most"], "0.0015", "{command}");
        assert_eq!(spent["causes"]["content filter"]["calls"], 1, "{command}");
        assert_eq!(spent["thousand_answers"], "2.5", "{command}");
        assert!(spent["price_table"].as_str().unwrap().starts_with("20"));
    }
    folder
        .dset(&["status"])
        .exits(0)
        .tells("spent             at most $0.0075, at least $0.0039\n")
        .tells("of it             $0.0015 for replies that are not kept\n")
        .tells("1,000 answers     $2.50\n");
    folder
        .dset(&["stats"])
        .exits(0)
        .tells("spent in vain     content filter, 1 call: at most $0.0015");
    // What the service itself says of a call counts.
    folder
        .sql("UPDATE answer_facts SET cost = 0.002; UPDATE answer_facts SET cached_tokens = 1000");
    let said = spent(&folder, "status");
    assert_eq!(
        (&said["answers"]["at_most"], &said["said_by_service"]),
        (&json!("0.006"), &json!(3))
    );
    assert_eq!(said["saved_by_cache"], "0.0027");
    // At the provider's own address and the time of each answer the table's price holds.
    folder.write("dset.toml", "");
    folder.sql(
        "UPDATE lives SET endpoint = 'https://api.deepseek.com', places = NULL;
         UPDATE answer_facts SET cost = NULL, cached_tokens = 0;
         DELETE FROM attempts;
         UPDATE answer_facts SET answered_at = 1795395600000 + (answer - 1) * 10800000;",
    );
    // Monday, 2026-11-23, 01:00 UTC and on: peak, off-peak, peak.
    let by_hour = spent(&folder, "status");
    assert_eq!(by_hour["total"]["at_most"], "0.00105");
    assert_eq!(by_hour["models"][0]["provider"], "deepseek");
}

#[test]
fn a_reply_of_no_use_costs_what_the_service_says_or_what_the_model_costs_that_it_asked() {
    let folder = Folder::with(&questions(4));
    for (model, input, output) in [("m", "1", "10"), ("dear", "100", "1000")] {
        folder.dset(&["prices", "set", model, "--input", input, "--output", output]).exits(0);
    }
    let service = Service::with(&["Question 3,=filter"]);
    service.run(&folder, &["-m", "m", "-m", "dear"]).exits(3);
    let found = spent(&folder, "status");
    let of = |name: &str| {
        let mut models = found["models"].as_array().unwrap().iter();
        models.find(|model| model["model"] == name).unwrap().clone()
    };
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    for model in ["m", "dear"] {
        assert_eq!(of(model)["total"]["calls"], 4, "{found:#}");
    }
    let useless =
        |model: &Value| number(&model["total"]["at_most"]) - number(&model["answers"]["at_most"]);
    let [cheap, dear] = ["m", "dear"].map(|model| useless(&of(model)));
    assert!((dear / cheap - 100.0).abs() < 0.01, "{cheap} {dear}");
    assert!((number(&found["rejected"]["at_most"]) - cheap - dear).abs() < 1e-9);
    // A later run of that model alone knows it too.
    service.run(&folder, &["-m", "dear", "--again-failed"]).exits(3);
    assert_eq!(spent(&folder, "status")["total"]["no_price"], 0);

    let folder = Folder::with(&questions(12));
    let service = Service::start(MockSettings {
        dialect: "openrouter".parse().unwrap(),
        price: Some("3/12".parse().unwrap()),
        on: ["Question 1=filter"].map(|rule| rule.parse().unwrap()).to_vec(),
        ..MockSettings::default()
    });
    service.run(&folder, &["-m", "m"]).exits(3);
    let found = spent(&folder, "status");
    assert_eq!(found["said_by_service"], found["total"]["calls"]);
    let billed = service.stats().cost.0 as f64 / 1e12;
    assert!((number(&found["total"]["at_most"]) - billed).abs() < 1e-9, "{billed} {found:#}");
}

#[test]
fn a_price_is_of_the_service_that_is_asked_and_not_of_another_at_its_host() {
    let folder = Folder::with(&questions(4));
    let services = [(); 2].map(|()| Service::start(MockSettings::default()));
    let [aa, bb] = services.each_ref().map(Service::url);
    let price = |name: &str, dollars: u32| {
        format!("[prices.\"{name}\"]\ninput = {dollars}\noutput = {dollars}\n")
    };
    folder.write(
        "dset.toml",
        format!(
            "[provider.aa]\nbase-url = \"{aa}\"\n[provider.bb]\nbase-url = \"{bb}\"\n{}{}",
            price("aa/m", 1),
            price("bb/m", 100)
        ),
    );
    folder.dset(&["run", "-m", "bb/m", "--max-output-bound", "300"]).exits(0);
    let dear = number_of(&spent(&folder, "status"));
    let limited = ["run", "-m", "bb/m", "-o", "two", "--max-cost", "0.000001"];
    folder.dset(&[&limited[..], &["--max-output-bound", "300"]].concat()).exits(2);
    folder.dset(&["run", "-m", "aa/m", "-o", "cheap"]).exits(0);
    let cheap = folder.dset(&["status", "-o", "cheap", "--json"]).exits(0).json()["spent"].clone();
    assert!((dear / number_of(&cheap) - 100.0).abs() < 20.0, "{dear} {cheap}");
}

/// What a service bills by a price for a million tokens of either kind.
fn billed(service: &Service, price: f64) -> f64 {
    let stats = service.stats();
    (stats.begun_tokens_in + stats.begun_tokens_out) as f64 * price / 1e6
}

#[test]
fn a_model_that_is_asked_at_two_addresses_costs_at_each_what_it_costs_there() {
    let folder = Folder::with(&questions(40));
    let slow = || MockSettings { latency_ms: 5, ..MockSettings::default() };
    let services = [(); 2].map(|()| Service::start(slow()));
    let [aa, bb] = services.each_ref().map(Service::url);
    let settings = |price: u32| {
        format!(
            "[provider.aa]\nbase-url = \"{aa}\"\n[provider.bb]\nbase-url = \"{bb}\"\n\
             [prices.\"aa/m\"]\ninput = 1\noutput = 1\n\
             [prices.\"bb/m\"]\ninput = {price}\noutput = {price}\n"
        )
    };
    folder.write("dset.toml", settings(100));
    let run = ["run", "-m", "m", "--base-url", &aa, "--base-url", &bb, "--key", "none", "-c", "4"];
    folder.dset(&run).exits(0);
    let [cheap, dear] = services.each_ref().map(|service| service.stats().asked);
    assert!(cheap > 0 && dear > 0 && cheap + dear == 40, "{cheap} {dear}");
    for command in ["status", "stats"] {
        let spent = spent(&folder, command);
        let all = billed(&services[0], 1.0) + billed(&services[1], 100.0);
        assert!((number_of(&spent) / all - 1.0).abs() < 1e-6, "{all} {spent:#}");
        let of = |at: usize| {
            (spent["models"][at]["provider"].clone(), &spent["models"][at]["total"]["calls"])
        };
        let mut models = [of(0), of(1)];
        models.sort_by_key(|(provider, _)| provider.to_string());
        assert_eq!(models, [(json!("aa"), &json!(cheap)), (json!("bb"), &json!(dear))]);
    }
    // What a run without a limit was billed counts for a limit, and a price that is corrected for what was bought before.
    folder.write("dset.toml", settings(200));
    let all = billed(&services[0], 1.0) + billed(&services[1], 200.0);
    assert!((number_of(&spent(&folder, "status")) / all - 1.0).abs() < 1e-6);
    folder.write("q.csv", questions(41));
    let limit = format!("{:.6}", all * 0.9);
    let limited = [&run[..], &["--max-output-bound", "300", "--max-cost", &limit]].concat();
    folder.dset(&limited).exits(5);
    assert_eq!(services.iter().map(|service| service.stats().asked).sum::<u64>(), 40);
}

#[test]
fn of_two_services_at_one_address_the_one_that_was_asked_is_paid_and_asked_again() {
    let (folder, service) = (Folder::with(&questions(4)), Service::friendly());
    let url = service.url();
    folder.write(
        "dset.toml",
        format!(
            "[provider.aa]\nbase-url = \"{url}\"\nkeyless = true\n\
             [provider.bb]\nbase-url = \"{url}\"\nkeyless = true\n\
             [prices.\"aa/m\"]\ninput = 1\noutput = 1\n\
             [prices.\"bb/m\"]\ninput = 100\noutput = 100\n"
        ),
    );
    folder.dset(&["run", "-m", "bb/m", "-n", "2"]).exits(0);
    let spent = spent(&folder, "status");
    assert_eq!(spent["models"][0]["provider"], "bb");
    assert!((number_of(&spent) / billed(&service, 100.0) - 1.0).abs() < 1e-6, "{spent:#}");
    folder.dset(&["status"]).exits(0).tells("Run `dset run -m bb/m` to continue");
}

fn number_of(spent: &Value) -> f64 {
    spent["total"]["at_most"].as_str().unwrap().parse().unwrap()
}

#[test]
fn an_estimate_reckons_from_the_answers_of_the_run() {
    let folder = Folder::with(&questions(30));
    let service = Service::start(MockSettings::default());
    folder
        .dset(&["estimate"])
        .exits(2)
        .says("there are too few answers")
        .says("estimate --pilot 50");
    service.run(&folder, &["-n", "10"]).exits(0);
    folder.sql(
        "UPDATE answer_facts SET input_tokens = 1000, cached_tokens = 0, reasoning_tokens = 0,
           output_tokens = 100 + answer % 2;
         UPDATE answer_facts SET answered_at = 1000 * answer;",
    );
    let unknown = folder.dset(&["estimate", "--json"]).exits(0).json();
    assert_eq!((&unknown["left"], &unknown["cost"]), (&json!(20), &Value::Null));
    let set = "prices set deepseek-flash --input 1 --output 10";
    folder.dset(&set.split(' ').collect::<Vec<_>>()).exits(0);
    let before = folder.everything();
    let all = folder.dset(&["estimate", "--json"]).exits(0).json();
    assert_eq!(all["input_tokens"]["high"], "20000");
    assert_eq!(all["cost"]["expected"], "0.040100");
    let number = |end: &str| all["cost"][end].as_str().unwrap().parse::<f64>().unwrap();
    assert!(number("low") < 0.0401 && 0.0401 < number("high") && number("high") < 0.0403);
    assert_eq!(all["seconds"], 20.0);
    folder
        .dset(&["estimate"])
        .exits(0)
        .tells("left              20 answers\n")
        .tells("tokens in         20k (20k to 20k)\n")
        .tells("cost              $0.041 (");
    assert_eq!(folder.everything(), before);
}

#[test]
fn a_pilot_buys_rows_of_the_whole_file_which_count_and_reckons_from_them() {
    let folder = Folder::with(&questions(40));
    let service = Service::start(MockSettings::default());
    folder.asks(&service);
    folder.write(
        "dset.toml",
        "[prices.deepseek-flash]\ninput = 1\noutput = 10\n\n[[export]]\nto = \"a.jsonl\"\n",
    );
    let pilot = folder.dset(&["estimate", "--pilot", "10", "--json"]).exits(0);
    let processed = pilot.err.lines().filter(|line| line.contains("processed question "));
    assert_eq!(processed.filter(|line| !line.contains("/10 ")).count(), 10, "{}", pilot.err);
    let told = pilot.json();
    assert_eq!((&told["left"], &told["answers"]), (&json!(30), &json!(10)));
    assert!(told["cost"]["expected"].as_str().unwrap().parse::<f64>().unwrap() > 0.0);
    let rows: Vec<i64> = (0..40)
        .filter(|row| {
            folder.count(&format!("SELECT count(*) FROM answers WHERE row = {}", row + 2)) > 0
        })
        .collect();
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().any(|row| *row >= 20), "evenly from the whole: {rows:?}");
    assert!(!folder.path("a.jsonl").exists(), "the run has not gone to its end");
    folder.dset(&["estimate", "--samples", "3"]).exits(2).says("takes no `--samples`");
    let settings = folder.read("dset.toml");
    folder.write("dset.toml", format!("samples = 3\n{settings}"));
    let changed = "`samples` (dset.toml:1) is not what the last run asked with";
    folder.dset(&["estimate"]).exits(2).says(changed);
    folder.write("dset.toml", format!("samples = 1\n{settings}"));
    folder.dset(&["estimate"]).exits(0);
    folder.write("dset.toml", settings);
    // The same pilot buys nothing; the run buys the rest, and says before what that will cost.
    let again = folder.dset(&["estimate", "--pilot", "10"]).exits(0);
    let again = again.says("30 of the rest, which the pilot does not ask");
    assert!(!again.err.contains("--sample"), "{}", again.err);
    folder.dset(&["estimate", "--yes"]).exits(2);
    assert_eq!(service.stats().asked, 10);
    folder.dset(&["run"]).exits(0).says("30 answers will cost about $");
    assert_eq!(service.stats().asked, 40);
    assert!(folder.path("a.jsonl").exists());
    folder.dset(&["status"]).exits(0).tells("40");
}

#[test]
fn an_estimate_says_how_far_the_balance_goes_where_the_service_tells_it() {
    let folder = Folder::with(&questions(30));
    let settings = MockSettings { expect_key: Some("sk-0123456789".into()), ..Default::default() };
    let service = Service::start(settings);
    let provider = format!("[provider.deepseek]\nbase-url = '{}'\n", service.url());
    folder.write(".config/dset/config.toml", provider);
    folder.write(".env", "DEEPSEEK_API_KEY=sk-0123456789\n");
    let set = |price: &str| {
        let set = format!("prices set deepseek-flash --input {price} --output {price}");
        folder.dset(&set.split(' ').collect::<Vec<_>>()).exits(0);
    };
    set("100000");
    let told = folder.dset(&["estimate", "--pilot", "10", "--json"]).exits(0).json();
    let paid = told["balance"]["answers"].as_u64().unwrap();
    assert_eq!(told["balance"]["amounts"]["USD"], "110.00");
    assert!((1..20).contains(&paid), "{told}");
    folder
        .dset(&["estimate"])
        .exits(0)
        .tells(&format!("$110.00, lasts for about {paid} of 20 answers"));
    set("1");
    folder.dset(&["estimate"]).exits(0).tells("$110.00, enough for all");
    assert_eq!(service.stats().asked, 10);
}

#[test]
fn a_template_with_its_document_behind_the_question_is_named() {
    let row = |at: usize| format!("And what of {at}?,{}\n", format!("{:07} ", at % 5).repeat(400));
    let folder =
        Folder::with(&format!("question,document\n{}", (0..60).map(row).collect::<String>()));
    let service = Service::start(MockSettings::default());
    folder.asks(&service);
    let template = |order: &str| {
        folder.write(
            "dset.toml",
            format!(
                "template = '{order}'\n[prices.deepseek-flash]\ninput = 1\ncached-input = 0.02\noutput = 10\n"
            ),
        );
    };
    template("{{ question }} {{ document }}");
    let says = "`document` stands behind what differs";
    folder.dset(&["doctor", "--offline"]).tells(says);
    folder.dset(&["estimate", "--pilot", "10"]).exits(0).tells(says).tells(" less");
    let told = folder.dset(&["estimate", "--json"]).exits(0).json();
    assert_eq!(
        (&told["order"]["field"], &told["order"]["share_now"]),
        (&json!("document"), &json!(0.0))
    );
    assert!(told["order"]["share_then"].as_f64().unwrap() > 0.85, "{told}");
    template("{{ document }} {{ question }}");
    let doctor = folder.dset(&["doctor", "--offline"]);
    assert!(!doctor.out.contains("stands behind"), "{}", doctor.out);
    assert_eq!(service.stats().asked, 10);
}

#[test]
fn prices_of_openrouter_are_asked_for_and_written_where_the_user_says_so() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    let body = r#"{"data":[
        {"id":"a/b","pricing":{"prompt":"0.00000027","completion":"0.0000011"}},
        {"id":"a/long","pricing":{"prompt":"0.000001","completion":"0.000002","overrides":[{"prompt":"0.000004"}]}},
        {"id":"a/dear","pricing":{"prompt":"0.000001","completion":"0.000002","request":"0.01"}}]}"#;
    let served = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for stream in listener.incoming().take(4) {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            requests.push(String::from_utf8_lossy(&request[..length]).into_owned());
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).unwrap();
        }
        requests
    });
    let folder = Folder::with("question\nWhy?\n");
    folder.write(
        "dset.toml",
        format!("model = \"openrouter/a/b\"\n\n[provider.openrouter]\nbase-url = \"{url}\"\n"),
    );
    folder.write(".env", "OPENROUTER_API_KEY=sk-or-v1-0123456789\n");
    folder.dset(&["prices", "fetch"]).exits(0).tells("input 0.27, output 1.10");
    folder
        .dset(&["prices", "fetch", "a/long"])
        .exits(0)
        .tells("input 4.00")
        .says("the dearest is written");
    folder
        .dset(&["prices", "fetch", "a/b", "a/dear"])
        .exits(2)
        .says("price of its own beside its tokens");
    folder.dset(&["prices", "fetch", "a/c"]).exits(2).says("has no price of `a/c`");
    let text = folder.read("dset.toml");
    assert!(text.contains("[prices.\"openrouter/a/b\"]\ninput = 0.27\noutput = 1.10\n"), "{text}");
    assert!(!text.contains("a/dear"));
    let shown = folder.dset(&["prices", "openrouter/a/b", "--json"]).exits(0).json();
    assert!(shown.to_string().contains("0.27"), "{shown}");
    for request in served.join().unwrap() {
        assert!(
            request.starts_with("GET /api/v1/models ") && !request.contains("sk-or"),
            "{request}"
        );
    }
    folder.write("dset.toml", "model = \"openai/gpt-6-luna\"\n");
    folder.dset(&["prices", "fetch"]).exits(2).says("no model of OpenRouter is asked here");
}

#[test]
fn a_row_is_limited_only_where_what_it_has_beside_its_question_has_a_price() {
    let row = |number: u32, beside: &str| {
        format!(
            "{{\"body\": {{\"messages\": [{{\"role\": \"user\", \"content\": \"Why {number}?\"}}]{beside}}}}}\n"
        )
    };
    let run = ["run", "q.jsonl", "-m", "openai/gpt-6-luna", "--key", "none"];
    let limit = ["--max-output-bound", "99", "--max-cost", "1"];
    let own = "[prices.gpt-6-luna]\ninput = 1\noutput = 4\n";
    for (beside, field, code) in [
        (", \"num_return_sequences\": 8", "num_return_sequences", 2),
        (", \"plugins\": [{\"id\": \"web\"}]", "plugins", 2),
        (", \"speed\": \"fast\"", "speed", 0),
    ] {
        let (folder, service) = (Folder::new(), Service::friendly());
        let provider = format!("[provider.openai]\nbase-url = '{}'\n", service.url());
        folder.write("dset.toml", format!("{provider}{own}"));
        folder.write("q.jsonl", row(1, "") + &row(2, beside));
        let ran = folder.dset(&[&run[..], &limit].concat()).exits(code);
        match code {
            0 => drop(ran.says(&format!("which `{field}` changes"))),
            _ => {
                assert_eq!(service.stats().asked, 0);
                ran.says(&format!("no limit holds with `{field}`"));
            }
        }
        // Where nothing is limited, or the row is not asked, it stands in no way.
        folder.dset(&run).exits(0);
        folder.dset(&[&run[..], &limit].concat()).exits(0);
        assert_eq!(service.stats().asked, 2, "{field}");
        let other = folder.copy();
        let ran = other.dset(&[&run[..], &["--again"]].concat()).exits(0);
        ran.says(&format!("`{field}`"));
    }
}

#[test]
fn what_has_another_price_is_limited_only_by_the_price_that_the_user_says() {
    let (folder, service) = (Folder::with("question\nWhy?\n"), Service::friendly());
    let provider = format!("[provider.openai]\nbase-url = '{}'\n", service.url());
    folder.write("dset.toml", &provider);
    let run = ["run", "-m", "openai/gpt-6-luna", "--key", "none", "--max-output-bound", "99"];
    for (param, field) in [
        ("service_tier=\"priority\"", "service_tier"),
        ("cache_control={\"type\":\"ephemeral\"}", "cache_control"),
        ("models=[\"a\",\"b\"]", "models"),
    ] {
        let limited = [&run[..], &["--max-cost", "1", "--param", param]].concat();
        folder.dset(&limited).exits(2).says(&format!("with `{field}`"));
    }
    folder.write("dset.toml", format!("{provider}[prices.gpt-6-luna]\ninput = 1\noutput = 4\n"));
    for (param, field) in [
        ("web_search_options={}", "web_search_options"),
        ("plugins=[{\"id\":\"web\"}]", "plugins"),
        ("num_return_sequences=8", "num_return_sequences"),
    ] {
        let limited = [&run[..], &["--max-cost", "1", "--param", param]].concat();
        folder.dset(&limited).exits(2).says(&format!("no limit holds with `{field}`"));
    }
    assert_eq!(service.stats().asked, 0);
    folder.write("dset.toml", format!("{provider}[prices.gpt-6-luna]\ninput = 1\noutput = 4\n"));
    let paid = ["--max-cost", "1", "--param", "service_tier=\"priority\""];
    folder.dset(&[&run[..], &paid].concat()).exits(0).says("usual price of gpt-6-luna");
}
