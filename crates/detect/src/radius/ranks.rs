//! How surely fields name persons: by their names, and by whether their values differ.

use siphasher::sip::SipHasher24;
use std::collections::BTreeMap;
use std::hash::Hasher;
use tapwire_inspect::fields::{Field, FieldIndex, FieldList, Format, Kind};
use tapwire_inventory::Call;

/// How surely a field names a person, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// An e-mail address.
    Email,
    /// What names a person by its name.
    Person,
    /// One of both, whose value is the same in most records, or repeats where a number does not.
    Same,
    /// The `id` of a record, so far below the top.
    Record(usize),
    /// The address of who works on it.
    Clerk,
}

/// Last words of names of fields that name persons.
const PERSONS: &[&str] = &[
    "user",
    "customer",
    "client",
    "patient",
    "member",
    "subject",
    "sub",
    "owner",
    "account",
    "holder",
    "person",
    "employee",
    "student",
    "guest",
    "login",
    "username",
    "subscriber",
    "passenger",
    "applicant",
    "citizen",
];
/// Of these, those that name nothing but persons though no `id` is behind them.
const PLAIN: &[&str] = &["sub", "username"];
/// Of a person there may be several of these.
const SEVERAL: &str = "account";
/// Names of lists that say nothing of what is in them.
const WRAPPERS: &[&str] = &[
    "", "data", "items", "results", "records", "rows", "entries", "content", "list", "nodes", "edges",
    "hits", "values", "elements", "objects", PEOPLE,
];
const PEOPLE: &str = "people";
/// Words of names of addresses at which nobody in particular reads.
const DESKS: &[&str] =
    &["support", "help", "contact", "reply", "info", "sales", "abuse", "webmaster", "service"];
/// Words of names of addresses of those who work on a record, and are not whom it is about.
const CLERKS: &[&str] = &[
    "agent",
    "rep",
    "representative",
    "clerk",
    "manager",
    "advisor",
    "adviser",
    "handler",
    "assignee",
    "assigned",
    "created",
    "creator",
    "updated",
    "modified",
    "changed",
    "edited",
    "approved",
    "approver",
    "reviewed",
    "reviewer",
];
/// Records whose values are compared: fewer may share one by chance.
const FEW: u32 = 4;

/// Within which a number names one and the same.
pub(super) struct Space {
    service: Box<str>,
    /// The last fixed segment of the path: `customer` of `/customers/{customerId}`.
    collection: String,
}

impl Space {
    /// That of e-mail addresses: they are the same everywhere.
    pub(super) const ADDRESSES: u64 = 0;

    pub(super) fn of(call: &Call) -> Self {
        let segments = call.template.as_deref().unwrap_or_default().rsplit('/');
        let last = segments.into_iter().find(|part| !part.is_empty() && !part.contains('{'));
        Self {
            service: call.service.as_deref().unwrap_or_default().into(),
            collection: one_of(&last.unwrap_or_default().to_ascii_lowercase()).to_owned(),
        }
    }

    /// The space of numbers of customers, or of whatever it is.
    pub(super) fn of_word(&self, word: &str) -> u64 {
        let mut hash = SipHasher24::new();
        for part in [&*self.service, word] {
            hash.write(part.as_bytes());
            hash.write_u8(0);
        }
        hash.finish().max(1)
    }

    /// What the records of a list of that name are.
    pub(super) fn word<'a>(&'a self, list: &'a str) -> &'a str {
        match if WRAPPERS.contains(&list) && list != PEOPLE { &self.collection } else { one_of(list) } {
            PEOPLE => "person",
            word => word,
        }
    }
}

/// `customer` of `customers`.
fn one_of(many: &str) -> &str {
    many.strip_suffix('s').unwrap_or(many)
}

/// What a field's name says of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    Address,
    /// Whom, and whether an `id` or the like says that it is one.
    Person(&'static str, bool),
    /// The identifier of what it lies in.
    Itself,
}

