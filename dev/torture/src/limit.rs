//! A limit of money over many kills, by the bill of a service that charges for what it began.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dset_mock::{Mock, MockSettings};
use fs_err as fs;

use crate::world::Lab;

/// Kills of one campaign, and how many of them are to hit with asks on their way.
const KILLS: u64 = 200;
const KILLS_IN_FLIGHT: u64 = 150;
/// The limit, in picodollars and as it is said; and how much of it is used at the end at least.
const LIMIT: u64 = 8_000_000_000_000;
const LIMIT_SAID: &str = "8";
const USED_PERCENT: u64 = 80;
/// Enough that the limit ends the run and not the input.
const QUESTIONS: usize = 10_000;
/// What the service bills in dollars a million tokens, and the same for dset.
const PRICES: &str = "1/10";
const PRICES_SAID: &str = "[prices.m]\ninput = 1\noutput = 10\n";
/// A life is killed as many milliseconds after its first ask at most; one of so many wherever it is then.
const LIFE_MS: u64 = 150;
const ANYWHERE_EVERY: u64 = 20;
/// The last life, which nobody kills, ends within this time.
const HANGS_AFTER: Duration = Duration::from_secs(300);

/// What came of a campaign.
#[derive(Debug, Default)]
struct Bill {
    kills: u64,
    in_flight: u64,
    most: u64,
}

/// Kills a run under a limit again and again, and lets it go on to its limit; says what is wrong.
pub(crate) fn run(lab: &Lab, seed: u64) -> io::Result<Vec<String>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = lab.base.join("limit");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let rows = (1..=QUESTIONS).map(|number| format!("\"Question {number}, what then?\"\n"));
    fs::write(folder.join("q.csv"), format!("question\n{}", rows.collect::<String>()))?;
    fs::write(folder.join("dset.toml"), PRICES_SAID)?;
    let chance = ["429=0.02", "500=0.01", "reset=0.01", "cut=0.01", "broken=0.01"];
    let settings = MockSettings {
        latency_ms: 20,
        latency_sigma: 0.5,
        // Two hundred, which is said to be the most, is some five standard deviations away.
        tokens_median: Some(80),
        tokens_sigma: 0.18,
        chance: chance.iter().map(|rule| rule.parse().expect("a chance")).collect(),
        price: Some(PRICES.parse().expect("prices")),
        seed,
        ..MockSettings::default()
    };
    let mock = lab.runtime.block_on(Mock::start(settings))?;
    let (mut bill, mut failed) = (Bill::default(), Vec::new());
    while bill.kills < KILLS && failed.is_empty() {
        let before = mock.stats().asked;
        let mut child = command(lab, &folder, &mock).stderr(Stdio::null()).spawn()?;
        let is_anywhere = random.u64(..ANYWHERE_EVERY) == 0;
        while !is_anywhere && mock.stats().asked == before && child.try_wait()?.is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(random.u64(..LIFE_MS)));
        bill.in_flight += u64::from(mock.stats().in_flight > 0);
        child.kill()?;
        child.wait()?;
        bill.kills += 1;
        bill.most = billed(&mock);
        if bill.most > LIMIT {
            failed.push(format!("{} were billed of {LIMIT} after {} kills", bill.most, bill.kills));
        }
    }
    if failed.is_empty() {
        failed.extend(end(lab, &folder, &mock, &bill)?);
    }
    Ok(failed.into_iter().map(|what| format!("a limit over kills, seed {seed}: {what}")).collect())
}

/// Runs to the limit, and looks at what is said of it.
fn end(lab: &Lab, folder: &Path, mock: &Mock, bill: &Bill) -> io::Result<Vec<String>> {
    let mut command = command(lab, folder, mock);
    command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let out = child.stdout.take().expect("it is piped");
    let last = std::thread::spawn(move || {
        use std::io::BufRead as _;
        io::BufReader::new(out).lines().map_while(Result::ok).last()
    });
    let began = std::time::Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if began.elapsed() > HANGS_AFTER => child.kill()?,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let last = last.join().ok().flatten().unwrap_or_default();
    let said: serde_json::Value = serde_json::from_str(&last).unwrap_or_default();
    let amount = |name: &str| said["budget"][name].as_str().and_then(|text| text.parse().ok());
    let said = [amount("spent"), amount("may_have_been_billed")].map(Option::unwrap_or_default);
    let [spent, unsure]: [f64; 2] = said;
    let billed = billed(mock);
    println!(
        "\n== a limit over kills: {} kills, {} with asks on their way",
        bill.kills, bill.in_flight
    );
    println!(
        "   {} billed of ${LIMIT_SAID} by the service's audit ({} when the kills ended); said: ${spent} \
         spent, ${unsure} may have been billed",
        dollars(billed),
        dollars(bill.most)
    );
    let used = (spent + unsure) * 1e12;
    let checks = [
        (
            status.code() == Some(5),
            format!("the limit ends the run with exit code 5, not {status}"),
        ),
        (billed <= LIMIT, format!("{billed} were billed of {LIMIT}")),
        (billed as f64 <= used + 1.0, format!("{billed} were billed, and {used} are said")),
        (used * 100.0 >= (LIMIT * USED_PERCENT) as f64, format!("only {used} were used")),
        (bill.in_flight >= KILLS_IN_FLIGHT, format!("{} kills hit nothing", bill.in_flight)),
    ];
    Ok(checks.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what).collect())
}

fn command(lab: &Lab, folder: &Path, mock: &Mock) -> Command {
    let mut command = Command::new(&lab.dset);
    command.args(["run", "-m", "m", "--key", "none", "--base-url", &mock.base_url(), "-c", "4"]);
    command.args(["--max-cost", LIMIT_SAID, "--max-output-bound", "200"]);
    command.current_dir(folder).env("XDG_CONFIG_HOME", folder.join(".config"));
    command.env("DSET_SHARE_PACE", "off").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// What the service bills, in picodollars.
fn billed(mock: &Mock) -> u64 {
    mock.stats().cost.0
}

fn dollars(picodollars: u64) -> String {
    format!("${:.4}", picodollars as f64 / 1e12)
}
