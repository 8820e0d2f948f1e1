//! Who can reach what: authentication, the gateway, and what nobody describes.

use super::PolicyInfo;
use crate::Severity;

pub(super) const SENSITIVE_WITHOUT_AUTHENTICATION: PolicyInfo = PolicyInfo {
    id: "sensitive-data-without-authentication",
    title: "Sensitive data without authentication",
    says: "gave financial data or national ids to callers without credentials",
    severity: Severity::High,
    on: true,
    rule: "unauthenticated and unauthenticated_share >= 90 and answer_sensitive and not answer_health",
    references: &["API2:2023", "CWE-306", "PCI DSS 7.2.1", "GDPR Art. 32(1)(b)"],
    fix: "Require authentication on the route, in the framework or at the gateway, and check that the \
          caller may see this object.",
    test: "Call the endpoint without credentials: it answers 401, and its body holds none of the data.",
};

pub(super) const HEALTH_WITHOUT_AUTHENTICATION: PolicyInfo = PolicyInfo {
    id: "health-data-without-authentication",
    title: "Health data without authentication",
    says: "gave health data to callers without credentials",
    severity: Severity::High,
    on: true,
    rule: "unauthenticated and unauthenticated_share >= 90 and answer_health",
    references: &[
        "API2:2023",
        "CWE-306",
        "HIPAA 164.312(a)(1)",
        "HIPAA 164.312(d)",
        "GDPR Art. 9",
        "GDPR Art. 32(1)(b)",
    ],
    fix: "Require authentication on the route and check that the caller may see this patient's record.",
    test: "Call the endpoint without credentials: it answers 401, and its body holds no health data.",
};

/// Policies about what is seldom at first, with what is enough of an endpoint that their finding was about: more of it is worse,
/// and not over.
pub(super) const AGAIN: &[(&str, &str)] = &[(SOMETIMES_AUTHENTICATED.id, "calls >= 50 and unauthenticated")];

pub(super) const SOMETIMES_AUTHENTICATED: PolicyInfo = PolicyInfo {
    id: "sometimes-authenticated",
    title: "Authentication is sometimes missing",
    says: "answered a few calls without credentials, where nearly all others had some",
    severity: Severity::Medium,
    on: true,
    rule: "calls >= 50 and unauthenticated and unauthenticated_share <= 5",
    references: &["API2:2023", "CWE-306"],
    fix: "Find the way in that the check does not cover (another method, another host, a trailing slash, \
          a cache) and put the check in front of all of them.",
    test: "Call the endpoint without credentials in each of these ways: every one is answered with 401.",
};

pub(super) const PUBLIC_WRITE: PolicyInfo = PolicyInfo {
    id: "public-change-without-authentication",
    title: "Changes from public addresses without authentication",
    says: "let callers from public addresses change or delete without credentials",
    severity: Severity::High,
    on: true,
    rule: "public_callers and method in [PUT, PATCH, DELETE] and unauthenticated and \
           unauthenticated_share >= 90",
    references: &["API2:2023", "API5:2023", "CWE-306"],
    fix: "Require authentication and a role for methods that change something.",
    test: "Send the request without credentials: it answers 401 and nothing has changed.",
};

pub(super) const PUBLIC_ADMIN: PolicyInfo = PolicyInfo {
    id: "public-administration",
    title: "Administration is reachable from public addresses",
    says: "answered callers from public addresses under a path for administration",
    severity: Severity::Medium,
    on: true,
    rule: "public_callers and succeeded and template ~ \
           \"(?i)^/(api/)?(v[0-9.]+/)?(admin|administration|internal|backoffice|private)(/|$)\"",
    references: &["API5:2023", "CWE-284"],
    fix: "Serve these routes on an address that only one's own networks reach, and refuse them at the \
          gateway.",
    test: "Call the route from outside: the gateway answers 403 or 404.",
};

pub(super) const MANAGEMENT: PolicyInfo = PolicyInfo {
    id: "management-routes-open",
    title: "Management and debug routes are open",
    says: "answered on a route that shows or steers the server's inside, without credentials",
    severity: Severity::High,
    on: true,
    rule: "unauthenticated and template ~ \
           \"(?i)(/actuator/(env|heapdump|threaddump|configprops|loggers|mappings|beans|httptrace|shutdown|jolokia|logfile)|/debug/(pprof|vars)|/server-status|/phpinfo|/[.](git|env|svn)|/h2-console|/jolokia|/_profiler|/elmah[.]axd|/trace[.]axd)\"",
    references: &["API8:2023", "CWE-489", "CWE-200"],
    fix: "Switch the route off in production, or bind it to a management address with authentication.",
    test: "Call the route as anybody: it answers 401, 403 or 404.",
};

