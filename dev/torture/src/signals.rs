//! SIGTERM and Ctrl-C, once and twice, at random moments.

use std::io;
use std::time::Duration;

use rustix::process::Signal;

use crate::table::Outcome;
use crate::world::{Begin, Lab, Shape, World};
use crate::{check, table};

/// Lives that get a signal in one round.
const SIGNALS: u64 = 6;

const KINDS: [(&str, Signal, bool); 4] = [
    ("SIGTERM", Signal::TERM, false),
    ("SIGTERM, then SIGINT", Signal::TERM, true),
    ("SIGINT", Signal::INT, false),
    ("SIGINT twice", Signal::INT, true),
];

pub(crate) const KINDS_COUNT: usize = KINDS.len();

/// One round: a world, its signals, and its end.
pub(crate) fn round(lab: &Lab, seed: u64) -> io::Result<Outcome> {
    let (name, first, twice) = KINDS[(seed % KINDS_COUNT as u64) as usize];
    let mut random = fastrand::Rng::with_seed(seed);
    let shape = Shape {
        questions: (60, 200),
        width: (1, 24),
        latency_ms: (1, 20),
        answer_bytes: (100, 2000),
        refused_every: 9,
        faults: seed.is_multiple_of(3),
    };
    let base = lab.base.join(format!("signals-{seed}"));
    let mut world = World::new(lab, base, &mut random, shape)?;
    let mut outcome = Outcome::new(name, table::again("signals", seed));
    for _ in 0..SIGNALS {
        let mut life = world.begin(&Begin::default())?;
        life.let_live(Duration::from_millis(random.u64(0..=250)))?;
        life.signal(first);
        if twice {
            life.let_live(Duration::from_millis(random.u64(0..=30)))?;
            life.signal(Signal::INT);
        }
        let ran = world.wait(life)?;
        use std::os::unix::process::ExitStatusExt;
        match (ran.code(), ran.status.signal()) {
            // Before it listens, a signal ends the process, as it does any other.
            (None, Some(2 | 15)) if !ran.err.contains("Processing") => world.cut_lives += 1,
            (Some(130 | 143), _) => {
                outcome.kills += 1;
                let code = if first == Signal::TERM && !twice { 143 } else { 130 };
                if ran.code() != Some(code) && !twice {
                    world.fail(format!("{} and not {code}", ran.status));
                }
                world.cut_lives += u64::from(twice);
                if !twice {
                    orderly(&mut world);
                }
            }
            (Some(0 | 3 | 6), _) => break,
            _ => world.fail(format!("ended with {}", ran.status)),
        }
        if !world.violations.is_empty() {
            break;
        }
    }
    world.finish()?;
    let found = check::whole(&mut world)?;
    outcome.add(&world, found);
    Ok(outcome)
}

/// After an orderly ending every stored answer is in every output.
pub(crate) fn orderly(world: &mut World<'_>) {
    let store = rusqlite::Connection::open(world.path("dset_generator/dset.db"));
    let stored = store.and_then(|store| {
        store.query_row("SELECT count(*) FROM answers", [], |row| row.get::<_, i64>(0))
    });
    let outputs = match check::outputs(world) {
        Ok(outputs) => outputs.map(|rows| rows.len() as i64),
        Err(error) => {
            world.fail(format!("an output cannot be read: {error}"));
            return;
        }
    };
    match stored {
        Ok(stored) if outputs == [stored; 3] => {}
        Ok(stored) => world.fail(format!("{stored} answers stored, {outputs:?} rows written")),
        Err(error) => world.fail(format!("the store cannot be read: {error}")),
    }
}
