//! TLS that cannot be trusted: the key must not be sent into it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use dset_core::answer::FailureClass::{Refused, Transient};
use dset_core::answer::Refusal;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use crate::server::{KEY, LONG, SHORT, answer, ask, check, completion, endpoint, failure, ok};

/// Set where the file named by it is what the process trusts.
const TRUSTED: &str = "SSL_CERT_FILE";
/// Set in the process that trusts it.
const INSIDE: &str = "DSET_TEST_INSIDE";

/// What a client trusts is read from its environment, so the test runs itself in a process whose
/// environment names the authority that the test makes up.
#[test]
fn into_a_connection_that_cannot_be_trusted_no_key_is_sent() {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(inside());
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "tls::into_a_connection_that_cannot_be_trusted_no_key_is_sent";
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TRUSTED, folder.path().join("authority.pem"))
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let shown = format!(
        "{}\n{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(ran.status.success(), "{shown}");
    assert!(shown.contains("1 passed"), "{shown}");
}

async fn inside() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let trusted = std::env::var_os(TRUSTED).unwrap();
    std::fs::write(Path::new(&trusted), authority.pem()).unwrap();

    let signed = |name: &str, years: [i32; 2]| {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        speaking_tls(certificate.der().clone(), &key)
    };
    let unsigned = {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        speaking_tls(params.self_signed(&key).unwrap().der().clone(), &key)
    };
    let of_an_authority = {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        speaking_tls(params.self_signed(&key).unwrap().der().clone(), &key)
    };
    let now = [2020, 4000];
    // The control: where all is well the key is sent, and the answer comes.
    let Service { url, seen } = signed("127.0.0.1", now);
    assert_eq!(answer(endpoint(&url, LONG).ask(&ask("Why?"), |_| ()).await).content, "Hello");
    let seen = String::from_utf8(seen.join().unwrap()).unwrap();
    assert!(seen.contains(KEY), "{seen}");

    for (name, service, timeout, cause, words) in [
        ("signed by nobody", unsigned, LONG, "connection failed", "certificate"),
        ("an authority's", of_an_authority, LONG, "connection failed", "signing others"),
        ("for another host", signed("a.example", now), LONG, "connection failed", "another host"),
        ("expired", signed("127.0.0.1", [2000, 2001]), LONG, "connection failed", "expired"),
        (
            "not valid yet",
            signed("127.0.0.1", [3000, 3001]),
            LONG,
            "connection failed",
            "not valid yet",
        ),
        ("plain HTTP", saying(&ok(completion("x")), false), LONG, "wrong protocol", "TLS"),
        ("garbage", saying(&[0; 1_000], false), LONG, "wrong protocol", "TLS"),
        ("closed in the handshake", saying(b"", false), LONG, "connection failed", "TLS"),
        ("silent", saying(b"", true), SHORT, "timed out", "no whole reply"),
    ] {
        let failure = failure(endpoint(&service.url, timeout).ask(&ask("Why?"), |_| ()).await);
        let class = match cause {
            "wrong protocol" => Refused(Refusal::Address),
            _ => Transient,
        };
        check(name, &failure, class, cause);
        assert!(
            failure.message.to_lowercase().contains(&words.to_lowercase()),
            "{name}: {}",
            failure.message
        );
        let seen = service.seen.join().unwrap();
        let seen = String::from_utf8_lossy(&seen);
        assert!(!seen.contains(KEY) && !seen.contains("Bearer"), "{name}: {seen}");
    }
}

/// A service for one connection, and what it could read of it.
struct Service {
    url: String,
    seen: std::thread::JoinHandle<Vec<u8>>,
}

fn listening(serve: impl FnOnce(std::net::TcpStream) -> Vec<u8> + Send + 'static) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let seen = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    Service { url, seen }
}

/// Speaks TLS with this certificate, and answers.
fn speaking_tls(certificate: CertificateDer<'static>, key: &KeyPair) -> Service {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
    listening(move |mut stream| {
        let mut connection = ServerConnection::new(config).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, &mut stream);
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = tls.read(&mut piece) {
            seen.extend_from_slice(&piece[..read]);
            if seen.ends_with(b"}") {
                tls.write_all(&ok(completion("Hello"))).unwrap();
                break;
            }
        }
        seen
    })
}

/// Says this to a client that wants TLS, and then closes or waits.
fn saying(bytes: &[u8], waits: bool) -> Service {
    let bytes = bytes.to_vec();
    listening(move |mut stream| {
        let mut seen = vec![0; 4096];
        let read = stream.read(&mut seen).unwrap();
        seen.truncate(read);
        let _ = stream.write_all(&bytes);
        if waits {
            let _ = stream.read_to_end(&mut seen);
        }
        seen
    })
}
