//! Where a head ends: the first empty line behind its start line.

use super::start_line;

/// Looks for a head's end in a buffer that grows, without looking at a byte twice.
///
/// A line ends in LF, with or without CR (RFC 9112, 2.2). Empty lines in front of the start line belong to the head. An
/// HTTP/0.9 request is its one line.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadScan {
    seen: usize,
    place: Place,
    behind_start_line: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Before the start line.
    #[default]
    Leading,
    /// Inside a line.
    Line,
    /// Behind an LF.
    AfterLf,
    /// Behind LF CR.
    AfterLfCr,
}

impl HeadScan {
    /// A scan at a head's first byte.
    pub const fn new() -> Self {
        Self { seen: 0, place: Place::Leading, behind_start_line: false }
    }

    /// The head's length, empty line included, when `head` holds all of it. `head` begins at the head's first byte and
    /// is what it was at the last call, with more behind it.
    pub fn find_end(&mut self, head: &[u8]) -> Option<usize> {
        while let Some(rest) = head.get(self.seen..).filter(|rest| !rest.is_empty()) {
            let ended = self.step(rest);
            if ended || (self.leaves_start_line() && start_line::is_http09(head.get(..self.seen)?)) {
                return Some(self.seen);
            }
        }
        None
    }

    /// Whether the last step was the first to end a line.
    fn leaves_start_line(&mut self) -> bool {
        self.place == Place::AfterLf && !std::mem::replace(&mut self.behind_start_line, true)
    }

    /// Goes to the end of a line, or over one byte of an empty one. `true` behind the empty line.
    fn step(&mut self, rest: &[u8]) -> bool {
        let first = rest.first().copied().unwrap_or_default();
        let mut used = 1;
        let mut ended = false;
        match (self.place, first) {
            (Place::Leading, b'\r' | b'\n') => {}
            (Place::AfterLf, b'\r') => self.place = Place::AfterLfCr,
            (Place::AfterLf | Place::AfterLfCr, b'\n') => ended = true,
            _ => {
                let line = memchr::memchr(b'\n', rest);
                self.place = if line.is_some() { Place::AfterLf } else { Place::Line };
                used = line.map_or(rest.len(), |at| at + 1);
            }
        }
        self.seen += used;
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(head: &[u8]) -> Option<usize> {
        HeadScan::new().find_end(head)
    }

    #[test]
    fn rfc9112_2_2_every_pair_of_line_ends_closes_a_head() {
        for ends in ["\r\n\r\n", "\n\n", "\n\r\n", "\r\n\n"] {
            let head = format!("GET / HTTP/1.1\r\nA: b{ends}");
            assert_eq!(end(format!("{head}body\r\n\r\n").as_bytes()), Some(head.len()), "{ends:?}");
        }
    }

    #[test]
    fn what_is_no_empty_line_does_not_close_a_head() {
        for head in ["", "\r\n\r\n", "A\r\r", "A\r\n\r", "A\r\n\r\r\n", "A\r\n \r\n", "A\r\n"] {
            assert_eq!(end(head.as_bytes()), None, "{head:?}");
        }
    }

    #[test]
    fn empty_lines_in_front_belong_to_the_head() {
        assert_eq!(end(b"\r\n\r\n\nGET / HTTP/1.1\r\n\r\nrest"), Some(23));
    }

    #[test]
    fn an_http09_request_ends_with_its_line() {
        assert_eq!(end(b"\r\nGET /a\r\nHost: b\r\n\r\n"), Some(10));
        assert_eq!(end(b"GET /a HTTP/1.0\r\n"), None);
        assert_eq!(end(b"HTTP/1.1 200 OK\r\n"), None);
        let mut grown = HeadScan::new();
        assert_eq!(grown.find_end(b"GET /a\r"), None);
        assert_eq!(grown.find_end(b"GET /a\r\nmore"), Some(8));
    }

    #[test]
    fn every_split_finds_the_same_end() {
        let head = b"\r\n\nHTTP/1.1 200 OK\r\nA: b\r\rc\r\nD: e\n\r\nbody";
        let whole = end(head).unwrap();
        for cut in 0..=head.len() {
            let mut grown = HeadScan::new();
            let first = grown.find_end(&head[..cut]);
            assert_eq!(first.or_else(|| grown.find_end(head)), Some(whole), "cut at {cut}");
        }
    }
}
