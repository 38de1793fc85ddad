//! A connection to the server: made when it is needed, dropped at the first fault, and never waited for
//! without an end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;
use crate::store::server_fault::{SERVER_MIN, ServerFault};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long what is asked of the server may take, all in all.
const WORK_MAX: Duration = Duration::from_secs(15);
/// The same for what moves a whole input or all answers, for each part of it.
const PART_MAX: Duration = Duration::from_secs(120);
/// And at most what is asked by somebody who is to stop, with the connection for it.
const LAST_MAX: Duration = Duration::from_secs(5);
/// How long the end of a connection may take.
const CLOSE_MAX: Duration = Duration::from_millis(100);

/// What is asked of every connection: answers are durable when a commit returns, and a worker that is
/// stopped in the middle holds up nobody for long.
const SETUP: &str =
    "SET synchronous_commit = on; SET statement_timeout = '100s'; SET lock_timeout = '20s';
    SET idle_in_transaction_session_timeout = '10s'; SET client_min_messages = warning";

/// A server, with a connection or without one. Belongs to one thread, which is none of a runtime.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: Arc<Address>,
    runtime: Runtime,
    connected: Option<Connected>,
    /// Says when its user is to stop.
    stop: Option<watch::Receiver<bool>>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connected {
    client: Client,
    /// What moves its bytes.
    connection: JoinHandle<()>,
    statements: HashMap<String, Statement>,
}

/// Values of a statement.
pub(super) type Values<'v> = &'v [&'v (dyn ToSql + Sync)];

impl Connected {
    /// Returns the rows of a statement, which is prepared once.
    pub(super) async fn query(&mut self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, Error> {
        let statement = match self.statements.get(sql) {
            Some(statement) => statement.clone(),
            None => {
                let statement = self.client.prepare(sql).await?;
                self.statements.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        self.client.query(&statement, values).await
    }

    /// Returns the rows of a statement whose columns are others the next time.
    pub(super) async fn query_anew(&mut self, sql: &str) -> Result<Vec<Row>, Error> {
        self.client.query(sql, &[]).await
    }

    pub(super) async fn run(&mut self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await
    }

    /// Ends it, so that the server has its place for others.
    async fn close(self) {
        let Connected { client, mut connection, .. } = self;
        drop(client);
        if tokio::time::timeout(CLOSE_MAX, &mut connection).await.is_err() {
            connection.abort();
            let _ = connection.await;
        }
    }
}

impl Server {
    pub(super) fn new(address: Arc<Address>) -> Result<Server, ServerFault> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Server { address, runtime, connected: None, stop: None })
    }

    /// Does this in one transaction. After a fault it is not known whether it was done, and the next call
    /// makes a new connection.
    pub(super) fn transact<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Connected) -> Result<T, Error>,
    ) -> Result<T, ServerFault> {
        self.within(WORK_MAX, async |to| {
            to.run("BEGIN").await?;
            let done = work(to).await?;
            to.run("COMMIT").await?;
            Ok(done)
        })
    }

    /// The same for a part of something large, which need not be a transaction.
    pub(super) fn part<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Connected) -> Result<T, Error>,
    ) -> Result<T, ServerFault> {
        self.within(PART_MAX, work)
    }

    /// From when this says so, what is asked of the server just then ends without an answer, and what is asked after
    /// that has a few seconds.
    pub(super) fn stop_when(&mut self, stop: watch::Receiver<bool>) {
        self.stop = Some(stop);
    }

    fn within<T>(
        &mut self,
        most: Duration,
        work: impl AsyncFnOnce(&mut Connected) -> Result<T, Error>,
    ) -> Result<T, ServerFault> {
        let Server { address, runtime, connected, stop } = self;
        let mut taken = connected.take().filter(|known| !known.client.is_closed());
        let is_last = stop.as_ref().is_some_and(|stop| *stop.borrow());
        let until = match is_last {
            true => LAST_MAX,
            false => CONNECT_MAX + most,
        };
        let done = runtime.block_on(async {
            let working = async {
                let to = match &mut taken {
                    Some(to) => to,
                    None => taken.insert(connect(address).await?),
                };
                match tokio::time::timeout(most, work(to)).await {
                    Ok(done) => done.map_err(|error| fault(address, &error)),
                    Err(_) => Err(silent(address, most)),
                }
            };
            tokio::select! {
                done = tokio::time::timeout(until, working) => {
                    done.unwrap_or_else(|_| Err(silent(address, until)))
                }
                () = told(stop.clone().filter(|_| !is_last)) => {
                    let detail = "not waited for".to_owned();
                    Err(ServerFault::Unreachable { server: address.to_string(), detail })
                }
            }
        });
        self.connected = taken;
        if done.is_err() {
            self.disconnect();
        }
        done
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// Ends the connection: what was begun and not committed is undone.
    pub(super) fn disconnect(&mut self) {
        if let Some(connected) = self.connected.take() {
            self.runtime.block_on(connected.close());
        }
    }
}

