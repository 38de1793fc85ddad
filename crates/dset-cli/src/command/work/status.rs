//! Where every shard of a job on a server stands.

use dset_core::plan::ledger::Ledger;
use dset_engine::shard::JobFile;
use dset_engine::store::postgres::{Address, SharedJob, SharedShard};
use serde_json::{Value, json};

use super::server::ServerArgs;
use crate::command::shared::write_out;
use crate::display::page;
use crate::display::text::{by, count, of, one_line};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;

/// Shows it; nothing is changed.
pub(crate) fn show(
    server: &ServerArgs,
    address: Address,
    is_json: bool,
) -> Result<Exit, UserError> {
    let name = address.to_string();
    let mut job = SharedJob::open_to_read(address).map_err(explain::server)?;
    let shards = job.status().map_err(explain::server)?;
    match is_json {
        true => page::json(as_json(&job.file, &shards)),
        false => {
            let questions = of(job.file.input.questions, "question");
            let head = format!("{name}: {questions} in {}\n", of(job.file.count().into(), "shard"));
            let hint = failed_hint(server, &shards).unwrap_or_default();
            write_out((head + &table(&job.file, &shards) + &hint).as_bytes());
        }
    }
    Ok(Exit::Done)
}

/// What to do about questions that failed in shards that are done.
fn failed_hint(server: &ServerArgs, shards: &[SharedShard]) -> Option<String> {
    let done = shards.iter().filter(|shard| shard.is_done);
    let failed: u64 = done.map(|shard| ledger(shard).failed()).sum();
    (failed > 0).then(|| {
        let (questions, server) = (of(failed, "question"), server.words());
        format!(
            "\nhint: {questions} failed: `dset work {server} --again-failed` asks {} again\n",
            by(failed, "it", "them")
        )
    })
}

fn word(shard: &SharedShard) -> &'static str {
    match shard {
        _ if shard.is_done && ledger(shard).failed() > 0 => "done, with failures",
        _ if shard.is_done => "done",
        _ if shard.is_leased => "running",
        _ if shard.is_again => "what failed is asked again",
        _ if shard.leases == 0 => "not begun",
        _ => "free again",
    }
}

/// Where the questions of a shard stand, as its worker last said.
fn ledger(shard: &SharedShard) -> Ledger {
    shard.ledger.unwrap_or_default()
}

fn table(job: &JobFile, shards: &[SharedShard]) -> String {
    let line = |name: &str, numbers: [u64; 4], word: &str| {
        let [all, answered, failed, left] = numbers.map(count);
        let line = format!("{name:>6} {all:>12} {answered:>12} {failed:>9} {left:>12}  {word}");
        line.trim_end().to_owned() + "\n"
    };
    let numbers = |shard: &SharedShard| {
        let said = ledger(shard);
        let all = job.shards.get(shard.number as usize).map_or(0, |part| part.questions());
        let all = if said.questions > 0 { said.questions } else { all };
        let answered = if said.questions > 0 { said.answered } else { shard.answers };
        [all, answered, said.failed(), all.saturating_sub(answered + said.failed())]
    };
    let mut sum = [0; 4];
    let mut text = " shard    questions     answered    failed         left\n".to_owned();
    for shard in shards {
        let numbers = numbers(shard);
        sum.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        let by = match (&shard.holder, shard.is_leased) {
            (Some(holder), true) => format!("{}, by {}", word(shard), one_line(holder)),
            _ => word(shard).to_owned(),
        };
        text += &line(&shard.number.to_string(), numbers, &by);
    }
    let done = shards.iter().filter(|shard| shard.is_done).count() as u64;
    let twice: u64 = shards.iter().map(|shard| shard.paid_twice).sum();
    let twice =
        if twice > 0 { format!(", {} paid twice", of(twice, "answer")) } else { String::new() };
    let last = format!("{} of {} done{twice}", count(done), of(shards.len() as u64, "shard"));
    text + &line("all", sum, &last)
}

fn as_json(job: &JobFile, shards: &[SharedShard]) -> Value {
    let one = |shard: &SharedShard| {
        json!({
            "shard": shard.number,
            "state": word(shard),
            "finished": shard.is_done,
            "holder": shard.holder.as_ref().filter(|_| shard.is_leased),
            "leases": shard.leases,
            "answers": shard.answers,
            "paid_twice": shard.paid_twice,
            "ledger": shard.ledger,
        })
    };
    json!({
        "questions": job.input.questions,
        "answers": shards.iter().map(|shard| shard.answers).sum::<u64>(),
        "paid_twice": shards.iter().map(|shard| shard.paid_twice).sum::<u64>(),
        "finished": shards.iter().all(|shard| shard.is_done),
        "shards": shards.iter().map(one).collect::<Vec<_>>(),
    })
}