impl Says {
    /// `None`: nothing of a person. Keys of a map say it by themselves alone.
    pub(super) fn of(list: &FieldList, field: &Field, is_entry: bool) -> Option<Self> {
        let name = lower(list, field);
        let is_text = field.kinds.has(Kind::Text);
        // Numbers alone leave every format open.
        let is_address = is_text && field.formats.has(Format::Email);
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        // Addresses that are masked are addresses by name alone.
        let of_whom =
            ["emailaddress", "mailaddress", "email", "mail"].iter().find_map(|end| plain.strip_suffix(end));
        let says_so = of_whom.is_some_and(|whom| whom.is_empty() || PERSONS.contains(&whom));
        if is_address || says_so && is_text && !is_entry {
            return Some(Self::Address);
        }
        let stem =
            ["uuid", "guid", "uid", "id"].iter().find_map(|end| plain.strip_suffix(end)).unwrap_or(&plain);
        if let Some(word) = PERSONS.iter().find(|word| **word == stem) {
            let is_number = field.kinds.has(Kind::Integer);
            return Some(Self::Person(word, stem != plain || PLAIN.contains(word) || is_number));
        }
        (stem.is_empty() && !plain.is_empty()).then_some(Self::Itself)
    }
}

/// Whether one person may have several of what a record or field is called.
pub(super) fn may_be_several(word: &str) -> bool {
    word == SEVERAL || !PERSONS.iter().any(|person| word.ends_with(person))
}

/// Whether a list's own name says that persons are in it, or nothing at all.
pub(super) fn lists_persons(name: &str, may_be_anything: bool) -> bool {
    // Of somebody who has a name, accounts are what there is, and not who.
    let mut persons = PERSONS.iter().filter(|word| **word != SEVERAL);
    persons.any(|word| one_of(name).ends_with(word)) || may_be_anything && WRAPPERS.contains(&name)
}

/// Whether nobody in particular is behind an address, by its name.
pub(super) fn is_desk(list: &FieldList, field: &Field) -> bool {
    let name = lower(list, field);
    DESKS.iter().any(|word| name.contains(word))
}

/// Whether a field's name says that it is about who works on the record.
pub(super) fn is_clerk(list: &FieldList, field: &Field) -> bool {
    let name = String::from_utf8_lossy(list.name(field));
    let mut word = String::new();
    let mut before = ' ';
    for letter in name.chars().chain([' ']) {
        if !letter.is_ascii_alphanumeric() || before.is_ascii_lowercase() && letter.is_ascii_uppercase() {
            if CLERKS.contains(&word.as_str()) {
                return true;
            }
            word.clear();
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    false
}

pub(super) fn lower(list: &FieldList, field: &Field) -> String {
    String::from_utf8_lossy(list.name(field)).to_ascii_lowercase()
}

/// How the values of a field are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) mentions: u32,
    distinct: u32,
    /// How often the most frequent one comes.
    most: u32,
}

impl Spread {
    /// Those of all fields.
    pub(super) fn all(list: &FieldList) -> BTreeMap<FieldIndex, Self> {
        let ids = list.ids().iter().filter(|id| !id.is_key);
        let mut values: Vec<(FieldIndex, u64)> = ids.map(|id| (id.field, id.hash)).collect();
        values.sort_unstable();
        let mut all: BTreeMap<FieldIndex, Self> = BTreeMap::new();
        for run in values.chunk_by(|one, next| one == next) {
            let Some((field, _)) = run.first() else { continue };
            let count = u32::try_from(run.len()).unwrap_or(u32::MAX);
            let spread = all.entry(*field).or_default();
            spread.mentions += count;
            spread.distinct += 1;
            spread.most = spread.most.max(count);
        }
        all
    }

    /// Whether most have one and the same.
    pub(super) const fn is_same(self) -> bool {
        self.mentions >= FEW && self.most * 2 > self.mentions
    }

    /// Whether each comes twice and more, where another field of the same records has none twice.
    pub(super) const fn repeats_beside(self, other: Self) -> bool {
        self.mentions >= FEW
            && self.distinct * 2 <= self.mentions
            && other.distinct == other.mentions
            && other.mentions >= self.mentions
    }
}
