//! Where an API lives: hosts and base paths.

use crate::at::At;
use serde_json::Value;

/// Addresses that one server with variables stands for.
const MAX_ADDRESSES: usize = 64;

/// An address of an API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Server {
    /// Host with a port other than the scheme's own, in small letters; `*` stands for a variable without a list of values.
    /// `None` where the address is relative, so that it says nothing of hosts.
    pub host: Option<String>,
    /// What stands before every path, without a slash at its end: `/v1`, or nothing.
    pub base: String,
}

impl Server {
    /// Whether a service of that name, host and port, lives here.
    pub fn is_at(&self, authority: &str) -> bool {
        let Some(host) = self.host.as_deref() else { return false };
        let plain =
            authority.strip_suffix(":443").or_else(|| authority.strip_suffix(":80")).unwrap_or(authority);
        matches(host, plain)
    }

    /// Reads an address as `servers` has it, with each value of its variables that have a list of them. A variable
    /// without stands for anything in a host, and for its default in a path.
    pub(crate) fn read(at: &At<'_>) -> Vec<Self> {
        let url = at.text("url").unwrap_or("/");
        let Some(variables) = at.get("variables") else { return vec![Self::of_url(url)] };
        let mut urls = vec![url.to_owned()];
        for (name, variable) in variables.members() {
            let token = format!("{{{name}}}");
            let values = values(&variable);
            let host_end = host_end(url);
            let in_host = url.find(&token).is_some_and(|at| at < host_end);
            let values: Vec<&str> = match values.is_empty() {
                true if in_host => vec!["*"],
                true => vec![variable.text("default").unwrap_or_default()],
                false => values,
            };
            urls = urls
                .iter()
                .flat_map(|url| values.iter().map(|value| url.replace(&token, value)))
                .take(MAX_ADDRESSES)
                .collect();
        }
        urls.iter().map(|url| Self::of_url(url)).collect()
    }

    /// Reads an address: `https://api.example.com/v1`, `//host/base`, `/v1`.
    pub(crate) fn of_url(url: &str) -> Self {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (scheme, Some(rest)),
            None => ("", url.strip_prefix("//")),
        };
        let Some(rest) = rest else { return Self { host: None, base: base(url) } };
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        Self { host: host_of(host, scheme), base: base(path) }
    }

    /// `host` and `basePath` of version 2.0.
    pub(crate) fn of_swagger(root: &At<'_>) -> Self {
        let https = root.get("schemes").is_some_and(|all| all.items().any(|one| one.node == "https"));
        let scheme = if https { "https" } else { "http" };
        let host = root.text("host").and_then(|host| host_of(host, scheme));
        Self { host, base: base(root.text("basePath").unwrap_or_default()) }
    }
}

fn host_of(host: &str, scheme: &str) -> Option<String> {
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host).to_ascii_lowercase();
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(usual).unwrap_or(&host);
    // A variable that nobody declared.
    let mut plain = String::new();
    let mut rest = host;
    while let Some((before, behind)) = rest.split_once('{') {
        plain.push_str(before);
        plain.push('*');
        rest = behind.split_once('}').map_or("", |(_, behind)| behind);
    }
    plain.push_str(rest);
    (!plain.is_empty()).then_some(plain)
}

fn base(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.is_empty() || path == "." { String::new() } else { format!("/{path}") }
}

/// Where the host ends in an address, or 0 where it has none.
fn host_end(url: &str) -> usize {
    let Some(start) = url.find("//").map(|at| at + 2) else { return 0 };
    url.get(start..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| start + at)
}

/// The list of a variable's values.
fn values<'d>(variable: &At<'d>) -> Vec<&'d str> {
    let list = variable.node.get("enum").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether a host is one that a pattern stands for; `*` is one character and more.
fn matches(pattern: &str, host: &str) -> bool {
    let Some((first, pattern)) = pattern.split_once('*') else { return pattern == host };
    let (middle, last) = pattern.rsplit_once('*').unwrap_or(("", pattern));
    let rest = host.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    let Some(mut rest) = rest.filter(|rest| !rest.is_empty()) else { return false };
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        let Some(at) = rest.get(1..).and_then(|tail| tail.find(part)) else { return false };
        rest = rest.get(1 + at + part.len()..).unwrap_or_default();
    }
    !rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: Option<&str>, base: &str) -> Server {
        Server { host: host.map(str::to_owned), base: base.to_owned() }
    }

    #[test]
    fn addresses_are_read() {
        for (url, expected) in [
            ("https://API.Example.com/v1/", server(Some("api.example.com"), "/v1")),
            ("https://api.example.com:443", server(Some("api.example.com"), "")),
            ("http://api.example.com:8080/a/b?x#y", server(Some("api.example.com:8080"), "/a/b")),
            ("//api.example.com/v1", server(Some("api.example.com"), "/v1")),
            ("/v1", server(None, "/v1")),
            ("/", server(None, "")),
            ("https://{tenant}.example.com", server(Some("*.example.com"), "")),
        ] {
            assert_eq!(Server::of_url(url), expected, "{url}");
        }
    }

    #[test]
    fn services_are_known_by_host_and_port() {
        let plain = server(Some("api.example.com"), "");
        assert!(plain.is_at("api.example.com") && plain.is_at("api.example.com:443"));
        assert!(!plain.is_at("api.example.com:8443") && !plain.is_at("xapi.example.com"));
        let tenant = server(Some("*.example.com"), "");
        assert!(tenant.is_at("a.example.com") && !tenant.is_at(".example.com"));
        assert!(!server(None, "/v1").is_at("api.example.com"));
    }

    #[test]
    fn variables_with_a_list_stand_for_each_of_it() {
        let text = r#"{"url": "https://{region}.example.com/{version}/x", "variables": {
            "region": {"default": "eu", "enum": ["eu", "us"]}, "version": {"default": "v2"}}}"#;
        let node: Value = serde_json::from_str(text).unwrap();
        let hosts: Vec<_> =
            Server::read(&At::root(0, &node)).into_iter().map(|one| (one.host, one.base)).collect();
        let host = |region: &str| (Some(format!("{region}.example.com")), "/v2/x".to_owned());
        assert_eq!(hosts, [host("eu"), host("us")]);
    }
}
