//! Calls of XML-RPC that show a name and a password, and several calls in one (`system.multicall`): what is tried with them, and
//! what came of each.

use super::super::login::{LoginFields, Wanted};

/// Values of a call that are kept, and bytes of each: a name and a password stand among the first.
const MAX_VALUES: usize = 4;
const MAX_VALUE: usize = 256;
/// The code of a fault that refuses a password, as blogs answer it.
const REFUSED: &[u8] = b"403";

/// What an element is to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The name of a member.
    Name,
    /// A value that holds no others.
    Scalar,
    Struct,
    /// What lies between them.
    Other,
}

impl Part {
    pub(super) fn of(local: &[u8]) -> Self {
        match local {
            b"name" => Self::Name,
            b"struct" => Self::Struct,
            b"value" | b"string" | b"int" | b"i4" | b"i8" | b"boolean" | b"double" | b"base64" => {
                Self::Scalar
            }
            _ => Self::Other,
        }
    }
}

/// What is counted of a message. Answers have faults, requests the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Calls in one.
    pub(crate) calls: u32,
    /// Names with passwords that were shown, each one that differs from that of the call before.
    pub(crate) logins: u32,
    pub(crate) faults: u32,
    /// Faults that refuse a password.
    pub(crate) refused: u32,
}

/// What the next value is, by the name of its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    Method,
    Code,
    #[default]
    Any,
}

/// The calls of a message while it is read.
#[derive(Default)]
pub(super) struct Calls {
    counts: Counts,
    /// The level of the structure that holds one call of several; 0 outside.
    level: usize,
    next: Next,
    method: Vec<u8>,
    values: [Vec<u8>; MAX_VALUES],
    used: usize,
    /// The name and the password that were shown last, and whether another name was shown before.
    last: [Vec<u8>; 2],
    several_names: bool,
}

impl Calls {
    /// A structure begins at that level: in a call of several, the outermost ones are calls.
    pub(super) fn begin(&mut self, level: usize, is_several: bool) {
        if is_several && self.level == 0 {
            self.level = level;
            self.forget();
        }
    }

    /// The name of a member.
    pub(super) fn name(&mut self, name: &[u8]) {
        self.next = match name {
            b"methodName" => Next::Method,
            b"faultCode" => Next::Code,
            _ => Next::Any,
        };
    }

    pub(super) fn value(&mut self, value: &[u8]) {
        let value = value.get(..MAX_VALUE).unwrap_or(value);
        match std::mem::take(&mut self.next) {
            Next::Method => self.method(value),
            Next::Code => {
                self.counts.faults = self.counts.faults.saturating_add(1);
                self.counts.refused = self.counts.refused.saturating_add((value == REFUSED).into());
            }
            Next::Any => {
                if let Some(kept) = self.values.get_mut(self.used) {
                    kept.clear();
                    kept.extend_from_slice(value);
                    self.used += 1;
                }
            }
        }
    }

    /// What is called.
    pub(super) fn method(&mut self, name: &[u8]) {
        if self.method.is_empty() {
            self.method.extend_from_slice(name.get(..MAX_VALUE).unwrap_or(name));
        }
    }

    /// A structure ends at that level.
    pub(super) fn end(&mut self, level: usize) {
        if self.level == level {
            self.level = 0;
            self.called();
        }
    }

    /// One call is whole.
    pub(super) fn called(&mut self) {
        self.counts.calls = self.counts.calls.saturating_add(1);
        let shown = position(&self.method, self.used).and_then(|at| self.values.get(at..at + 2));
        if let Some([name, password]) = shown
            && !name.is_empty()
            && !password.is_empty()
        {
            let [known, before] = &mut self.last;
            let is_first = self.counts.logins == 0;
            self.several_names |= !is_first && known != name;
            if is_first || known != name || before != password {
                self.counts.logins = self.counts.logins.saturating_add(1);
                known.clone_from(name);
                before.clone_from(password);
            }
        }
        self.forget();
    }

    fn forget(&mut self) {
        self.method.clear();
        self.values.iter_mut().for_each(Vec::clear);
        (self.used, self.next) = (0, Next::Any);
    }

    /// What was counted; the name that all calls show, and the password of the last, go to the fields of a login.
    pub(super) fn take(&mut self, login: &mut LoginFields) -> Counts {
        let [name, password] = &self.last;
        for (wanted, text) in [(Wanted::User, name), (Wanted::Password, password)] {
            if self.counts.logins > 0 {
                login.begin_as(Some(wanted));
                login.value(if wanted == Wanted::User && self.several_names { b"" } else { text });
                login.end();
            }
        }
        let counts = self.counts;
        self.forget();
        self.last.iter_mut().for_each(Vec::clear);
        (self.counts, self.level, self.several_names) = (Counts::default(), 0, false);
        counts
    }
}

/// Which of a call's values is the name that stands before a password.
fn position(method: &[u8], values: usize) -> Option<usize> {
    /// Methods of blogs that show both with every call, by how they begin.
    const KNOWN: &[(&[u8], usize)] = &[
        (b"wp.getUsersBlogs", 0),
        (b"wp.", 1),
        (b"metaWeblog.", 1),
        (b"mt.", 1),
        (b"blogger.getUser", 1),
        (b"blogger.", 2),
    ];
    const LOGINS: &[&[u8]] = &[b"login", b"logon", b"authenticate"];
    let last = method.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    // The name of a database stands in front.
    let logs_in = LOGINS.contains(&last).then_some(usize::from(values > 2));
    let known = KNOWN.iter().find(|(begin, _)| method.starts_with(begin));
    known.map(|(_, at)| *at).or(logs_in)
}
