//! Errors of the network in plain words, and what they say of the server.

use dset_core::provider::reply::TransportError;

/// How a reply that had begun broke off: a connection's error, or that of unpacking what it
/// brought.
pub(super) fn broken_by(error: &(dyn std::error::Error + 'static)) -> TransportError {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let is_cut = |error: &std::io::Error| error.kind() == std::io::ErrorKind::UnexpectedEof;
    match causes.any(|error| error.is::<hyper::Error>() || error.downcast_ref().is_some_and(is_cut))
    {
        true => TransportError::Cut(describe_error(error)),
        false => TransportError::Garbled(describe_error(error)),
    }
}

/// The message for a server that speaks no HTTP; TLS has words of its own.
pub(super) const NO_HTTP: &str = "what answers there does not speak HTTP";

/// Returns true if the server speaks no TLS, or no HTTP where none is wanted.
pub(crate) fn is_not_http(error: &(dyn std::error::Error + 'static)) -> bool {
    let is_foreign_tls = matches!(find_tls_error(error), Some(rustls::Error::InvalidMessage(_)));
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    // A head of HTTP that is wrong further on has lost its way, and is no other protocol's.
    let is_parse = |error: &hyper::Error| {
        error.is_parse() && error.to_string().starts_with("invalid HTTP version")
    };
    is_foreign_tls || causes.any(|error| error.downcast_ref().is_some_and(is_parse))
}

/// The innermost cause of a network error in plain words, without the URL.
pub(crate) fn describe_error(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(tls) = as_tls_error(cause) {
            return describe_tls_error(tls);
        }
        innermost = cause;
        next = cause.source();
    }
    let words = innermost.to_string();
    // The number of an error says nothing that its words do not.
    words.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Finds the error of TLS, if it is one.
pub(crate) fn find_tls_error<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a rustls::Error> {
    std::iter::successors(Some(error), |error| error.source()).find_map(as_tls_error)
}

/// Finds the error of TLS in the errors of I/O that it is wrapped in.
fn as_tls_error<'a>(mut cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    while let Some(error) = cause.downcast_ref::<std::io::Error>() {
        cause = error.get_ref()?;
    }
    cause.downcast_ref()
}

fn describe_tls_error(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;
    use rustls::Error::{InvalidCertificate, InvalidMessage};
    match error {
        InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            "TLS: nobody whom this machine trusts has signed the certificate".to_owned()
        }
        InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            "TLS: the certificate has expired, or the clock of this machine is wrong".to_owned()
        }
        InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => {
            "TLS: the certificate is not valid yet, or the clock of this machine is wrong"
                .to_owned()
        }
        InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "TLS: the certificate is for another host".to_owned(),
        // webpki has no variant of it in rustls.
        InvalidCertificate(Certificate::Other(other))
            if format!("{other:?}").contains("CaUsedAsEndEntity") =>
        {
            "TLS: the certificate is one for signing others (CA:TRUE), which a server may not show as its own"
                .to_owned()
        }
        InvalidMessage(_) => "TLS: what answers there does not speak it".to_owned(),
        other => format!("TLS: {other}"),
    }
}
