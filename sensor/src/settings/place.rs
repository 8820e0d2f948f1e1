//! A configuration file, and where in it something is wrong.

use super::Settings;
use crate::failure::Failure;
use std::path::Path;
use toml::{Table, de::Error};

/// Reads a file whose keys are all known and of their types.
pub(super) fn read(path: &Path) -> Result<Table, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let failed = |error: &Error, what: String| {
        let place = error.span().map(|span| place(&text, span.start));
        let place = place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        Failure::new(format!("{}{place}: {what}", path.display()))
    };
    let table = text.parse::<Table>().map_err(|error| failed(&error, error.message().to_owned()))?;
    if let Err(error) = toml::from_str::<Settings>(&text) {
        // What is read from a table knows the key, and what is read from the text knows the line.
        let known = toml::Value::Table(table).try_into::<Settings>().err();
        return Err(failed(&error, told(known.as_ref().unwrap_or(&error))));
    }
    Ok(table)
}

fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    (line, offset - before.rfind('\n').map_or(0, |at| at + 1) + 1)
}

/// What is wrong with a value: its key and why, or the nearest key where there is none of its name.
pub(super) fn told(error: &Error) -> String {
    let message = error.message();
    unknown_key(message).unwrap_or_else(|| match key(error) {
        Some(key) => format!("{key}: {message}"),
        None => message.to_owned(),
    })
}

/// The key in which it stands, such as `flow.idle_timeout`: the last line of what the error has to say.
fn key(error: &Error) -> Option<String> {
    let said = error.to_string();
    Some(said.lines().last()?.strip_prefix("in `")?.strip_suffix('`')?.to_owned())
}

fn unknown_key(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let key = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    let hint = match tapwire_expr::nearest(key, &known) {
        Some(nearest) => format!("did you mean '{nearest}'?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Some(format!("unknown key '{key}'; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_line_of_a_wrong_type_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        for (text, place, what) in [
            ("[flow]\nidle_timeout = \"a\"\n", ":2:16: ", "flow.idle_timeout: invalid type: string"),
            ("memory = 12\n", ":1:10: ", "memory: invalid type: integer `12`, expected a string"),
            (
                "\n[flow]\nidle_timout = 1\n",
                ":3:1: ",
                "unknown key 'idle_timout'; did you mean 'idle_timeout'?",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let said = read(&path).unwrap_err().to_string();
            assert!(said.contains(place) && said.contains(what), "{said}");
        }
    }
}
