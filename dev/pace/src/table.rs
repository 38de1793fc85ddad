//! The report: a line for each service, and the bounds that were missed.

use crate::client::Sender;
use crate::real::Played;
use crate::seen::{Observations, Second};
use crate::service::{Bound, Service};
use crate::simulate::simulate;

/// What one service showed over all seeds.
pub(crate) struct Row {
    pub(crate) line: String,
    pub(crate) missed: Vec<String>,
}

/// A run, and what an all-knowing sender did at the same service.
struct Pair {
    seed: u64,
    ours: Observations,
    oracle: Observations,
}

impl Pair {
    /// Answers in % of the oracle's.
    fn goodput(&self, from_s: u32, to_s: u32) -> f64 {
        let could = f64::from(self.oracle.answers(from_s, to_s));
        100.0 * f64::from(self.ours.answers(from_s, to_s)) / could.max(1.0)
    }

    /// The mean latency as a multiple of the oracle's.
    fn longer(&self, from_s: u32) -> f64 {
        self.ours.latency_mean_ms(from_s) / self.oracle.latency_mean_ms(from_s)
    }
}

pub(crate) const HEAD: &str = concat!(
    "                                              goodput, % of oracle   refused, % of sent          90 %   1st  latency  fair-\n",
    "service                                       whole  steady  worst       whole  steady  wasted    after  min.  ratio    ness",
);

/// Runs a service with every seed.
pub(crate) fn row(service: &Service, seeds: &[u64], slots: Option<u32>, shows: bool) -> Row {
    let pairs: Vec<Pair> = seeds.iter().map(|seed| pair(service, *seed, slots)).collect();
    if shows {
        trace(service, &pairs[0]);
    }
    Row { line: line(service, &pairs), missed: missed(service, &pairs) }
}

fn pair(service: &Service, seed: u64, slots: Option<u32>) -> Pair {
    let sender = |_| slots.map_or_else(Sender::pace, Sender::Fixed);
    let senders = service.clients_at_s.iter().map(sender).collect();
    Pair {
        seed,
        ours: simulate(service, seed, senders),
        oracle: simulate(service, seed, vec![Sender::Oracle]),
    }
}

fn mean(pairs: &[Pair], of: impl Fn(&Pair) -> f64) -> f64 {
    pairs.iter().map(of).sum::<f64>() / pairs.len() as f64
}

fn line(service: &Service, pairs: &[Pair]) -> String {
    let (end, from) = (service.seconds, service.steady_from_s);
    let steady = |pair: &Pair| pair.goodput(from, end);
    let worst = pairs.iter().map(steady).fold(f64::INFINITY, f64::min);
    // The oracle's steady rate, of which 90 % are to be reached.
    let rate = |pair: &Pair| f64::from(pair.oracle.answers(from, end)) / f64::from(end - from);
    let reaches: Vec<Option<u32>> =
        pairs.iter().map(|pair| pair.ours.reaches_at_s(0.9 * rate(pair))).collect();
    let reaches: Option<u32> = reaches.iter().copied().sum();
    let reaches = reaches.map_or("never".into(), |sum| format!("{} s", sum / pairs.len() as u32));
    let longer = mean(pairs, |pair| pair.longer(from));
    let fair = fairness(service, mean(pairs, |pair| pair.ours.fairness(from)));
    format!(
        "{:4} {:41} {:5.1}  {:6.1}  {:5.1}      {:6.2}  {:6.2}  {:6.0}   {:>6}  {:4.0}   {:6.2}    {fair}",
        service.name,
        service.about,
        mean(pairs, |pair| pair.goodput(0, end)),
        mean(pairs, steady),
        worst,
        mean(pairs, |pair| pair.ours.refused_percent(0)),
        mean(pairs, |pair| pair.ours.refused_percent(from)),
        mean(pairs, |pair| f64::from(pair.ours.wasted())),
        reaches,
        mean(pairs, |pair| pair.goodput(0, 60)),
        longer,
    )
}

