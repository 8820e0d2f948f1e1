//! Sensitive data where it does not belong.

use super::PolicyInfo;
use crate::Severity;

pub(super) const CARD_SECRET_IN_ANSWER: PolicyInfo = PolicyInfo {
    id: "card-secrets-in-answers",
    title: "CVV, PIN or track data in answers",
    says: "answered with a card's CVV, PIN or track data",
    severity: Severity::High,
    on: true,
    rule: "answer_card_secret",
    references: &["API3:2023", "CWE-312", "PCI DSS 3.3.1"],
    fix: "Drop this data once the payment is authorised, and leave it out of every answer: it may not be \
          kept at all.",
    test: "Pay, then read the payment: the answer has no CVV, PIN or track.",
};

pub(super) const CARD_IN_ANSWER: PolicyInfo = PolicyInfo {
    id: "whole-card-numbers-in-answers",
    title: "Whole card numbers in answers",
    says: "answered with whole card numbers",
    severity: Severity::Medium,
    on: true,
    rule: "answer_card and not states contains non-production",
    references: &["API3:2023", "CWE-213", "PCI DSS 3.4.1"],
    fix: "Answer with the first six and last four digits, or with the last four alone.",
    test: "Read a payment as every role: no answer holds 13 to 19 digits that pass the Luhn check.",
};

pub(super) const KEY_IN_ANSWER: PolicyInfo = PolicyInfo {
    id: "keys-in-answers",
    title: "Private keys or providers' keys in answers",
    says: "answered with a private key or the key of a provider",
    severity: Severity::High,
    on: true,
    rule: "answer_key",
    references: &["API3:2023", "CWE-522"],
    fix: "Take the key out of the answer, revoke it and make a new one: it has been told.",
    test: "Read the resource: the answer has no such field, and the old key is refused by its provider.",
};

pub(super) const PASSWORD_IN_ANSWER: PolicyInfo = PolicyInfo {
    id: "passwords-in-answers",
    title: "Passwords in answers",
    says: "answered with a password",
    severity: Severity::Medium,
    on: true,
    rule: "answer_password",
    references: &["API3:2023", "CWE-522", "PCI DSS 8.3.2"],
    fix: "Leave the field out of what is serialised; keep a password as a slow hash only.",
    test: "Read the resource: the answer has no password.",
};

pub(super) const SENSITIVE_IN_URL: PolicyInfo = PolicyInfo {
    id: "sensitive-data-in-url",
    title: "Sensitive data in URLs",
    says: "were called with financial data, national ids or health data in the URL",
    severity: Severity::Medium,
    on: true,
    rule: "url_sensitive and succeeded",
    references: &["API8:2023", "CWE-598", "GDPR Art. 32(1)(a)"],
    fix: "Send the value in the body, or name the object by an id that says nothing: URLs stand in every \
          log on the way.",
    test: "Call the endpoint with the value in the URL: it answers 400.",
};

pub(super) const PERSONAL_IN_URL: PolicyInfo = PolicyInfo {
    id: "personal-data-in-url",
    title: "Personal data in URLs",
    says: "were called with data about persons in the URL",
    severity: Severity::Low,
    on: false,
    rule: "url_personal and succeeded and not url_sensitive",
    references: &["API8:2023", "CWE-598", "GDPR Art. 25(1)"],
    fix: "Send the value in the body, or name the person by an id that says nothing.",
    test: "Call the endpoint with the value in the URL: it answers 400.",
};

pub(super) const SENSITIVE_IN_NON_PRODUCTION: PolicyInfo = PolicyInfo {
    id: "real-persons-in-non-production",
    title: "National ids or health data outside production",
    says: "answered with national ids or health data, and are not production",
    severity: Severity::Medium,
    on: true,
    rule: "states contains non-production and (answer_national_id or answer_health)",
    references: &["API9:2023", "CWE-1230", "GDPR Art. 5(1)(b)"],
    fix: "Fill test systems with made-up or masked data.",
    test: "Search the test system's answers for national ids: none passes its check digits.",
};

pub(super) const CARD_IN_NON_PRODUCTION: PolicyInfo = PolicyInfo {
    id: "card-numbers-in-non-production",
    title: "Card numbers outside production",
    says: "answered with card numbers that are none for tests, and are not production",
    severity: Severity::Medium,
    on: true,
    rule: "states contains non-production and answer_card",
    references: &["API9:2023", "PCI DSS 6.5.5"],
    fix: "Use the card numbers that payment providers publish for tests.",
    test: "Search the test system's answers for card numbers: all are on the provider's list.",
};

pub(super) const PERSONAL_IN_SHARED_CACHE: PolicyInfo = PolicyInfo {
    id: "personal-data-for-shared-caches",
    title: "Answers for one caller left to shared caches",
    says: "let shared caches keep answers with data of one caller",
    severity: Severity::Medium,
    on: true,
    rule: "shared_cache and (answer_personal or answer_sensitive)",
    references: &["API8:2023", "CWE-524", "GDPR Art. 32(1)(b)"],
    fix: "Answer with Cache-Control: private or no-store to calls with credentials.",
    test: "Call with credentials: Cache-Control has neither public nor s-maxage.",
};
