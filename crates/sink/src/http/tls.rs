//! TLS settings of a collector's client.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::{Http, SinkError};

const CA: &str = "sink.http.ca_file";
const CERT: &str = "sink.http.client_cert";
const KEY: &str = "sink.http.client_key";

/// The system's authorities, or those of `ca_file` only; a client certificate where one is given.
pub(crate) fn client(http: &Http) -> Result<Arc<ClientConfig>, SinkError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| setting(CA, e))?
        .with_root_certificates(roots(http.ca_file.as_deref())?);
    let config = match (&http.client_cert, &http.client_key) {
        (Some(cert), Some(key)) => {
            let pair = (certificates(CERT, cert)?, private_key(key)?);
            builder.with_client_auth_cert(pair.0, pair.1).map_err(|e| setting(CERT, e))?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => return Err(setting(KEY, "is missing beside sink.http.client_cert")),
        (None, Some(_)) => return Err(setting(CERT, "is missing beside sink.http.client_key")),
    };
    Ok(Arc::new(config))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, SinkError> {
    let mut store = RootCertStore::empty();
    let (given, hint) = match ca_file {
        Some(path) => (certificates(CA, path)?, "holds no usable authority"),
        None => (
            rustls_native_certs::load_native_certs().certs,
            "this system has no trusted authorities: install ca-certificates, or name a PEM file here",
        ),
    };
    let (added, _unusable) = store.add_parsable_certificates(given);
    if added == 0 { Err(setting(CA, hint)) } else { Ok(store) }
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    let unusable = |e: pem::Error| setting(key, format!("{}: {}", path.display(), pem_reason(&e)));
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(unusable)?.collect();
    match parsed.map_err(unusable)? {
        none if none.is_empty() => {
            Err(setting(key, format!("{}: no certificate in PEM form", path.display())))
        }
        some => Ok(some),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SinkError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|e| setting(KEY, format!("{}: {}", path.display(), pem_reason(&e))))
}

fn pem_reason(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(e) => crate::error::reason(e),
        pem::Error::NoItemsFound => "nothing of the kind in PEM form in it".into(),
        other => other.to_string(),
    }
}

fn setting(key: &'static str, cause: impl ToString) -> SinkError {
    SinkError::Setting { key, cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_files_are_named_with_their_key() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "nothing here\n").unwrap();
        let text = |http: Http| client(&http).unwrap_err().to_string();
        let missing = Http { ca_file: Some(dir.path().join("none.pem")), ..Http::default() };
        assert!(text(missing).ends_with("none.pem: no such file or directory"));
        let unusable = Http { ca_file: Some(empty.clone()), ..Http::default() };
        assert!(text(unusable).starts_with("sink.http.ca_file: "));
        let lonely = Http { client_key: Some(empty), ..Http::default() };
        assert!(text(lonely).contains("client_"));
    }
}