pub(super) const PUBLIC_MCP: PolicyInfo = PolicyInfo {
    id: "public-mcp-without-authentication",
    title: "MCP server open to public addresses",
    says: "let callers from public addresses use an MCP server without credentials",
    severity: Severity::High,
    on: true,
    rule: "public_callers and unauthenticated and protocols contains mcp",
    references: &["API2:2023", "CWE-306"],
    fix: "Require OAuth tokens as the Model Context Protocol describes for HTTP, and check their \
          audience.",
    test: "Send initialize without a token: it answers 401 with WWW-Authenticate.",
};

pub(super) const AROUND_GATEWAY: PolicyInfo = PolicyInfo {
    id: "around-gateway",
    title: "Calls come around the gateway",
    says: "answered calls from outside that came by none of the gateways",
    severity: Severity::High,
    on: true,
    rule: "around_gateway and succeeded",
    references: &["API8:2023", "CWE-923"],
    fix: "Let the service accept connections from its gateways only, by network policy or by client \
          certificates.",
    test: "Connect to the service's own address from outside: the connection is refused.",
};

pub(super) const SHADOW: PolicyInfo = PolicyInfo {
    id: "shadow-endpoints",
    title: "Endpoints that the description does not have",
    says: "answered though the service's description does not have them",
    severity: Severity::Medium,
    on: true,
    rule: "states contains shadow and succeeded",
    references: &["API9:2023", "CWE-1059", "PCI DSS 6.3.2"],
    fix: "Describe the endpoint and have it reviewed, or take it out of service.",
    test: "tapwire openapi SERVICE --diff DESCRIPTION names no undocumented endpoint.",
};

pub(super) const ZOMBIE: PolicyInfo = PolicyInfo {
    id: "zombie-endpoints",
    title: "Endpoints that were left behind still answer",
    says: "answered though they are deprecated or a later version of them is called",
    severity: Severity::Low,
    on: false,
    rule: "states contains zombie and succeeded",
    references: &["API9:2023", "CWE-1059"],
    fix: "Move the callers that are left (tapwire callers shows them), then answer 410.",
    test: "Call the old version: it answers 410 or 404.",
};

pub(super) const PERSONAL_WITHOUT_AUTHENTICATION: PolicyInfo = PolicyInfo {
    id: "personal-data-without-authentication",
    title: "Personal data without authentication",
    says: "gave data about persons to callers without credentials",
    severity: Severity::Medium,
    on: false,
    rule: "unauthenticated and unauthenticated_share >= 90 and answer_personal and not answer_sensitive",
    references: &["API2:2023", "CWE-306", "GDPR Art. 32(1)(b)"],
    fix: "Require authentication on the route, or leave out what names a person.",
    test: "Call the endpoint without credentials: it answers 401, or nothing in it names a person.",
};

pub(super) const WRITE_WITHOUT_AUTHENTICATION: PolicyInfo = PolicyInfo {
    id: "change-without-authentication",
    title: "Changes without authentication",
    says: "let callers change or delete without credentials",
    severity: Severity::Medium,
    on: false,
    rule: "method in [PUT, PATCH, DELETE] and unauthenticated and unauthenticated_share >= 90 and not \
           public_callers",
    references: &["API2:2023", "API5:2023", "CWE-306"],
    fix: "Require authentication and a role for methods that change something, inside one's own networks \
          too.",
    test: "Send the request without credentials: it answers 401 and nothing has changed.",
};

pub(super) const UNDOCUMENTED: PolicyInfo = PolicyInfo {
    id: "undocumented-sensitive-endpoints",
    title: "Sensitive data at endpoints that nothing describes",
    says: "carried sensitive data, and nothing describes them",
    severity: Severity::Low,
    on: false,
    rule: "states in [undocumented, shadow] and answer_sensitive",
    references: &["API9:2023", "CWE-1059"],
    fix: "Describe the endpoint; tapwire openapi SERVICE writes a description to begin with.",
    test: "tapwire inventory --openapi DESCRIPTION shows it as documented.",
};
