//! Keys of clouds and services that their prefix names: prefix, length, alphabet, and the checksum where there is one.

use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

/// The characters behind a prefix.
#[derive(Clone, Copy)]
enum Alphabet {
    Upper,
    Hex,
    Alphanumeric,
    Word,
    Dashed,
    Dotted,
    Base64,
    Path,
    Printed,
}

impl Alphabet {
    const fn has(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Dashed => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'='),
            Self::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/'),
            Self::Printed => byte.is_ascii_graphic(),
        }
    }
}

const fn class(
    name: &'static str,
    title: &'static str,
    first: &'static [u8],
    example: (&'static str, &'static str),
    twin: &'static str,
    check: fn(&Value<'_>) -> Option<Evidence>,
) -> DataClass {
    DataClass {
        name,
        title,
        summary: "The prefix that its provider gives it, with length and alphabet of what follows, and a checksum where there is one",
        kind: ClassKind::Secret,
        region: None,
        strength: Strength::Certain,
        sensitivity: Sensitivity::Critical,
        keys: &[],
        example,
        twin,
        gate: Gate::new(Forms::of(&[Form::Mixed, Form::Token, Form::Word]), 18, 65).first(first),
        check,
    }
}

macro_rules! keys {
    ($($id:ident: $name:literal, $title:literal, [$($prefix:literal),+], $first:literal, $alphabet:expr, $lengths:expr, $example:literal;)+) => {
        $(pub(super) const $id: DataClass = class($name, $title, $first, ("value", $example), concat!($example, "\u{7f}"), |value| {
            let known = [$($prefix),+].iter().find_map(|prefix| value.text.strip_prefix(prefix.as_bytes()));
            known.filter(|rest| $lengths.contains(&rest.len()) && is_random(rest, $alphabet)).map(|_| Evidence::Sure)
        });)+
    };
}

keys! {
    AWS: "aws-access-key", "Access key of AWS", ["AKIA", "ASIA"], b"A", Alphabet::Upper, 16..=16, "AKIAQ3ZXT7NBHJ5WLK2P";
    GITHUB_FINE: "github-fine-grained-token", "Fine-grained token of GitHub", ["github_pat_"], b"g", Alphabet::Word, 82..=82, "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";
    GITLAB: "gitlab-token", "Token of GitLab", ["glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glsoat-", "glft-"], b"g", Alphabet::Dashed, 20..=64, "glpat-q7Rz0mVt4KxW9bLs2JdN";
    GOOGLE: "google-api-key", "API key of Google", ["AIza"], b"A", Alphabet::Dashed, 35..=35, "AIzaSyDq7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe";
    GOOGLE_OAUTH: "google-oauth-token", "Token or secret of Google's OAuth", ["ya29.", "GOCSPX-"], b"Gy", Alphabet::Dashed, 24..=250, "ya29.q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi";
    SLACK: "slack-token", "Token of Slack", ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.xoxp-", "xapp-"], b"x", Alphabet::Dashed, 20..=250, "xoxb-2488510032-2499117721-q7Rz0mVt4KxW9bLs2JdN";
    STRIPE: "stripe-key", "Key of Stripe", ["sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"], b"rsw", Alphabet::Alphanumeric, 16..=250, "sk_live_q7Rz0mVt4KxW9bLs2JdN8yHc";
    SENDGRID: "sendgrid-key", "Key of SendGrid", ["SG."], b"S", Alphabet::Dotted, 66..=66, "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";
    MAILGUN: "mailgun-key", "Key of Mailgun", ["key-"], b"k", Alphabet::Hex, 32..=32, "key-9f86d081884c7d659a2feaa0c55ad015";
    TWILIO: "twilio-key", "Key of Twilio", ["SK"], b"S", Alphabet::Hex, 32..=32, "SK9f86d081884c7d659a2feaa0c55ad015";
    PYPI: "pypi-token", "Token of PyPI", ["pypi-AgEIcHlwaS5vcmc"], b"p", Alphabet::Dashed, 50..=250, "pypi-AgEIcHlwaS5vcmcq7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnEjMv7Bl9SdA4uYp";
    ANTHROPIC: "anthropic-key", "Key of Anthropic", ["sk-ant-"], b"s", Alphabet::Dashed, 32..=200, "sk-ant-api03-q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnEjMv7Bl9SdA4uYp";
    OPENAI: "openai-key", "Key of OpenAI", ["sk-proj-", "sk-svcacct-", "sk-admin-"], b"s", Alphabet::Dashed, 40..=250, "sk-proj-q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnEjMv7Bl9SdA4uYp";
    HUGGING_FACE: "hugging-face-token", "Token of Hugging Face", ["hf_", "api_org_"], b"ah", Alphabet::Alphanumeric, 34..=34, "hf_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1T";
    DIGITALOCEAN: "digitalocean-token", "Token of DigitalOcean", ["dop_v1_", "doo_v1_", "dor_v1_"], b"d", Alphabet::Hex, 64..=64, "dop_v1_9f86d081884c7d659a2feaa0c55ad0152b0b822cd15d6c15b0f00a08d1c2e3f4";
    SHOPIFY: "shopify-token", "Token of Shopify", ["shpat_", "shpca_", "shppa_", "shpss_"], b"s", Alphabet::Hex, 32..=32, "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";
    SQUARE: "square-token", "Token of Square", ["sq0atp-", "sq0csp-"], b"s", Alphabet::Dashed, 22..=43, "sq0atp-q7Rz0mVt4KxW9bLs2JdN8y";
    DATABRICKS: "databricks-token", "Token of Databricks", ["dapi"], b"d", Alphabet::Hex, 32..=32, "dapi9f86d081884c7d659a2feaa0c55ad015";
    VAULT: "vault-token", "Token of HashiCorp Vault", ["hvs.", "hvb.", "hvr."], b"h", Alphabet::Dashed, 24..=250, "hvs.q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi";
    LINEAR: "linear-key", "Key of Linear", ["lin_api_", "lin_oauth_"], b"l", Alphabet::Alphanumeric, 40..=64, "lin_api_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi";
    NOTION: "notion-token", "Token of Notion", ["ntn_"], b"n", Alphabet::Alphanumeric, 40..=60, "ntn_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnE";
    ATLASSIAN: "atlassian-token", "Token of Atlassian", ["ATATT3xFfGF0", "ATCTT3xFfGF0", "ATBB"], b"A", Alphabet::Dashed, 24..=250, "ATATT3xFfGF0q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnEjMv7Bl9SdA4uYp";
    GRAFANA: "grafana-token", "Token of Grafana", ["glsa_", "glc_"], b"g", Alphabet::Word, 32..=250, "glsa_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe_1a2b3c4d";
    NEW_RELIC: "new-relic-key", "Key of New Relic", ["NRAK-", "NRJS-"], b"N", Alphabet::Alphanumeric, 19..=40, "NRAK-Q3ZXT7NBHJ5WLK2PQ3ZXT7NBHJ5";
    SENTRY: "sentry-token", "Token of Sentry", ["sntrys_", "sntryu_"], b"s", Alphabet::Base64, 40..=250, "sntrys_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnEjMv7Bl9SdA4uYp";
    DOPPLER: "doppler-token", "Token of Doppler", ["dp.pt.", "dp.st.", "dp.ct.", "dp.sa."], b"d", Alphabet::Dotted, 40..=60, "dp.pt.q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0Qw";
    POSTMAN: "postman-key", "Key of Postman", ["PMAK-"], b"P", Alphabet::Dashed, 59..=59, "PMAK-9f86d081884c7d659a2feaa0-9f86d081884c7d659a2feaa0c55ad015a3";
    DROPBOX: "dropbox-token", "Token of Dropbox", ["sl."], b"s", Alphabet::Dashed, 100..=250, "sl.q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnEjMv7Bl9SdA4uYp2CgDhFtLx6KzWmNqVbJr8TsHc3Pfq7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0Q";
    DOCKER: "docker-token", "Token of Docker Hub", ["dckr_pat_", "dckr_oat_"], b"d", Alphabet::Dashed, 27..=40, "dckr_pat_q7Rz0mVt4KxW9bLs2JdN8yHc3Gf";
    RUBYGEMS: "rubygems-key", "Key of RubyGems", ["rubygems_"], b"r", Alphabet::Hex, 48..=48, "rubygems_9f86d081884c7d659a2feaa0c55ad0152b0b822cd15d6c15";
    SUPABASE: "supabase-key", "Key of Supabase", ["sbp_"], b"s", Alphabet::Hex, 40..=40, "sbp_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";
    PLANETSCALE: "planetscale-token", "Password or token of PlanetScale", ["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], b"p", Alphabet::Dashed, 32..=64, "pscale_tkn_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0Qw";
    FIGMA: "figma-token", "Token of Figma", ["figd_"], b"f", Alphabet::Dashed, 38..=60, "figd_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi";
    AGE: "age-key", "Secret key of age", ["AGE-SECRET-KEY-1"], b"A", Alphabet::Upper, 58..=58, "AGE-SECRET-KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE";
    ALIBABA: "alibaba-access-key", "Access key of Alibaba Cloud", ["LTAI"], b"L", Alphabet::Alphanumeric, 12..=20, "LTAIq7Rz0mVt4KxW9bLs2JdN";
    RAZORPAY: "razorpay-key", "Key of Razorpay", ["rzp_live_", "rzp_test_"], b"r", Alphabet::Alphanumeric, 14..=14, "rzp_live_q7Rz0mVt4KxW9b";
    NETLIFY: "netlify-token", "Token of Netlify", ["nfp_"], b"n", Alphabet::Alphanumeric, 36..=40, "nfp_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZ";
    FLY: "fly-token", "Token of Fly.io", ["fo1_"], b"f", Alphabet::Dashed, 43..=43, "fo1_q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0Qw";
    HEROKU: "heroku-key", "Key of Heroku", ["HRKU-"], b"H", Alphabet::Dashed, 36..=64, "HRKU-8f14e45f-ceea-467a-9a36-dedd4bea2543";
    PULUMI: "pulumi-token", "Token of Pulumi", ["pul-"], b"p", Alphabet::Hex, 40..=40, "pul-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";
    SLACK_HOOK: "slack-webhook", "Webhook of Slack", ["https://hooks.slack.com/services/T"], b"h", Alphabet::Path, 30..=60, "https://hooks.slack.com/services/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";
    DISCORD_HOOK: "discord-webhook", "Webhook of Discord", ["https://discord.com/api/webhooks/", "https://discordapp.com/api/webhooks/"], b"h", Alphabet::Path, 60..=120, "https://discord.com/api/webhooks/112233445566778899/q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnEjMv7Bl9SdA4uYp2CgDhFtL";
    AZURE: "azure-storage-key", "Connection string of Azure Storage", ["DefaultEndpointsProtocol="], b"D", Alphabet::Printed, 40..=250, "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=q7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe1ToZk5Xi0QwRnEjMv7Bl9SdA4uYp==";
}

pub(super) const GITHUB: DataClass = class(
    "github-token",
    "Token of GitHub",
    b"g",
    ("value", "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"),
    "ghp_Zq3xT7nBhJ5wLk2PmR8vYc1DsF6gQa2ffQsa",
    |value| checksummed(value.text, &[b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"]),
);

pub(super) const NPM: DataClass = class(
    "npm-token",
    "Token of npm",
    b"n",
    ("value", "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"),
    "npm_b7Qw2Er9Ty4Ui1Op6As3Df8Gh5JkLz4B4gNa",
    |value| checksummed(value.text, &[b"npm_"]),
);

pub(super) const TELEGRAM: DataClass = class(
    "telegram-token",
    "Token of a Telegram bot",
    b"123456789",
    ("value", "7203948571:AAHq7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe"),
    "7203948571:ABHq7Rz0mVt4KxW9bLs2JdN8yHc3GfU6aPe",
    |value| is_telegram(value.text).then_some(Evidence::Sure),
);

/// Characters of its alphabet, and not one and the same, or a placeholder.
fn is_random(rest: &[u8], alphabet: Alphabet) -> bool {
    let placeholder =
        rest.windows(4).any(|window| matches!(window, [a, b, c, d] if a == b && b == c && c == d));
    !placeholder && rest.iter().all(|byte| alphabet.has(*byte))
}

/// Thirty characters and six for their CRC-32, to the base of 62: github.blog, "Behind GitHub's new authentication token formats".
fn checksummed(text: &[u8], prefixes: &[&[u8]]) -> Option<Evidence> {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let rest =
        prefixes.iter().find_map(|prefix| text.strip_prefix(*prefix)).filter(|rest| rest.len() == 36)?;
    let (body, checksum) = rest.split_at_checked(30)?;
    let mut crc = flate2::Crc::new();
    crc.update(body);
    let said = checksum.iter().try_fold(0_u64, |sum, byte| {
        let digit = DIGITS.iter().position(|known| known == byte)?;
        Some(sum * 62 + u64::try_from(digit).ok()?)
    })?;
    (said == u64::from(crc.sum())).then_some(Evidence::Sure)
}

/// The bot's number, a colon, and 35 characters that begin with `AA`.
fn is_telegram(text: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', text).filter(|at| (8..=10).contains(at)) else { return false };
    let (bot, secret) = text.split_at_checked(colon).unwrap_or_default();
    let secret = secret.get(1..).unwrap_or_default();
    bot.iter().all(u8::is_ascii_digit)
        && secret.starts_with(b"AA")
        && secret.len() == 35
        && is_random(secret, Alphabet::Dashed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn keys_count_under_any_name_and_one_off_is_none() {
        assert_eq!(found("x", "AKIAQ3ZXT7NBHJ5WLK2P"), ["aws-access-key"]);
        assert_eq!(found("x", "AKIAQ3ZXT7NBHJ5WLK2"), [""; 0]);
        assert_eq!(found("x", "AKIAQ3ZXT7NBHJ5WLK2p"), [""; 0]);
        assert_eq!(found("x", "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx"), [""; 0], "a placeholder");
    }

    #[test]
    fn checksums_drop_what_is_invented() {
        assert_eq!(found("x", "ghp_0123456789abcdefABCDEF0123456789abcd"), [""; 0]);
    }
}
