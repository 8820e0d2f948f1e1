//! Four cases of every class: what is one, what is one digit off, what only its name says, and what looks like one.

use super::tests::{every_class, looked};
use super::*;

/// A class, with a value that is one character off, and another thing that looks like one, under the name that it has in APIs.
/// What is one is the example of the registry.
type Case = (&'static str, &'static str, (&'static str, &'static str));

/// Every class that what we know about APIs asks for, and every other that there is.
const CASES: &[Case] = &[
    ("card", "4539578763621487", ("orderNumber", "4539578763621486")),
    ("cvv", "73", ("extension", "737")),
    ("card-pin", "482", ("year", "4821")),
    ("card-track", ";4539578763621487=29121010000012345?", ("track", "Ode to Joy; second=part?")),
    ("iban", "DE88370400440532013000", ("sku", "GB12ABCD34567890123456")),
    ("bic", "DEUTDEFF50", ("city", "DEUTSCHLAND")),
    ("us-aba", "121000357", ("orderId", "121000358")),
    ("us-ssn", "000-22-8471", ("ticket", "536-22-8471")),
    ("us-itin", "911-49-1234", ("ticket", "911-70-1234")),
    ("us-ein", "12-345678", ("range", "12-3456789")),
    ("uk-nhs", "943 476 5917", ("shipmentId", "9434765919")),
    ("uk-nino", "AB 12 34 56 E", ("flight", "AB123456C")),
    ("us-npi", "1245319597", ("timestamp", "1245319599")),
    ("us-dea", "BJ6125343", ("part", "BJ6125341")),
    ("us-mbi", "0EG4-TE5-MK73", ("sku", "1BG4-TE5-MK73")),
    ("mrn", "MRN", ("model", "MRN-00482913")),
    ("icd-10", "E1.65", ("version", "E11.65")),
    ("us-ndc", "0777-3105-0", ("phone", "0777-3105-02")),
    ("fhir", "MedicationRequests", ("resourceType", "Deployment")),
    ("hl7", "MSG|^~\\&|LAB|NORTH", ("message", "MSH| is the name of the segment")),
    ("vin", "1HGCM82633A004351", ("sku", "1HGCM82633A004352")),
    ("imei", "490154203237517", ("orderId", "490154203237518")),
    ("mac-address", "00:1B:44:11:3A:B", ("fingerprint", "00:1B:44:11:3A:B7:01:02")),
    ("ip-address", "203.0.113.256", ("version", "10.2.14.3")),
    ("in-aadhaar", "2341 2341 2347", ("orderId", "234123412346")),
    ("in-pan", "ABCPK123F", ("sku", "ABCPK1234F")),
    ("in-gstin", "27AAPFU0939F1ZX", ("batch", "27AAPFU0939F1AV")),
    ("ca-sin", "130 692 543", ("trackingId", "130692544")),
    ("au-tfn", "876 543 212", ("orderId", "876543210")),
    ("au-abn", "51 824 753 557", ("orderId", "51824753556")),
    ("au-medicare", "2123 45672 1", ("orderId", "2123456701")),
    ("br-cpf", "529.982.247-24", ("orderId", "52998224725")),
    ("br-cnpj", "11.222.333/0001-80", ("orderId", "11222333000181")),
    ("es-nif", "12345678Y", ("seat", "12345678Z")),
    ("it-codice-fiscale", "RSSMRA85T10A562R", ("sku", "RSSMRA85Z10A562S")),
    ("fr-nir", "1 85 05 78 006 084 90", ("orderId", "185057800608491")),
    ("de-steuer-id", "86095742717", ("orderId", "86095742719")),
    ("nl-bsn", "111222335", ("orderId", "111222333")),
    ("pl-pesel", "44051401357", ("orderId", "44051401359")),
    ("se-personnummer", "811218-9874", ("range", "811218-9876")),
    ("fi-hetu", "131052-308S", ("sku", "131352-308T")),
    ("no-fodselsnummer", "15108695087", ("orderId", "15108695088")),
    ("dk-cpr", "071361-4285", ("ticket", "070761-4285")),
    ("za-id", "8001015009085", ("createdAt", "8001015009087")),
    ("kr-rrn", "900132-1234568", ("ticket", "900101-1234568")),
    ("tr-kimlik", "10000000145", ("orderId", "10000000146")),
    ("sg-nric", "S1234567C", ("seat", "S1234567D")),
    ("email", "jane.doe@example", ("image", "logo@2x.png")),
    ("phone", "(415) 555-", ("orderId", "4155550132")),
    ("person-name", "17", ("fileName", "Report")),
    ("birth-date", "1984-02-32", ("createdAt", "1984-02-29")),
    ("address", "74", ("title", "742 Evergreen Terrace")),
    ("geo", "92.520008, 13.404954", ("ratio", "52.520008, 13.404954")),
    ("bitcoin-address", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNc", ("hash", "1HGCM82633A0043521HGCM82633A123456")),
    (
        "ethereum-address",
        "0x52908400098527886E0F7030069857D2E4169EE70",
        ("transaction", "0x52908400098527886E0F7030069857D2E4169EE752908400098527886E0F7030"),
    ),
    ("private-key", "-----BEGIN RSA PRIVATE KE-----", ("certificate", "-----BEGIN CERTIFICATE-----")),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxNyJ9", ("cursor", "eyJpZCI6MTcsInAiOjF9.eyJwIjoxfQ.c2ln")),
    ("basic-credentials", "Basic amFuZQ", ("plan", "Basic subscription")),
    ("password", "*******", ("passwordChangedAt", "2024-05-31")),
    ("api-key", "q7Rz0mVt4KxW9b", ("keyword", "summer-shoes-sale-2024")),
    ("aws-access-key", "AKIAQ3ZXT7NBHJ5WLK2", PLACEHOLDER),
    ("github-token", "ghp_Zq3xT7nBhJ5wLk2PmR8vYc1DsF6gQa2ffQsC", PLACEHOLDER),
    ("github-fine-grained-token", CUT, PLACEHOLDER),
    ("gitlab-token", OTHER, PLACEHOLDER),
    ("google-api-key", CUT, PLACEHOLDER),
    ("google-oauth-token", OTHER, PLACEHOLDER),
    ("slack-token", OTHER, PLACEHOLDER),
    ("stripe-key", OTHER, PLACEHOLDER),
    ("sendgrid-key", CUT, PLACEHOLDER),
    ("mailgun-key", CUT, PLACEHOLDER),
    ("twilio-key", CUT, PLACEHOLDER),
    ("pypi-token", OTHER, PLACEHOLDER),
    ("anthropic-key", OTHER, PLACEHOLDER),
    ("openai-key", OTHER, PLACEHOLDER),
    ("hugging-face-token", CUT, PLACEHOLDER),
    ("digitalocean-token", CUT, PLACEHOLDER),
    ("shopify-token", CUT, PLACEHOLDER),
    ("square-token", OTHER, PLACEHOLDER),
    ("databricks-token", CUT, PLACEHOLDER),
    ("vault-token", OTHER, PLACEHOLDER),
    ("linear-key", OTHER, PLACEHOLDER),
    ("notion-token", OTHER, PLACEHOLDER),
    ("atlassian-token", OTHER, PLACEHOLDER),
    ("grafana-token", OTHER, PLACEHOLDER),
    ("new-relic-key", OTHER, PLACEHOLDER),
    ("sentry-token", OTHER, PLACEHOLDER),
    ("doppler-token", OTHER, PLACEHOLDER),
    ("postman-key", CUT, PLACEHOLDER),
    ("dropbox-token", OTHER, PLACEHOLDER),
    ("docker-token", OTHER, PLACEHOLDER),
    ("rubygems-key", CUT, PLACEHOLDER),
    ("supabase-key", CUT, PLACEHOLDER),
    ("planetscale-token", OTHER, PLACEHOLDER),
    ("figma-token", OTHER, PLACEHOLDER),
    ("age-key", CUT, PLACEHOLDER),
    ("alibaba-access-key", OTHER, PLACEHOLDER),
    ("razorpay-key", CUT, PLACEHOLDER),
    ("netlify-token", OTHER, PLACEHOLDER),
    ("fly-token", CUT, PLACEHOLDER),
    ("heroku-key", OTHER, PLACEHOLDER),
    ("pulumi-token", CUT, PLACEHOLDER),
    ("slack-webhook", OTHER, PLACEHOLDER),
    ("discord-webhook", OTHER, PLACEHOLDER),
    ("azure-storage-key", OTHER, PLACEHOLDER),
    ("npm-token", "npm_b7Qw2Er9Ty4Ui1Op6As3Df8Gh5JkLz4B4gNB", PLACEHOLDER),
    ("telegram-token", "7203948571:AAHq7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aP", PLACEHOLDER),
];

/// The example without its last character: of keys that have one length.
const CUT: &str = "cut";
/// The example with another first character: of keys that have several lengths.
const OTHER: &str = "other";
/// The example as documents print it, with `x` for what is secret.
const PLACEHOLDER: (&str, &str) = ("value", "placeholder");

fn one_off(class: &DataClass, off: &str) -> String {
    let (_, value) = class.example;
    match off {
        CUT => value[..value.len() - 1].to_owned(),
        OTHER => format!("{}{}", if value.starts_with('q') { 'k' } else { 'q' }, &value[1..]),
        other => other.to_owned(),
    }
}

fn look_alike(class: &DataClass, alike: (&'static str, &str)) -> (&'static str, String) {
    let (_, value) = class.example;
    let secret = value.len().saturating_sub(12);
    match alike {
        PLACEHOLDER => ("value", format!("{}{}", &value[..secret], "x".repeat(12))),
        (name, other) => (name, other.to_owned()),
    }
}

#[test]
fn every_class_has_its_four_cases() {
    let classes = every_class();
    let mut wrong = Vec::new();
    for class in DATA_CLASSES {
        let rows: Vec<&Case> = CASES.iter().filter(|(name, ..)| *name == class.name).collect();
        let [(name, off, alike)] = rows[..] else {
            wrong.push(format!("{}: {} rows in the table of cases, one is needed", class.name, rows.len()));
            continue;
        };
        let mut ask = |case: &str, key: &str, value: &str, expected: bool| {
            if looked(&classes, key, value).iter().any(|found| found == name) != expected {
                wrong.push(format!("{name}: {case}, '{value}' under '{key}'"));
            }
        };
        let (key, value) = class.example;
        for key in [key.to_owned(), format!("data.{key}")] {
            ask("what is one", &key, value, true);
        }
        let off = one_off(class, off);
        assert_ne!(off, value, "{name}");
        let named = [key, "x"].into_iter().chain(class.keys.iter().copied());
        named.for_each(|key| ask("one character off", key, &off, false));
        // The name alone, and the value alone where it needs one.
        class.keys.iter().for_each(|key| ask("a name alone", key, "n/a", false));
        // Grouped as nothing else is, some count under any name; bare they do not.
        let is_certain = class.strength == Strength::Certain;
        let bare = value.replace([' ', '.', '-', '/'], "");
        ask("without a name", "x", if is_certain { value } else { &bare }, is_certain);
        let (key, value) = look_alike(class, *alike);
        ask("what looks like one", key, &value, false);
    }
    let unknown = CASES.iter().filter(|(name, ..)| ClassId::of(name).is_none());
    wrong.extend(unknown.map(|(name, ..)| format!("{name}: no class")));
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
}
