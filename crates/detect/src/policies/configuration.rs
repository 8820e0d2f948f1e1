//! Tokens, cookies, browsers, and what answers give away.

use super::PolicyInfo;
use crate::Severity;

pub(super) const JWT_UNSIGNED: PolicyInfo = PolicyInfo {
    id: "unsigned-tokens-accepted",
    title: "Unsigned tokens are accepted",
    says: "accepted a JSON Web Token that nothing signs",
    severity: Severity::High,
    on: true,
    rule: "jwt_unsigned",
    references: &["API2:2023", "CWE-347"],
    fix: "Give the library the algorithm that is expected, and refuse every other, none above all (RFC \
          8725, 3.1).",
    test: "Call with a token whose header says alg none: it answers 401.",
};

pub(super) const JWT_WITHOUT_EXPIRY: PolicyInfo = PolicyInfo {
    id: "tokens-without-expiry",
    title: "Tokens without an end",
    says: "accepted JSON Web Tokens without an end",
    severity: Severity::Medium,
    on: true,
    rule: "jwt_without_expiry and not jwt_unsigned",
    references: &["API2:2023", "CWE-613"],
    fix: "Issue tokens with exp, minutes away, and refuse those without.",
    test: "Call with a token without exp: it answers 401.",
};

pub(super) const JWT_LONG_LIVED: PolicyInfo = PolicyInfo {
    id: "long-lived-tokens",
    title: "Tokens that live for more than a day",
    says: "accepted JSON Web Tokens that live for more than a day",
    severity: Severity::Low,
    on: false,
    rule: "jwt_long_lived",
    references: &["API2:2023", "CWE-613"],
    fix: "Issue access tokens for minutes, and refresh them.",
    test: "Log in: exp less iat of the token is at most an hour.",
};

pub(super) const COOKIE_WITHOUT_SECURE: PolicyInfo = PolicyInfo {
    id: "session-cookies-without-secure",
    title: "Session cookies without Secure",
    says: "set a session cookie over TLS without Secure",
    severity: Severity::Medium,
    on: true,
    rule: "cookie_without_secure",
    references: &["API8:2023", "CWE-614"],
    fix: "Set Secure on the cookie, better still name it __Host-….",
    test: "Log in: Set-Cookie has Secure.",
};

pub(super) const COOKIE_WITHOUT_HTTPONLY: PolicyInfo = PolicyInfo {
    id: "session-cookies-without-httponly",
    title: "Session cookies that scripts can read",
    says: "set a session cookie without HttpOnly",
    severity: Severity::Low,
    on: true,
    rule: "cookie_without_httponly",
    references: &["API8:2023", "CWE-1004"],
    fix: "Set HttpOnly on the cookie.",
    test: "Log in: Set-Cookie has HttpOnly.",
};

pub(super) const COOKIE_WITHOUT_SAMESITE: PolicyInfo = PolicyInfo {
    id: "session-cookies-without-samesite",
    title: "Session cookies without SameSite",
    says: "set a session cookie without SameSite",
    severity: Severity::Low,
    on: false,
    rule: "cookie_without_samesite",
    references: &["API8:2023", "CWE-1275"],
    fix: "Set SameSite=Lax or Strict on the cookie.",
    test: "Log in: Set-Cookie has SameSite.",
};

pub(super) const CORS_NULL: PolicyInfo = PolicyInfo {
    id: "cors-null-origin",
    title: "The origin 'null' may read with credentials",
    says: "let the origin 'null' read answers with credentials",
    severity: Severity::Medium,
    on: true,
    rule: "cors_null",
    references: &["API8:2023", "CWE-942"],
    fix: "Compare the origin with a list of one's own sites; 'null' is on none: any page can have it, in \
          a sandboxed frame.",
    test: "Call with Origin: null: the answer has no Access-Control-Allow-Origin.",
};

pub(super) const CORS_ANY: PolicyInfo = PolicyInfo {
    id: "cors-any-origin",
    title: "Every origin named together with credentials",
    says: "named every origin and allowed credentials, which browsers refuse",
    severity: Severity::Low,
    on: false,
    rule: "cors_any",
    references: &["API8:2023", "CWE-942"],
    fix: "Name one origin of a list, or allow no credentials.",
    test: "Call with any origin: * and Access-Control-Allow-Credentials do not come together.",
};

pub(super) const CORS_FOREIGN: PolicyInfo = PolicyInfo {
    id: "cors-foreign-origin",
    title: "Pages of other sites may read with credentials",
    says: "let pages of another site read answers with credentials",
    severity: Severity::Low,
    on: false,
    rule: "cors_foreign",
    references: &["API8:2023", "CWE-942"],
    fix: "Compare the origin with a list, as a whole: an origin that is sent back unseen lets every page \
          in.",
    test: "Call with Origin: https://other.example: the answer has no Access-Control-Allow-Origin.",
};

pub(super) const VERBOSE_ERROR: PolicyInfo = PolicyInfo {
    id: "verbose-errors",
    title: "Errors tell of the server's inside",
    says: "answered errors with a stack trace or a database's message",
    severity: Severity::Medium,
    on: true,
    rule: "verbose_error",
    references: &["API8:2023", "CWE-209"],
    fix: "Answer errors with a code and an id (RFC 9457), and write the trace to the log under that id.",
    test: "Send what fails: the answer holds no file name, line or SQL.",
};

pub(super) const DIRECTORY_LISTING: PolicyInfo = PolicyInfo {
    id: "directory-listings",
    title: "Directories are listed",
    says: "answered with the list of a directory",
    severity: Severity::Low,
    on: true,
    rule: "directory_listing",
    references: &["API8:2023", "CWE-548"],
    fix: "Switch listings off (nginx: autoindex off; Apache: Options -Indexes).",
    test: "Call the directory: it answers 403 or 404.",
};

pub(super) const TRACE: PolicyInfo = PolicyInfo {
    id: "trace-answered",
    title: "TRACE is answered",
    says: "answered TRACE",
    severity: Severity::Low,
    on: true,
    rule: "trace",
    references: &["API8:2023", "CWE-693"],
    fix: "Refuse the method TRACE in the server.",
    test: "curl -X TRACE answers 405 or 501.",
};

pub(super) const INTROSPECTION: PolicyInfo = PolicyInfo {
    id: "graphql-introspection",
    title: "GraphQL introspection is on",
    says: "told its GraphQL schema to who asked",
    severity: Severity::Low,
    on: false,
    rule: "introspection",
    references: &["API8:2023", "CWE-200"],
    fix: "Switch introspection off in production, or let only developers use it.",
    test: "Send {__schema{types{name}}}: it answers an error.",
};

pub(super) const VERSION_SHOWN: PolicyInfo = PolicyInfo {
    id: "software-version-shown",
    title: "The server's software tells its version",
    says: "told the version of the server's software",
    severity: Severity::Informational,
    on: false,
    rule: "version_shown",
    references: &["API8:2023", "CWE-200"],
    fix: "Switch it off (nginx: server_tokens off; Apache: ServerTokens Prod; Express: disable \
          x-powered-by).",
    test: "curl -sI shows no number in Server and no X-Powered-By.",
};

pub(super) const NO_NOSNIFF: PolicyInfo = PolicyInfo {
    id: "no-nosniff",
    title: "No X-Content-Type-Options",
    says: "answered without X-Content-Type-Options: nosniff",
    severity: Severity::Informational,
    on: false,
    rule: "no_nosniff",
    references: &["API8:2023", "CWE-693"],
    fix: "Send X-Content-Type-Options: nosniff with every answer.",
    test: "curl -sI shows the header.",
};
