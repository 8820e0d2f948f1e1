//! Where requests go.

use hyper::Uri;
use hyper::header::HeaderValue;

use crate::SinkError;

/// A collector's address, taken apart once.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    /// Name or address, without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Host` field: RFC 9110 section 7.2, without the scheme's default port.
    pub(crate) authority: HeaderValue,
    /// Origin form: RFC 9112 section 3.2.1.
    pub(crate) path: Uri,
    /// For people: without query, which may hold a credential.
    pub(crate) shown: String,
}

impl Target {
    /// Takes an address apart. What stands before a `+` in its scheme says what is spoken over HTTP.
    pub(crate) fn parse(destination: &str) -> Result<Self, SinkError> {
        let (spoken, destination) = match destination.split_once('+') {
            Some((spoken, rest)) if spoken.bytes().all(|b| b.is_ascii_alphabetic()) => (spoken, rest),
            _ => ("", destination),
        };
        let spoken =
            if spoken.is_empty() { String::new() } else { format!("{}+", spoken.to_ascii_lowercase()) };
        let bad = |reason: &str| SinkError::BadDestination {
            destination: format!("{spoken}{}", shown_before_parsing(destination)),
            reason: reason.into(),
        };
        let uri: Uri = destination.parse().map_err(|_| {
            bad(reason_of(destination).unwrap_or("is no URL, like http://127.0.0.1:9000/events"))
        })?;
        let authority = uri.authority().ok_or_else(|| bad("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("no credentials in the URL: give a bearer token with sink.http.token_file"));
        }
        let secure = uri.scheme_str().is_some_and(|s| s.eq_ignore_ascii_case("https"));
        let (scheme, default) = if secure { ("https", 443) } else { ("http", 80) };
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err(bad("has no host"));
        }
        let port = port(&uri, default).ok_or_else(|| bad(NO_PORT))?;
        let field = if port == default { host.to_owned() } else { format!("{host}:{port}") };
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        Ok(Self {
            secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            shown: format!("{spoken}{scheme}://{field}{}", uri.path()),
            authority: field.parse().map_err(|_| bad("has no usable host"))?,
            path: path.parse().map_err(|_| bad("has no usable path"))?,
        })
    }
}

impl Target {
    /// Takes `path` where the address has none.
    pub(super) fn default_path(&mut self, path: &'static str) -> Result<(), SinkError> {
        if self.path.path() == "/" { self.go_to(path) } else { Ok(()) }
    }

    /// Goes on below the address's path, with a query before the address's own.
    pub(super) fn below(&mut self, name: &str, query: &str) -> Result<(), SinkError> {
        let path = format!("{}/{name}", self.path.path().trim_end_matches('/'));
        match self.path.query() {
            None => self.set(&format!("{path}?{query}")),
            Some(own) => self.set(&format!("{path}?{query}&{own}")),
        }
    }

    fn go_to(&mut self, path: &str) -> Result<(), SinkError> {
        match self.path.query() {
            None => self.set(path),
            Some(query) => self.set(&format!("{path}?{query}")),
        }
    }

    /// Which place it is, for the program: with the query.
    pub(crate) fn place(&self) -> String {
        match self.path.query() {
            None => self.shown.clone(),
            Some(query) => format!("{}?{query}", self.shown),
        }
    }

    fn set(&mut self, path: &str) -> Result<(), SinkError> {
        self.path = path.parse().map_err(|_| SinkError::BadDestination {
            destination: self.shown.clone(),
            reason: "has no usable path".into(),
        })?;
        Ok(())
    }
}

/// What can be shown of text that is perhaps no URL: nothing after `?`, nothing before `@`.
pub(crate) fn shown_before_parsing(destination: &str) -> String {
    let text = destination.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{rest}").chars().filter(|c| !c.is_control()).take(200).collect()
}

pub(crate) const NO_PORT: &str = "its port is no number from 0 to 65535";

/// The port of an address; `None` where what stands there is none.
pub(crate) fn port(uri: &Uri, default: u16) -> Option<u16> {
    let authority = uri.authority()?;
    match authority.as_str().strip_prefix(authority.host()) {
        None | Some("") => Some(default),
        Some(_) => uri.port_u16(),
    }
}

/// Why text is no URL, where that can be told: a port that is no number keeps the parser from saying which part it is.
pub(crate) fn reason_of(destination: &str) -> Option<&'static str> {
    let text = destination.split(['?', '#']).next().unwrap_or_default();
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':')?;
    let is_address = host.is_empty() || (host.contains(':') && !host.ends_with(']'));
    (!is_address && !host.contains('@') && port.parse::<u16>().is_err()).then_some(NO_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let t = Target::parse("http://127.0.0.1:9000/in/events?token=x").unwrap();
        assert_eq!((t.secure, t.host.as_str(), t.port), (false, "127.0.0.1", 9000));
        assert_eq!(t.authority, "127.0.0.1:9000");
        assert_eq!(t.path, "/in/events?token=x");
        assert_eq!(t.shown, "http://127.0.0.1:9000/in/events");
        let t = Target::parse("HTTPS://[::1]").unwrap();
        assert_eq!((t.secure, t.host.as_str(), t.port), (true, "::1", 443));
        assert_eq!((t.authority.to_str().unwrap(), t.path.path()), ("[::1]", "/"));
    }

    #[test]
    fn a_bad_address_is_refused_without_its_credentials() {
        for given in
            ["http://user:hunter2@h/", "http://", "http://h:99999/?k=hunter2", "http://h:/", "http:// h/"]
        {
            let text = Target::parse(given).unwrap_err().to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
