//! What an operator can set.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Certificates of the mutual TLS that keys travel in, as PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The authority that the other side's certificate has to come from. No system authority is trusted with keys.
    pub ca: PathBuf,
    /// This side's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}
