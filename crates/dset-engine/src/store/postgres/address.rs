//! Where a job is: a server, a database, a schema in it.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;

use crate::store::server_fault::ServerFault;

/// The schema that a job has where none is named.
const SCHEMA: &str = "dset";
/// Words behind an address that are shown.
const SHOWN: [&str; 15] = [
    "schema",
    "sslmode",
    "sslnegotiation",
    "channel_binding",
    "target_session_attrs",
    "load_balance_hosts",
    "host",
    "hostaddr",
    "port",
    "user",
    "dbname",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
];

/// Where a job is, and the password. Shown without it.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) schema: String,
    has_password: bool,
    /// As it was given, without the password and words that may be secret.
    shown: String,
}

impl Address {
    /// Reads `postgres://USER@HOST:PORT/DATABASE?schema=NAME`, with the further words that the server's own
    /// programs know. `password` is used where the text has none.
    pub fn parse(text: &str, password: Option<&SecretString>) -> Result<Address, ServerFault> {
        let address = |detail: &str| ServerFault::Address { detail: detail.to_owned() };
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(address("it begins with postgres://"));
        }
        // A second one belongs to a password: what stands behind the first is no host, and would be shown.
        if text.matches('@').count() > 1 {
            return Err(address("there is more than one @; one in a name or a password is %40"));
        }
        let given = text;
        let (place, words) = text.split_once('?').unwrap_or((text, ""));
        let mut schema = SCHEMA.to_owned();
        let mut kept = Vec::new();
        for word in words.split('&').filter(|word| !word.is_empty()) {
            match word.strip_prefix("schema=") {
                Some(name) => name.clone_into(&mut schema),
                None => kept.push(word),
            }
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if schema.is_empty() || schema.len() > 63 || !schema.chars().all(is_name) {
            return Err(address("a schema has letters, digits, - and _"));
        }
        let text =
            if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) };
        // What the parser says may quote the text.
        let config = text.parse::<Config>();
        let mut config = config.map_err(|_| {
            address("it is like postgres://USER@HOST:PORT/DATABASE, special characters as %XX")
        })?;
        if config.get_hosts().is_empty() {
            return Err(address("it names no host"));
        }
        if config.get_dbname().is_none() {
            return Err(address("it names no database"));
        }
        let has_password = config.get_password().is_some();
        if let (false, Some(password)) = (has_password, password) {
            config.password(password.expose_secret());
        }
        config.application_name("dset");
        Ok(Address { config, schema, has_password, shown: without_password(given) })
    }

    /// Tells whether the password stood in the text.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.has_password
    }
}

/// Returns an address as it can be given again, without its password.
fn without_password(text: &str) -> String {
    let (scheme, place) = text.split_once("://").unwrap_or(("postgres", text));
    // What stands before the `@` is a name and a password, whatever is in it.
    let (user, place) = place.split_once('@').unwrap_or(("", place));
    let user = user.split(':').next().unwrap_or_default();
    let at = if user.is_empty() { "" } else { "@" };
    let (place, words) = place.split_once('?').unwrap_or((place, ""));
    let is_shown = |word: &&str| SHOWN.contains(&word.split('=').next().unwrap_or_default());
    let words: Vec<&str> = words.split('&').filter(is_shown).collect();
    let mark = if words.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{at}{place}{mark}{}", words.join("&"))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let text = "postgres://me:canary%40word@db.example:6432/jobs?schema=night&sslmode=require";
        let address = Address::parse(text, None).unwrap();
        let shown = "postgres://me@db.example:6432/jobs?schema=night&sslmode=require";
        assert_eq!(address.to_string(), shown);
        assert!(address.has_password());
        assert_eq!(address.config.get_password(), Some(&b"canary@word"[..]));
        let socket =
            Address::parse("postgres://me@%2Ftmp%2Fs/jobs", Some(&"canary".into())).unwrap();
        assert_eq!(socket.to_string(), "postgres://me@%2Ftmp%2Fs/jobs");
        let odd = "postgres://me:canary?a=1&b@db.example/jobs?password=canary&sslmode=disable";
        let odd = Address::parse(odd, None).unwrap();
        assert_eq!(odd.to_string(), "postgres://me@db.example/jobs?sslmode=disable");
        assert!(!socket.has_password() && socket.schema == "dset");
        assert_eq!(socket.config.get_password(), Some(&b"canary"[..]));
        for shown in [format!("{address:?}"), format!("{socket:?}")] {
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_quoted() {
        for text in [
            "mysql://me:canary@host/db",
            "postgres://me:canary@host",
            "postgres://me:canary@/db",
            "postgres://me:p@canary@host/db",
            "postgres://me:p@ss/canary@host:5432/db",
            "postgres://me:a/canary@b@host/db",
            "postgres://me:p#canary@x@host/db",
            "postgres://me:canary@host/db?schema=a.b",
            "postgres://me:canary@host:port/db",
            "postgres://me:canary@host/db?sslmode=canary",
            "host=canary",
        ] {
            let error = Address::parse(text, None).unwrap_err().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
