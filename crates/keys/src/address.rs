//! How sources and targets are written.

use crate::KeyError;
use std::path::PathBuf;
use std::str::FromStr;

/// Where key log lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A file, followed as it grows.
    File(PathBuf),
    /// A named pipe that programs write to; made where there is none.
    Fifo(PathBuf),
    /// A local stream socket that programs connect to.
    Unix(PathBuf),
    /// A port that senders connect to with mutual TLS: host (empty: every address) and port.
    Tls(String, u16),
}

impl FromStr for Address {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wrong = |why| KeyError::Address { text: text.to_owned(), why };
        let path = |rest: &str, kind: fn(PathBuf) -> Self| match rest {
            "" => Err(wrong("names no path")),
            path => Ok(kind(path.into())),
        };
        if let Some(rest) = text.strip_prefix("fifo:") {
            path(rest, Self::Fifo)
        } else if let Some(rest) = text.strip_prefix("unix:") {
            path(rest, Self::Unix)
        } else if let Some(rest) = text.strip_prefix("tls://") {
            let (host, port) = host_and_port(rest).ok_or(wrong("a port is missing, as in tls://:4433"))?;
            Ok(Self::Tls(host.to_owned(), port))
        } else if text.contains("://") {
            Err(wrong("no such source; there are FILE, fifo:PATH, unix:PATH and tls://[HOST]:PORT"))
        } else {
            path(text.strip_prefix("file:").unwrap_or(text), Self::File)
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Fifo(path) => write!(f, "fifo:{}", path.display()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tls(host, port) => write!(f, "tls://{host}:{port}"),
        }
    }
}

/// Where lines are sent to: `tls://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address; the receiver's certificate has to be for it.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl FromStr for Target {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix("tls://").and_then(host_and_port).filter(|(host, _)| !host.is_empty());
        let (host, port) = rest
            .ok_or(KeyError::Address { text: text.to_owned(), why: "keys travel to tls://HOST:PORT only" })?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tls://{}:{}", self.host, self.port)
    }
}

/// The host without the brackets of an IPv6 address.
fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_and_written_alike() {
        for text in
            ["/run/keys.log", "fifo:/run/keys", "unix:/run/keys.sock", "tls://:4433", "tls://10.0.0.7:4433"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("file:a.log".parse::<Address>().unwrap(), Address::File("a.log".into()));
        assert_eq!("tls://[::1]:4433".parse::<Address>().unwrap(), Address::Tls("::1".into(), 4433));
        assert_eq!("tls://sensor:4433".parse::<Target>().unwrap().host, "sensor");
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for text in ["", "fifo:", "tls://4433", "tls://host:none", "http://x:1", "tls://:70000"] {
            let line = text.parse::<Address>().unwrap_err().to_string();
            assert!(line.starts_with(&format!("'{text}': ")) && !line.contains('\n'), "{line}");
        }
        assert!("tls://:4433".parse::<Target>().is_err() && "sensor:4433".parse::<Target>().is_err());
    }
}
