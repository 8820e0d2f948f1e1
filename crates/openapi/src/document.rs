//! One file as a tree of values: JSON, or YAML 1.2.

use crate::fault::Fault;
use crate::yaml;
use serde_json::Value;

/// A description beyond this is no description: the largest published ones have 40 MB.
const MAX_BYTES: usize = 64 << 20;

/// Reads a file. JSON stops at 128 levels by itself.
pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.len() > MAX_BYTES {
        return Err(Fault::file(name, "larger than 64 MiB"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(name, bytes, error.valid_up_to()))?;
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::parse(name, text);
    }
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        // A flow mapping with comments or plain words.
        Err(_) if is_yaml(name) => yaml::parse(name, text),
        Err(error) => {
            let said = error.to_string();
            let what = said.split(" at line ").next().unwrap_or(&said);
            Err(Fault::line(name, error.line(), error.column(), format!("no JSON: {what}")))
        }
    }
}

fn is_yaml(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with(".yaml") || lower.ends_with(".yml")
}

fn not_utf8(name: &str, bytes: &[u8], at: usize) -> Fault {
    let before = bytes.get(..at).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    Fault::line(name, line, column, "no UTF-8")
}