/// Says how fair it was, where there is more than one client.
fn fairness(service: &Service, share: f64) -> String {
    if service.clients_at_s.len() > 1 { format!("{share:.2}") } else { String::new() }
}

/// The bounds of a service that were missed: of a scene by any seed, of the others by the mean.
fn missed(service: &Service, pairs: &[Pair]) -> Vec<String> {
    let (end, from) = (service.seconds, service.steady_from_s);
    let mut missed = Vec::new();
    for bound in &service.bounds {
        match bound {
            Bound::Steady(least) => {
                let goodput = mean(pairs, |pair| pair.goodput(from, end));
                if goodput < *least {
                    missed.push(format!("{goodput:.1} % of the oracle, wanted {least:.1}"));
                }
            }
            Bound::SteadyRefused(most) => {
                let refused = mean(pairs, |pair| pair.ours.refused_percent(from));
                if refused > *most {
                    missed.push(format!("{refused:.2} % refused, wanted at most {most:.2}"));
                }
            }
            Bound::SteadyLatency(most) => {
                // Of the median seed: one in forty never sees a queue of so few slots, and would
                // outweigh the others.
                let mut longer: Vec<f64> = pairs.iter().map(|pair| pair.longer(from)).collect();
                longer.sort_by(f64::total_cmp);
                let longer = longer[longer.len() / 2];
                if longer > *most {
                    missed.push(format!("{longer:.2} times the latency, wanted at most {most:.2}"));
                }
            }
            bound => missed.extend(pairs.iter().filter_map(|pair| {
                let (kept, found) = pair.ours.check(*bound)?;
                (!kept).then(|| format!("seed {}: {found}, wanted {bound:?}", pair.seed))
            })),
        }
    }
    missed.iter().map(|words| format!("{}: {words}", service.name)).collect()
}

/// Shows a run second by second.
fn trace(service: &Service, pair: &Pair) {
    println!("{} seed {}: {}", service.name, pair.seed, service.about);
    println!("second  slots         in flight   sent  answered  oracle  refused  failed");
    for (index, (ours, oracle)) in pair.ours.seconds.iter().zip(&pair.oracle.seconds).enumerate() {
        let slots: Vec<String> =
            ours.slots.iter().map(|slots| slots.map_or("-".into(), |s| s.to_string())).collect();
        println!(
            "{index:6}  {:12}  {:9}  {:5}  {:8}  {:6}  {:7}  {:6}",
            slots.join("+"),
            ours.in_flight,
            ours.sent,
            ours.answered,
            oracle.answered,
            ours.refused,
            ours.failed
        );
    }
}

pub(crate) const PLAYED_HEAD: &str = "scene                                       answers  refused   last 25 s  median ms  stall s  fairness  again  exit";

/// The line of a scene that was played for real, and the bounds that it missed.
pub(crate) fn played(service: &Service, played: &Played, shows: bool) -> Row {
    let Played { seen, again, exits } = played;
    let (end, from) = (service.seconds, service.steady_from_s);
    if shows {
        println!("second  in flight  answered  refused  each client");
        for (index, second) in seen.seconds.iter().enumerate() {
            let Second { in_flight, answered, refused, of_client, .. } = second;
            println!("{index:6}  {in_flight:9}  {answered:8}  {refused:7}  {of_client:?}");
        }
    }
    let line = format!(
        "{:4} {:38} {:7}  {:7}  {:8.1}/s  {:9.0}  {:7.1}  {:>8}  {again:5}  {}",
        service.name,
        service.about,
        seen.answers(0, end),
        seen.refusals(0),
        f64::from(seen.answers(from, end)) / f64::from(end - from),
        seen.latency_median_ms(from),
        seen.stall_s(),
        fairness(service, seen.fairness(from)),
        exits.join(", "),
    );
    let missed = service.bounds.iter().filter_map(|bound| {
        let (kept, found) = seen.check(*bound)?;
        (!kept).then(|| format!("{}: {found}, wanted {bound:?}", service.name))
    });
    let again = (*again > 0).then(|| format!("{}: {again} questions bought twice", service.name));
    Row { line, missed: missed.chain(again).collect() }
}