/// Ends when this says so.
async fn told(stop: Option<watch::Receiver<bool>>) {
    if let Some(mut stop) = stop
        && stop.wait_for(|is_said| *is_said).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

fn silent(address: &Address, after: Duration) -> ServerFault {
    let detail = format!("no answer within {} seconds", after.as_secs());
    ServerFault::Unreachable { server: address.to_string(), detail }
}

async fn connect(address: &Address) -> Result<Connected, ServerFault> {
    let making = async {
        let (client, connection) =
            address.config.connect(MakeRustlsConnect::new(tls(address)?)).await.map_err(
                |error| {
                    let fault = fault(address, &error);
                    // Whatever a connection fails of, it is not there.
                    match fault {
                        ServerFault::Failed(detail) => {
                            ServerFault::Unreachable { server: address.to_string(), detail }
                        }
                        fault => fault,
                    }
                },
            )?;
        let connection = tokio::spawn(async {
            // Whoever uses it hears of its end.
            let _ = connection.await;
        });
        let setup = format!("{SETUP}; SET search_path TO \"{}\"", address.schema);
        client.batch_execute(&setup).await.map_err(|error| fault(address, &error))?;
        Ok(Connected { client, connection, statements: HashMap::new() })
    };
    match tokio::time::timeout(CONNECT_MAX, making).await {
        Ok(made) => made,
        Err(_) => Err(silent(address, CONNECT_MAX)),
    }
}

/// What this machine trusts, where the server may be a stranger.
fn tls(address: &Address) -> Result<ClientConfig, ServerFault> {
    let is_spoken = address.config.get_ssl_mode() != tokio_postgres::config::SslMode::Disable;
    crate::http::client::tls(is_spoken).map_err(|error| ServerFault::Failed(error.to_string()))
}

/// Says what went wrong; the server's own words never hold a password.
pub(super) fn fault(address: &Address, error: &Error) -> ServerFault {
    let server = address.to_string();
    let Some(said) = error.as_db_error() else {
        let mut detail = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(deeper) = source {
            detail = format!("{detail}: {deeper}");
            source = deeper.source();
        }
        return match error.is_closed() || error.code().is_none() {
            true => ServerFault::Unreachable { server, detail },
            false => ServerFault::Failed(detail),
        };
    };
    let detail = said.message().to_owned();
    match said.code() {
        &SqlState::INVALID_PASSWORD
        | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        | &SqlState::INVALID_CATALOG_NAME => ServerFault::Refused { server, detail },
        &SqlState::INSUFFICIENT_PRIVILEGE => ServerFault::NoRights { server, detail },
        &SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME => {
            ServerFault::NoJob { server }
        }
        &SqlState::READ_ONLY_SQL_TRANSACTION => ServerFault::ReadOnly,
        &SqlState::ADMIN_SHUTDOWN
        | &SqlState::CRASH_SHUTDOWN
        | &SqlState::CANNOT_CONNECT_NOW
        | &SqlState::TOO_MANY_CONNECTIONS => ServerFault::Unreachable { server, detail },
        _ => ServerFault::Failed(detail),
    }
}

/// Fails where the server is too old, by the number that it gives itself, as 150018.
pub(super) fn check_version(number: u32, words: &str) -> Result<(), ServerFault> {
    match number / 10_000 < SERVER_MIN {
        true => Err(ServerFault::TooOld { found: words.to_owned() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_stop_does_not_wait_for_a_server_that_says_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address =
            format!("postgres://me@{}/db?sslmode=disable", listener.local_addr().unwrap());
        let mut server = Server::new(Arc::new(Address::parse(&address, None).unwrap())).unwrap();
        let (say, stop) = watch::channel(false);
        server.stop_when(stop);
        let server_side = std::thread::spawn(move || {
            let came = listener.accept();
            say.send_replace(true);
            came
        });
        let began = std::time::Instant::now();
        let fault = server.part(async |_| Ok(())).unwrap_err();
        assert!(matches!(fault, ServerFault::Unreachable { .. }), "{fault}");
        assert!(began.elapsed() < CONNECT_MAX, "it was waited for");
        drop(server_side.join().unwrap());
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_by_its_version() {
        assert!(check_version(150_018, "15.18").is_ok() && check_version(130_000, "13.0").is_ok());
        let error = check_version(90_624, "9.6.24").unwrap_err().to_string();
        assert!(error.contains("9.6.24") && error.contains("13"), "{error}");
    }

    #[test]
    fn a_server_that_is_not_there_and_one_that_says_nothing_are_told_apart_from_ones_that_refuse() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let address = format!("postgres://me:canary@127.0.0.1:{port}/db?sslmode=disable");
        let address = Arc::new(Address::parse(&address, None).unwrap());
        let fault = Server::new(address).unwrap().transact(async |_| Ok(())).unwrap_err();
        assert!(matches!(fault, ServerFault::Unreachable { .. }), "{fault}");
        assert!(!format!("{fault} {fault:?}").contains("canary"));
    }
}
