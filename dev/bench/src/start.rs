//! How long it takes from the start of the process to its first ask, as the service sees it.

use std::io::{self, Read as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;

use crate::median;
use crate::world::World;

#[derive(Args)]
pub(crate) struct Start {
    /// Rows of the input; may be given several times
    #[arg(long, default_values_t = [1_000, 1_000_000])]
    rows: Vec<u64>,
    /// How often each is started; the figure is the median
    #[arg(long, default_value_t = 9)]
    rounds: usize,
}

pub(crate) fn run(world: &World, start: &Start) -> io::Result<()> {
    println!("| rows | ms to the first ask | fastest | slowest |");
    println!("| --- | --- | --- | --- |");
    for &rows in &start.rows {
        let questions = world.questions(rows)?;
        let mut all = Vec::new();
        for _ in 0..start.rounds {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let url = format!("http://{}", listener.local_addr()?);
            let words = world.words(&questions, &url, 8, "started");
            let began = Instant::now();
            let mut child = Command::new(&words[0])
                .args(&words[1..])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            let mut byte = [0];
            listener.accept()?.0.read_exact(&mut byte)?;
            all.push(began.elapsed().as_secs_f64() * 1000.0);
            child.kill()?;
            child.wait()?;
            world.forget("started")?;
        }
        all.sort_by(f64::total_cmp);
        let (fastest, slowest) = (all[0], all[all.len() - 1]);
        println!("| {rows} | {:.1} | {fastest:.1} | {slowest:.1} |", median(all));
    }
    Ok(())
}
