//! The job itself on the server: what it is, its input, its limits.

use std::path::Path;
use std::sync::Arc;

use dset_core::settings::RunOptions;

use super::address::Address;
use super::connection::{Connected, Server, check_version};
use super::input::{self, Layout};
use crate::shard::JobFile;
use crate::store::server_fault::ServerFault;

/// The version of the tables that is written, and the latest that can be read.
const VERSION: i32 = 4;
/// What brings the tables from each version to the next.
const STEPS: [&str; VERSION as usize - 1] = [
    "ALTER TABLE shard ADD COLUMN IF NOT EXISTS is_again boolean NOT NULL DEFAULT false;
      CREATE TABLE IF NOT EXISTS aside (key bytea NOT NULL, try integer NOT NULL, shard integer NOT NULL,
      PRIMARY KEY (key, try))",
    "CREATE TABLE IF NOT EXISTS verdict (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      identity bytea NOT NULL, try integer NOT NULL, key bytea NOT NULL, shard integer NOT NULL, entry text NOT NULL);
      CREATE INDEX IF NOT EXISTS verdict_of_shard ON verdict (shard, key, try, number)",
    "ALTER TABLE shard ADD COLUMN IF NOT EXISTS again_after bigint;
      ALTER TABLE ended ADD COLUMN IF NOT EXISTS life bigint;
      ALTER TABLE job ADD COLUMN IF NOT EXISTS input text;
      ALTER TABLE life ADD COLUMN IF NOT EXISTS places text",
];
/// The earliest version that can be read as it is.
const READ_MIN: i32 = 3;
/// What a worker does with each table.
const RIGHTS: [(&str, &str); 13] = [
    ("job", "SELECT"),
    ("input_file", "SELECT"),
    ("input_part", "SELECT"),
    ("limits", "SELECT, UPDATE"),
    ("shard", "SELECT, UPDATE"),
    ("settings", "SELECT, INSERT"),
    ("life", "SELECT, INSERT, UPDATE"),
    ("answer", "SELECT, INSERT"),
    ("verdict", "SELECT, INSERT"),
    ("aside", "SELECT, INSERT"),
    ("paid_twice", "SELECT, INSERT"),
    ("attempt", "SELECT, INSERT"),
    ("ended", "SELECT, INSERT, UPDATE, DELETE"),
];

/// What a job is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To look at it, and to bring what it has.
    Read,
    /// To work on it.
    Write,
}

/// Encodings that have every letter, or keep bytes as they come.
const ENCODINGS: [&str; 2] = ["UTF8", "SQL_ASCII"];

/// What the server says of itself and of the job before anything is done.
struct Found {
    version: u32,
    version_words: String,
    is_copy: bool,
    encoding: String,
    /// Of the tables of a job, and of all in the schema.
    has_job: bool,
    tables: i64,
}

async fn find(to: &mut Connected, schema: &str) -> Result<Found, tokio_postgres::Error> {
    let rows = to
        .query(
            "SELECT current_setting('server_version_num'), current_setting('server_version'),
             pg_is_in_recovery(), to_regclass(quote_ident($1) || '.job') IS NOT NULL
               AND to_regclass(quote_ident($1) || '.input_part') IS NOT NULL,
             (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = $1::text AND c.relkind IN ('r', 'v', 'p')),
             current_setting('server_encoding')",
            &[&schema],
        )
        .await?;
    let row = &rows[0];
    Ok(Found {
        version: row.get::<_, String>(0).parse().unwrap_or(0),
        version_words: row.get(1),
        is_copy: row.get(2),
        has_job: row.get(3),
        tables: row.get(4),
        encoding: row.get(5),
    })
}

/// Fails where an answer may have letters that the database has not.
fn check_encoding(found: String) -> Result<(), ServerFault> {
    match ENCODINGS.contains(&&*found) {
        true => Ok(()),
        false => Err(ServerFault::Encoding { found }),
    }
}

/// Checks the server, and tells whether there is a job.
fn look(server: &mut Server, access: Access) -> Result<bool, ServerFault> {
    let schema = server.address.schema.clone();
    let found = server.part(async |to| find(to, &schema).await)?;
    check_version(found.version, &found.version_words)?;
    if found.is_copy && access == Access::Write {
        return Err(ServerFault::ReadOnly);
    }
    check_encoding(found.encoding)?;
    match (found.has_job, found.tables) {
        (true, _) => Ok(true),
        (false, 0) => Ok(false),
        (false, _) => Err(ServerFault::Foreign { schema }),
    }
}

