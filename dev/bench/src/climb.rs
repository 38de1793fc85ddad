//! How quickly a run widens: short runs, which are mostly climb, against a service that takes everything.

use std::io;

use clap::Args;

use crate::median;
use crate::world::{Service, World};

#[derive(Args)]
pub(crate) struct Climb {
    /// How often each is run; the figure is the median
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// Rows, the latency in milliseconds, and `-c` where it is given.
const SITUATIONS: [(u64, u64, Option<u32>); 4] =
    [(2_000, 200, Some(256)), (2_000, 200, None), (20_000, 200, Some(1_024)), (1_500, 5_000, None)];

pub(crate) fn run(world: &World, climb: &Climb) -> io::Result<()> {
    println!("| rows | latency | -c | s | slowest | rows/s | CPU us a row |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (rows, latency_ms, width) in SITUATIONS {
        let service = Service::start(world, latency_ms)?;
        let questions = world.questions(rows)?;
        let (mut seconds, mut cpu_us) = (Vec::new(), Vec::new());
        for _ in 0..climb.rounds {
            let used = world.run(&questions, &service.base_url, width, "climbed")?;
            world.forget("climbed")?;
            seconds.push(used.seconds);
            cpu_us.push(used.cpu_us() / rows as f64);
        }
        let slowest = seconds.iter().copied().fold(0.0, f64::max);
        let (seconds, width) =
            (median(seconds), width.map_or("-".into(), |width| width.to_string()));
        println!(
            "| {rows} | {latency_ms} ms | {width} | {seconds:.2} | {slowest:.2} | {:.0} | {:.0} |",
            rows as f64 / seconds,
            median(cpu_us)
        );
    }
    Ok(())
}
