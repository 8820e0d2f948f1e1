//! What proves to sensors who this is, and, where that is asked for, who they are.

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A certificate with its key.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Of a chain of certificates and a private key, both as PEM. With authorities, sensors have to show a certificate that
    /// one of them signed and that names them.
    ///
    /// # Errors
    /// What is wrong with them, in a line.
    pub fn of(chain: &[u8], key: &[u8], authorities: Option<&[u8]>) -> Result<Self, String> {
        let chain = certificates(chain).map_err(|why| format!("the certificate: {why}"))?;
        if chain.first().is_some_and(is_authority) {
            return Err("the certificate is that of an authority itself (CA:TRUE), which no sensor takes for a server's: have \
                        that authority sign one with CA:FALSE for this machine's name, and give sensors the authority with \
                        sink.http.ca_file"
                .into());
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key: {error}"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let config = match authorities {
            None => config.with_no_client_auth(),
            Some(authorities) => {
                let told = |why: String| format!("the authorities of sensors: {why}");
                let mut roots = RootCertStore::empty();
                for one in certificates(authorities).map_err(told)? {
                    roots.add(one).map_err(|error| told(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                config.with_client_cert_verifier(verifier.map_err(|error| told(error.to_string()))?)
            }
        };
        let config = config.with_single_cert(chain, key);
        Ok(Self(Arc::new(config.map_err(|error| format!("certificate and key: {error}"))?)))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }
}

/// The certificate that a sensor showed, which one of the authorities signed.
pub(crate) struct Shown(CertificateDer<'static>);

impl Shown {
    /// On that connection; `None` where none was asked for.
    pub(crate) fn on(connection: &ServerConnection) -> Option<Self> {
        Some(Self(connection.peer_certificates()?.first()?.clone().into_owned()))
    }

    /// Whether it names that sensor as `DNS:` in its subjectAltName (RFC 9525, 6.3).
    pub(crate) fn is_of(&self, sensor: &str) -> bool {
        let parsed = ParsedCertificate::try_from(&self.0);
        let name = ServerName::try_from(sensor.to_owned());
        parsed.ok().zip(name.ok()).is_some_and(|(parsed, name)| verify_server_name(&parsed, &name).is_ok())
    }
}

/// Whether who checks it as a server's says that it is one that signs others (RFC 5280, 4.2.1.9): asked of the checker that
/// sensors have, with the certificate as its own authority, so that it is the first that can be wrong beside its time.
fn is_authority(certificate: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = roots
        .add(certificate.clone())
        .ok()
        .and_then(|()| WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok());
    let Some((verifier, name)) = verifier.zip(ServerName::try_from("tapwire.invalid").ok()) else {
        return false;
    };
    let checked = verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now());
    checked.is_err_and(|why| why.to_string().contains("CaUsedAsEndEntity"))
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let all = all.map_err(|error| error.to_string())?;
    if all.is_empty() { Err("no certificate in PEM is in it".into()) } else { Ok(all) }
}