/// Reads the job, once everything is checked that this needs.
pub(super) fn open(server: &mut Server, access: Access) -> Result<JobFile, ServerFault> {
    let name = server.address.to_string();
    if !look(server, access)? {
        return Err(ServerFault::NoJob { server: name });
    }
    let rows =
        server.part(async |to| to.query("SELECT version, made_by, file FROM job", &[]).await)?;
    let Some(row) = rows.first() else { return Err(ServerFault::NoJob { server: name }) };
    let version: i32 = row.get(0);
    if version > VERSION {
        return Err(ServerFault::Newer { made_by: row.get(1) });
    }
    let is_changed = version < if access == Access::Read { READ_MIN } else { VERSION };
    for step in STEPS.iter().skip(version.max(1) as usize - 1).filter(|_| is_changed) {
        server.part(async |to| to.run(step).await)?;
    }
    if is_changed {
        let sql = "UPDATE job SET version = $1 WHERE version < $1";
        server.part(async |to| to.query(sql, &[&VERSION]).await)?;
    }
    let schema = server.address.schema.clone();
    for (table, rights) in RIGHTS {
        let table_name = format!("\"{schema}\".{table}");
        let is_needed = |right: &&str| access == Access::Write || *right == "SELECT";
        for right in rights.split(", ").filter(is_needed) {
            let rows = server.part(async |to| {
                to.query("SELECT has_table_privilege($1, $2)", &[&table_name, &right]).await
            })?;
            if !rows[0].get::<_, bool>(0) {
                let detail = format!("{right} on {table_name} is not granted");
                return Err(ServerFault::NoRights { server: name, detail });
            }
        }
    }
    let file: String = row.get(2);
    JobFile::from_text(&file).map_err(|error| ServerFault::Damaged(error.to_string()))
}

/// Puts a job with its input on the server; one that is there already must be the same. Returns whether it
/// was.
pub(super) fn put(
    server: &mut Server,
    job: &JobFile,
    folder: &Path,
    limits: &RunOptions,
) -> Result<bool, ServerFault> {
    if look(server, Access::Write)? {
        return check_same(server, job).map(|()| true);
    }
    let layout = Layout::of(job, folder)?;
    let schema = server.address.schema.clone();
    // A schema that is there may be all that its user is allowed.
    let is_there = server.part(async |to| {
        to.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema]).await
    })?;
    let make = match is_there.is_empty() {
        true => format!("CREATE SCHEMA \"{schema}\";"),
        false => String::new(),
    };
    let version = format!("dset {}", env!("CARGO_PKG_VERSION"));
    let text = job.text();
    let number = |most: Option<u64>| most.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    let (asks, tokens) = (number(limits.minute.asks.map(u64::from)), number(limits.minute.tokens));
    let cost = limits.cost.total.map(|most| i64::try_from(most.picodollars()).unwrap_or(i64::MAX));
    let shards = job.count() as i32;
    let read = layout.read.as_str();
    let begun = server.part(async |to| {
        to.run(&format!("BEGIN; {make} {}", include_str!("schema.sql"))).await?;
        let sql = "INSERT INTO job (version, made_by, file, input) VALUES ($1, $2, $3, $4)";
        to.query(sql, &[&VERSION, &version, &text, &read]).await?;
        let sql = "INSERT INTO limits (asks_a_minute, tokens_a_minute, cost) VALUES ($1, $2, $3)";
        to.query(sql, &[&asks, &tokens, &cost]).await?;
        let sql = "INSERT INTO shard (number) SELECT generate_series(0, $1 - 1)";
        to.query(sql, &[&shards]).await.map(drop)
    });
    if let Err(fault) = begun {
        // Somebody may have put one there meanwhile.
        return match look(server, Access::Write)? {
            true => check_same(server, job).map(|()| true),
            false => Err(fault),
        };
    }
    input::put(server, &layout)?;
    server.part(async |to| to.run("COMMIT").await)?;
    Ok(false)
}

/// Fails where the job on the server is not this one.
fn check_same(server: &mut Server, job: &JobFile) -> Result<(), ServerFault> {
    match open(server, Access::Write)?.is_same(job) {
        true => Ok(()),
        false => Err(ServerFault::OtherJob { server: server.address.to_string() }),
    }
}

/// Returns where a job is, without a connection.
pub(super) fn server(address: &Arc<Address>) -> Result<Server, ServerFault> {
    Server::new(Arc::clone(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_lacks_letters_is_refused_by_its_encoding() {
        assert!(
            check_encoding("UTF8".into()).is_ok() && check_encoding("SQL_ASCII".into()).is_ok()
        );
        let error = check_encoding("LATIN1".into()).unwrap_err().to_string();
        assert!(error.contains("LATIN1"), "{error}");
    }
}
