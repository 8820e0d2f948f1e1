//! Receivers that speak HTTP: collectors of newline-delimited JSON, Splunk HEC, Elasticsearch, webhooks.
//!
//! Delivery is at least once: a request whose answer is lost is sent again, and receivers know its events by their uid.

pub(crate) mod connection;
mod dialect;
mod elastic;
mod hec;
mod post;
pub(crate) mod target;
pub(crate) mod tls;
mod webhook;

use crate::courier::Carrier;
use crate::network::NetworkSink;
use crate::{Config, Context, Opened, Reach, Secret, SinkError, error};
use dialect::Dialect;
pub(crate) use dialect::{number_behind, text_behind};
pub(crate) use post::Post;
use target::Target;

/// A collector of newline-delimited JSON.
pub(crate) fn open_ndjson(destination: &str, context: &Context) -> Opened {
    open(destination, &dialect::NDJSON, context)
}

/// Splunk's HTTP Event Collector.
pub(crate) fn open_hec(destination: &str, context: &Context) -> Opened {
    open(destination, &hec::HEC, context)
}

/// Elasticsearch and OpenSearch.
pub(crate) fn open_elastic(destination: &str, context: &Context) -> Opened {
    open(destination, &elastic::BULK, context)
}

/// One signed request an event.
pub(crate) fn open_webhook(destination: &str, context: &Context) -> Opened {
    open(destination, &webhook::WEBHOOK, context)
}

/// One text for each address.
pub(crate) fn place(destination: &str) -> Result<String, SinkError> {
    Ok(Target::parse(destination)?.place())
}

/// Where its requests go, and nowhere else: redirects are not followed.
pub(crate) fn reach(destination: &str) -> Result<Reach, SinkError> {
    Ok(Reach::Port(Target::parse(destination)?.port))
}

fn open(destination: &str, dialect: &'static Dialect, context: &Context) -> Opened {
    let http = &context.config.http;
    let mut target = Target::parse(destination)?;
    (dialect.place)(&mut target)?;
    let token = token(&context.config)?;
    if dialect.authorization.is_none() && token.is_none() {
        return Err(SinkError::Setting {
            key: "sink.http.token_file",
            cause: format!("{} signs its requests: name a file with the secret", target.shown),
        });
    }
    let tls = if target.secure { Some(tls::client(http)?) } else { None };
    let shown = target.shown.clone();
    let place = Target::parse(destination)?.place();
    let post = Post::new(target, dialect, token, tls, http.clone())?;
    NetworkSink::open(shown, &place, dialect.most_events, Carrier::Http(Box::new(post)), context)
}

/// The token that is set for an output.
pub(crate) fn token(config: &Config) -> Result<Option<Secret>, SinkError> {
    bearer(config, std::env::var_os(&config.http.token_env))
}

/// The token, from the first of: the option, the file, the environment.
fn bearer(config: &Config, environment: Option<std::ffi::OsString>) -> Result<Option<Secret>, SinkError> {
    let http = &config.http;
    let (key, token) = match (&http.token, &http.token_file, environment) {
        (Some(token), _, _) => ("sink.http.token", token.expose().to_owned()),
        (None, Some(path), _) => ("sink.http.token_file", first_line(path)?),
        (None, None, Some(value)) => ("sink.http.token_env", value.to_string_lossy().into_owned()),
        (None, None, None) => return Ok(None),
    };
    let token = token.trim();
    let printable = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    let cause = || "is no token or password: one line of visible ASCII characters is expected".to_owned();
    printable.then(|| Some(Secret::new(token))).ok_or_else(|| SinkError::Setting { key, cause: cause() })
}

fn first_line(path: &std::path::Path) -> Result<String, SinkError> {
    let text = std::fs::read_to_string(path).map_err(|e| SinkError::Setting {
        key: "sink.http.token_file",
        cause: format!("{}: {}", path.display(), error::reason(&e)),
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_comes_from_option_file_environment_in_this_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "from-file\n").unwrap();
        let mut config = Config::default();
        let environment = || Some("from-environment".into());
        let token = |c: &Config| bearer(c, environment()).unwrap().unwrap().expose().to_owned();
        assert_eq!(token(&config), "from-environment");
        config.http.token_file = Some(path);
        assert_eq!(token(&config), "from-file");
        config.http.token = Some(Secret::new("from-option"));
        assert_eq!(token(&config), "from-option");
        assert_eq!(bearer(&Config::default(), None), Ok(None));
    }

    #[test]
    fn a_bad_token_is_refused_without_showing_it() {
        let config = Config::default();
        let error = bearer(&config, Some("se cret".into())).unwrap_err().to_string();
        assert!(error.starts_with("sink.http.token_env: is no token or password"), "{error}");
        assert!(!error.contains("se cret"));
        let mut config = Config::default();
        config.http.token = Some(Secret::new("hidden-token"));
        assert!(!format!("{config:?}").contains("hidden"));
    }
}
