//! Mutual TLS with the operator's own certificates: no system authority is trusted with keys.

use crate::error::reason;
use crate::{KeyError, Tls};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;

/// What receives: every sender has to show a certificate of `ca`.
pub(crate) fn server(files: &Tls, names: &Names) -> Result<Arc<ServerConfig>, KeyError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(roots(files, names)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|error| KeyError::setting(names.ca, error))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| KeyError::setting(names.cert, error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&files.cert, names.cert)?, private_key(files, names)?)
        .map_err(|error| KeyError::setting(names.cert, error))?;
    Ok(Arc::new(config))
}

/// What sends, and shows its own certificate.
pub(crate) fn client(files: &Tls, names: &Names) -> Result<Arc<ClientConfig>, KeyError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| KeyError::setting(names.cert, error))?
        .with_root_certificates(roots(files, names)?)
        .with_client_auth_cert(certificates(&files.cert, names.cert)?, private_key(files, names)?)
        .map_err(|error| KeyError::setting(names.cert, error))?;
    Ok(Arc::new(config))
}

/// What the three files are called where the operator wrote them.
pub(crate) struct Names {
    pub(crate) ca: &'static str,
    pub(crate) cert: &'static str,
    pub(crate) key: &'static str,
}

/// Of a receiver's configuration.
pub(crate) const SETTINGS: Names = Names { ca: "keys.tls.ca", cert: "keys.tls.cert", key: "keys.tls.key" };
/// Of a sender's options.
pub(crate) const OPTIONS: Names = Names { ca: "--ca", cert: "--cert", key: "--key" };

fn roots(files: &Tls, names: &Names) -> Result<RootCertStore, KeyError> {
    let mut store = RootCertStore::empty();
    let (added, _unusable) = store.add_parsable_certificates(certificates(&files.ca, names.ca)?);
    if added == 0 { Err(KeyError::setting(names.ca, "holds no usable authority")) } else { Ok(store) }
}

fn certificates(path: &Path, name: &str) -> Result<Vec<CertificateDer<'static>>, KeyError> {
    given(path, name)?;
    let unusable = |error: pem::Error| KeyError::setting(name, pem_reason(path, &error));
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(unusable)?.collect();
    match found.map_err(unusable)? {
        none if none.is_empty() => {
            Err(KeyError::setting(name, format!("{}: no certificate in PEM form", path.display())))
        }
        some => Ok(some),
    }
}

fn private_key(files: &Tls, names: &Names) -> Result<PrivateKeyDer<'static>, KeyError> {
    given(&files.key, names.key)?;
    PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| KeyError::setting(names.key, pem_reason(&files.key, &error)))
}

fn given(path: &Path, name: &str) -> Result<(), KeyError> {
    if path.as_os_str().is_empty() {
        return Err(KeyError::setting(name, "is missing: keys travel over mutual TLS only; name a PEM file"));
    }
    Ok(())
}

fn pem_reason(path: &Path, error: &pem::Error) -> String {
    let cause = match error {
        pem::Error::Io(error) => reason(error),
        pem::Error::NoItemsFound => "nothing of the kind in PEM form in it".into(),
        other => other.to_string(),
    };
    format!("{}: {cause}", path.display())
}
