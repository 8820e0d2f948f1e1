//! How calls travel.

use super::PolicyInfo;
use crate::Severity;

pub(super) const PUBLIC_CLEAR_TEXT: PolicyInfo = PolicyInfo {
    id: "clear-text-over-public-networks",
    title: "Clear text over public networks",
    says: "answered calls that crossed public networks in clear",
    severity: Severity::High,
    on: true,
    rule: "public_clear_text and succeeded",
    references: &["API8:2023", "CWE-319", "PCI DSS 4.2.1", "HIPAA 164.312(e)(1)", "GDPR Art. 32(1)(a)"],
    fix: "Answer over TLS only; redirect page views, and refuse API calls that come in clear.",
    test: "Call the endpoint by http:// from outside: it answers 301, 308 or 403, or the port is closed.",
};

pub(super) const SENSITIVE_IN_CLEAR: PolicyInfo = PolicyInfo {
    id: "sensitive-data-in-clear",
    title: "Sensitive data in clear",
    says: "carried sensitive data in clear where the sensor listens",
    severity: Severity::Medium,
    on: false,
    rule: "clear_text and not public_clear_text and (answer_sensitive or request_sensitive)",
    references: &["API8:2023", "CWE-319", "HIPAA 164.312(e)(1)", "GDPR Art. 32(1)(a)"],
    fix: "Encrypt this hop too: TLS from the load balancer to the service, or a mesh.",
    test: "Capture the hop: no such value is readable.",
};

pub(super) const BASIC_IN_CLEAR: PolicyInfo = PolicyInfo {
    id: "passwords-in-clear",
    title: "Passwords in clear",
    says: "were called with user name and password in clear where the sensor listens",
    severity: Severity::Medium,
    on: false,
    rule: "basic_authentication and clear_text and not public_clear_text",
    references: &["API2:2023", "CWE-522", "PCI DSS 8.3.2"],
    fix: "Encrypt this hop, and use tokens that end instead of passwords.",
    test: "Call by http:// with Basic credentials: it answers 403.",
};

pub(super) const EGRESS_IN_CLEAR: PolicyInfo = PolicyInfo {
    id: "calls-out-in-clear",
    title: "Calls to other parties in clear",
    says: "were called from inside over public networks in clear",
    severity: Severity::Medium,
    on: true,
    rule: "egress and clear_text and succeeded",
    references: &["API10:2023", "CWE-319", "GDPR Art. 32(1)(a)"],
    fix: "Call the supplier by https://, and check its certificate.",
    test: "Search the configuration for http:// addresses of other parties: there is none.",
};

pub(super) const OLD_TLS: PolicyInfo = PolicyInfo {
    id: "old-tls",
    title: "TLS 1.1 or older",
    says: "spoke TLS 1.1 or older",
    severity: Severity::Medium,
    on: true,
    rule: "old_tls",
    references: &["API8:2023", "CWE-327", "PCI DSS 4.2.1"],
    fix: "Let the server offer TLS 1.2 and 1.3 only (RFC 8996).",
    test: "openssl s_client -tls1_1 -connect HOST:443 fails.",
};

pub(super) const WEAK_CIPHER: PolicyInfo = PolicyInfo {
    id: "weak-cipher-suites",
    title: "Cipher suites that no longer protect",
    says: "used a cipher suite with RC4, DES, no encryption or no authentication",
    severity: Severity::High,
    on: true,
    rule: "weak_cipher",
    references: &["API8:2023", "CWE-327", "PCI DSS 4.2.1"],
    fix: "Take these suites out of the server's list (RFC 9325, 4.2 has a list that is good).",
    test: "openssl s_client -cipher 'RC4:3DES:NULL:aNULL' -connect HOST:443 fails.",
};

pub(super) const CERTIFICATE_EXPIRED: PolicyInfo = PolicyInfo {
    id: "certificate-expired",
    title: "A certificate that has expired",
    says: "were answered with a certificate that had expired",
    severity: Severity::Medium,
    on: true,
    rule: "certificate_expired",
    references: &["API8:2023", "CWE-298", "PCI DSS 4.2.1"],
    fix: "Renew the certificate and let renewal run by itself; find out why clients accepted it.",
    test: "openssl s_client -verify_return_error -connect HOST:443 succeeds.",
};

pub(super) const CERTIFICATE_EXPIRES: PolicyInfo = PolicyInfo {
    id: "certificate-expires-soon",
    title: "A certificate that ends soon",
    says: "were answered with a certificate that ends within 14 days",
    severity: Severity::Low,
    on: false,
    rule: "certificate_expires_soon",
    references: &["API8:2023", "CWE-298"],
    fix: "Renew the certificate and let renewal run by itself.",
    test: "openssl x509 -checkend 1209600 succeeds on the served certificate.",
};

pub(super) const NO_HSTS: PolicyInfo = PolicyInfo {
    id: "no-strict-transport-security",
    title: "No Strict-Transport-Security",
    says: "answered over TLS without Strict-Transport-Security",
    severity: Severity::Low,
    on: false,
    rule: "no_hsts and succeeded",
    references: &["API8:2023", "CWE-319"],
    fix: "Send Strict-Transport-Security: max-age=31536000 with every answer over TLS (RFC 6797).",
    test: "curl -sI https://HOST shows the header.",
};
