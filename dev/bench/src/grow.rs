//! Whole runs of growing size: memory, sizes on disk and time; then each once more, with nothing
//! left to ask.

use std::io;
use std::path::Path;

use clap::Args;
use fs_err as fs;

use crate::world::{Service, World};

#[derive(Args)]
pub(crate) struct Grow {
    /// Rows of a run; may be given several times
    #[arg(long, default_values_t = [10_000, 100_000, 1_000_000])]
    rows: Vec<u64>,
    /// How many at once
    #[arg(short = 'c', long, default_value_t = 256)]
    width: u32,
    /// How long an answer takes
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

pub(crate) fn run(world: &World, grow: &Grow) -> io::Result<()> {
    println!(
        "| rows | seconds | rows/s | CPU us a row | bytes written a row | peak MB | bytes of peak a row more | files | again: seconds, peak MB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut first: Option<(u64, u64)> = None;
    for &rows in &grow.rows {
        let questions = world.questions(rows)?;
        let service = Service::start(world, grow.latency_ms)?;
        let used = world.run(&questions, &service.base_url, grow.width, "grown")?;
        let sizes = sizes(&world.path("grown"))?;
        let again = world.run(&questions, &service.base_url, grow.width, "grown")?;
        drop(service);
        world.forget("grown")?;
        fs::remove_file(&questions)?;
        let (rows_before, peak_before) = *first.get_or_insert((rows, used.peak_bytes));
        let more = used.peak_bytes as f64 - peak_before as f64;
        let more = match rows - rows_before {
            0 => "-".to_owned(),
            rows => format!("{:.1}", more / rows as f64),
        };
        println!(
            "| {rows} | {:.1} | {:.0} | {:.1} | {:.0} | {:.1} | {more} | {sizes} | {:.2}, {:.1} |",
            used.seconds,
            rows as f64 / used.seconds,
            used.cpu_us() / rows as f64,
            used.written_bytes as f64 / rows as f64,
            used.peak_mb(),
            again.seconds,
            again.peak_mb(),
        );
    }
    Ok(())
}

fn sizes(folder: &Path) -> io::Result<String> {
    let mut sizes = Vec::new();
    for name in ["dset.db", "output.csv", "output.json", "output.txt"] {
        let bytes = fs::metadata(folder.join(name))?.len();
        sizes.push(format!("{name} {:.1} MB", bytes as f64 / 1e6));
    }
    Ok(sizes.join(", "))
}
