//! Messages of RFC 5424 around rendered events, and their frames.

use crate::http::number_behind;
use tapwire_store::Day;

/// What is the same in every message.
#[derive(Debug)]
pub(super) struct Header {
    facility: u8,
    hostname: String,
}

impl Header {
    /// RFC 5424 section 6.2.4: HOSTNAME is at most 255 visible ASCII characters; without one it is the nil value.
    pub(super) fn new(facility: u8, hostname: &str) -> Self {
        let visible: String = hostname.chars().filter(char::is_ascii_graphic).take(255).collect();
        let hostname = if visible.is_empty() { "-".to_owned() } else { visible };
        Self { facility: facility.min(23), hostname }
    }

    /// Writes the message of an event.
    pub(super) fn write(&self, line: &[u8], out: &mut Vec<u8>) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let priority = u32::from(self.facility) * 8 + severity(line);
        out.extend_from_slice(format!("<{priority}>1 ").as_bytes());
        timestamp(line, out);
        out.extend_from_slice(format!(" {} tapwire - - - ", self.hostname).as_bytes());
        out.extend_from_slice(line);
    }

    /// The same with its length before it: octet counting, RFC 6587 section 3.4.1 and RFC 5425 section 4.3.
    pub(super) fn frame(&self, line: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        scratch.clear();
        self.write(line, scratch);
        out.extend_from_slice(format!("{} ", scratch.len()).as_bytes());
        out.extend_from_slice(scratch);
    }
}

/// RFC 5424 table 2, by OCSF's `severity_id` or the severity of a CEF header: informational where neither stands.
fn severity(line: &[u8]) -> u32 {
    let cef = line.starts_with(b"CEF:").then(|| line.split(|byte| *byte == b'|').nth(6)).flatten();
    if let Some(digits) = cef {
        let number =
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
        return match number {
            0..=1 => 6,
            2..=3 => 5,
            4..=6 => 4,
            7..=8 => 3,
            9.. => 2,
        };
    }
    match number_behind(line, "\"severity_id\":") {
        Some(2) => 5,
        Some(3) => 4,
        Some(4) => 3,
        Some(5 | 6) => 2,
        _ => 6,
    }
}

/// The event's own time in UTC with milliseconds; the nil value where it has none.
fn timestamp(line: &[u8], out: &mut Vec<u8>) {
    let key = if line.starts_with(b"CEF:") { " rt=" } else { "\"time\":" };
    let Some(ms) = number_behind(line, key).and_then(|ms| i64::try_from(ms).ok()) else {
        return out.push(b'-');
    };
    let (seconds, ms_of_second) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let day = Day::from_unix_ms(ms);
    out.extend_from_slice(format!("{day}T{hour:02}:{minute:02}:{second:02}.{ms_of_second:03}Z").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(line: &str) -> String {
        let mut out = Vec::new();
        Header::new(16, "sensor 1").write(line.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_has_its_own_time_and_severity() {
        let high = "{\"time\":1795219200123,\"severity_id\":4}\n";
        let expected = "<131>1 2026-11-21T00:00:00.123Z sensor1 tapwire - - - {\"time\":1795219200123,\"severity_id\":4}";
        assert_eq!(message(high), expected);
        let cef = "CEF:0|Tapwire|Tapwire|1|x|name|9|src=10.0.0.1 rt=1795219200123\n";
        assert_eq!(
            message(cef),
            format!("<130>1 2026-11-21T00:00:00.123Z sensor1 tapwire - - - {}", cef.trim_end())
        );
        assert_eq!(message("text\n"), "<134>1 - sensor1 tapwire - - - text");
    }

    #[test]
    fn frames_count_their_octets() {
        let mut out = Vec::new();
        let header = Header::new(99, "");
        ["Grüße\n", "b\n"].iter().for_each(|line| header.frame(line.as_bytes(), &mut Vec::new(), &mut out));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "32 <190>1 - - tapwire - - - Grüße26 <190>1 - - tapwire - - - b"
        );
    }
}
