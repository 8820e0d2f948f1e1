//! Whom an answer is about, record by record.
//!
//! A record is an element of a list or an entry of a map, whichever is innermost; what stands in none belongs to the document
//! around them. Each record names its persons by the surest that it has itself: what stands in the envelope, or in another
//! record, is not its. What a record says of a person around it counts once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tapwire_inspect::classes::{ClassId, ClassKind};
use tapwire_inspect::fields::{Field, FieldIndex, FieldList, Format, Kind, Step};

/// What names a person otherwise is another name space than e-mail addresses.
const NUMBERS: u64 = 0x9e37_79b9_7f4a_7c15;

/// How surely a field names a person, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Email,
    Person,
    Record(usize),
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
/// Names of lists that say nothing of what is in them.
const WRAPPERS: &[&str] = &[
    "", "data", "items", "results", "records", "rows", "entries", "content", "list", "nodes", "edges",
    "hits", "values", "elements", "objects", "people",
];
/// Words of names of addresses at which nobody in particular reads.
const DESKS: &[&str] =
    &["support", "help", "contact", "reply", "info", "sales", "abuse", "webmaster", "service"];

/// Digits of a field's name that is told.
const MAX_NAME_DIGITS: usize = 5;

/// An instance of a record: its field, and which of that field's objects.
type Record = (FieldIndex, u32);

/// Whom an answer names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Each mention of a person, as a hash of what names it.
    pub(super) persons: Vec<u64>,
    /// Names of fields by which they are told.
    pub(super) told_by: BTreeSet<Arc<str>>,
    /// Whether it holds data of more persons than it names, as far as is known.
    pub(super) too_few: bool,
}

/// The persons that an answer is about.
pub(super) fn named(list: &FieldList) -> Named {
    let Some(shape) = Shape::of(list) else { return Named::default() };
    let (groups, at) = shape.groups();
    let chosen = Chosen::of(&shape, &groups, &at);
    let mut named = Named::default();
    let mut told: BTreeSet<(FieldIndex, bool)> = BTreeSet::new();
    let mut whole: BTreeSet<Record> = BTreeSet::new();
    for (id, record) in list.ids().iter().zip(&at) {
        let Some(rank) =
            shape.rank(id.field, id.is_key).filter(|rank| chosen.takes(*record, id.field, *rank))
        else {
            continue;
        };
        named.persons.push(if rank == Rank::Email { id.hash } else { id.hash ^ NUMBERS });
        told.insert((id.field, id.is_key));
        whole.insert(*record);
    }
    named.told_by = told.into_iter().map(|(field, is_key)| shape.word(field, is_key)).collect();
    named.too_few =
        list.leaves_out_ids() || list.beyond() > 0 || shape.has_more_than(named.persons.len() as u64, &whole);
    named
}

/// What the fields of an answer say of its records.
struct Shape<'a> {
    list: &'a FieldList,
    /// Fields whose names are keys of a map.
    entries: BTreeSet<FieldIndex>,
    /// Of each field the record that it belongs to; a record belongs to itself.
    record: Vec<FieldIndex>,
    /// Of each field how surely its values, and the key that it stands behind, name a person.
    ranks: Vec<(Option<Rank>, Option<Rank>)>,
    /// Records with sensitive data of which no record in them can say whose it is.
    sensitive: BTreeSet<FieldIndex>,
    /// The field of the document.
    top: FieldIndex,
}

impl<'a> Shape<'a> {
    fn of(list: &'a FieldList) -> Option<Self> {
        let keys = list.ids().iter().filter(|id| id.is_key).map(|id| id.field);
        // Keys that found no room stand for their map.
        let entries = keys.filter(|at| list.is_entry(*at)).collect();
        let (record, ranks, sensitive) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut shape = Self { list, entries, record, ranks, sensitive, top: list.indices().next()? };
        for at in list.indices() {
            let own = if shape.is_record(at) { at } else { shape.around(at) };
            shape.record.push(own);
            shape.ranks.push((shape.rank_of_values(at), shape.rank_of_key(at)));
        }
        shape.find_sensitive();
        Some(shape)
    }

    /// Whether a field's objects are elements of a list, or an entry of a map.
    fn is_record(&self, at: FieldIndex) -> bool {
        let Some(field) = self.list.get(at).filter(|field| field.kinds.has(Kind::Object)) else {
            return false;
        };
        // A child of XML and a field of protobuf are a list where they come more than once.
        let comes_again = || {
            let around = self.list.get(field.parent).filter(|around| around.kinds.has(Kind::Object));
            around.is_some_and(|around| field.parent != at && field.count > around.objects.max(1))
        };
        match field.step {
            Step::Element => true,
            Step::Member => self.entries.contains(&at) || comes_again(),
            _ => false,
        }
    }

    fn record(&self, at: FieldIndex) -> FieldIndex {
        self.record.get(at.get()).copied().unwrap_or(self.top)
    }

    /// The record around a field, or around a record.
    fn around(&self, at: FieldIndex) -> FieldIndex {
        self.list.get(at).map_or(self.top, |field| self.record(field.parent))
    }

    fn find_sensitive(&mut self) {
        let list = self.list;
        let has = |field: &Field| field.classes.iter().any(|hits| hits.reported > 0);
        let fields = list.indices().zip(list.fields());
        self.sensitive = fields.filter(|(_, field)| has(field)).map(|(at, _)| self.record(at)).collect();
        let ids = list.ids().iter();
        let ranked: BTreeSet<FieldIndex> = ids
            .filter(|id| self.rank(id.field, id.is_key).is_some())
            .map(|id| self.record(id.field))
            .collect();
        // A field's parent comes before it.
        for at in list.indices().rev() {
            let is_record = at != self.top && self.record(at) == at;
            if is_record && self.sensitive.contains(&at) && !ranked.contains(&at) {
                let around = self.around(at);
                self.sensitive.insert(around);
            }
        }
    }

    /// How surely a value of a field, or its key, names a person; `None`: it does not.
    fn rank(&self, at: FieldIndex, is_key: bool) -> Option<Rank> {
        let (values, key) = *self.ranks.get(at.get())?;
        if is_key { key } else { values }
    }

    /// Of a map it is what keys that found no room are.
    fn rank_of_key(&self, at: FieldIndex) -> Option<Rank> {
        let is_address =
            |entry: &FieldIndex| self.list.get(*entry).is_some_and(|one| self.list.name(one).contains(&b'@'));
        let is_in = |entry: &&FieldIndex| self.list.get(**entry).is_some_and(|one| one.parent == at);
        let is_email = match self.entries.contains(&at) {
            true => is_address(&at),
            false => self.entries.iter().find(is_in).is_some_and(is_address),
        };
        Some(if is_email { Rank::Email } else { Rank::Record(self.depth(at)) })
    }

    fn rank_of_values(&self, at: FieldIndex) -> Option<Rank> {
        let field = self.list.get(at)?;
        let name = String::from_utf8_lossy(self.list.name(field)).to_ascii_lowercase();
        // Numbers alone leave every format open.
        let is_address = field.kinds.has(Kind::Text) && field.formats.has(Format::Email);
        let says_so = name.contains("email") || name.contains("e_mail");
        if is_address || says_so && !self.entries.contains(&at) {
            return Some(Rank::Email);
        }
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let stem =
            ["uuid", "guid", "uid", "id"].iter().find_map(|end| plain.strip_suffix(end)).unwrap_or(&plain);
        if PERSONS.contains(&stem) {
            return Some(Rank::Person);
        }
        (stem.is_empty() && !plain.is_empty()).then(|| Rank::Record(self.depth(at)))
    }

    /// How far below the top a field lies.
    fn depth(&self, at: FieldIndex) -> usize {
        let (mut depth, mut at) = (0, at);
        while let Some(parent) = self.list.get(at).map(|field| field.parent).filter(|parent| *parent != at) {
            // A field's parent comes before it; what a hostile list says otherwise ends here.
            if depth > self.list.fields().len() {
                break;
            }
            (depth, at) = (depth + 1, parent);
        }
        depth
    }

    /// Every record that has identifiers, and those around it, with what is the surest in it; and the record of each identifier.
    fn groups(&self) -> (BTreeMap<Record, Group>, Vec<Record>) {
        let mut counts = Counts::new(self.list);
        let (mut groups, mut at) = (BTreeMap::new(), Vec::with_capacity(self.list.ids().len()));
        for (place, id) in self.list.ids().iter().enumerate() {
            counts.go_to(place);
            let field = self.record(id.field);
            // The key of an entry stands before it.
            let record = (field, counts.of(field) + u32::from(id.is_key && field == id.field));
            self.open(record, &counts, &mut groups);
            at.push(record);
            let Some(rank) = self.rank(id.field, id.is_key) else { continue };
            let usable = !matches!(rank, Rank::Record(_)) || self.sensitive.contains(&field);
            if let Some(group) = groups.get_mut(&record).filter(|_| usable) {
                group.best = Some(group.best.map_or(rank, |best| best.min(rank)));
            }
        }
        (groups, at)
    }

    /// Makes the groups of a record and of those around it, where there are none.
    fn open(&self, record: Record, counts: &Counts<'_>, groups: &mut BTreeMap<Record, Group>) {
        let mut record = record;
        while !groups.contains_key(&record) {
            let around = (record.0 != self.top).then(|| self.around(record.0));
            let around = around.map(|field| (field, counts.of(field)));
            groups.insert(record, Group { best: None, around });
            let Some(next) = around else { return };
            record = next;
        }
    }

    /// Whether a list's own name says that persons are in it, or nothing at all.
    fn lists_persons(&self, record: FieldIndex, may_be_anything: bool) -> bool {
        let Some(field) = self.list.get(record) else { return false };
        if self.entries.contains(&record) {
            return may_be_anything;
        }
        let name = String::from_utf8_lossy(self.list.name(field)).to_ascii_lowercase();
        let one = name.strip_suffix('s').unwrap_or(&name);
        // Of somebody who has a name, accounts are what there is, and not who.
        let mut persons = PERSONS.iter().filter(|word| **word != "account");
        persons.any(|word| one.ends_with(word)) || may_be_anything && WRAPPERS.contains(&name.as_str())
    }

    /// What a person is told by, in a word.
    fn word(&self, at: FieldIndex, is_key: bool) -> Arc<str> {
        let name = self.list.get(at).map(|field| self.list.name(field)).unwrap_or_default();
        match (is_key, name) {
            (true, _) => "keys".into(),
            (false, _) if self.entries.contains(&at) => "values".into(),
            (false, b"") => "elements".into(),
            // A name may be made of a number that names somebody.
            (false, name) if name.iter().filter(|byte| byte.is_ascii_digit()).count() > MAX_NAME_DIGITS => {
                "a name with digits".into()
            }
            (false, name) => String::from_utf8_lossy(name).into(),
        }
    }

    /// Whether there are more values about persons than so many mentions of persons account for. Whatever lies in a record
    /// that names somebody is about that one, but for numbers of which everybody has one.
    fn has_more_than(&self, mentions: u64, named: &BTreeSet<Record>) -> bool {
        let totals = Counts::whole(self.list);
        let mut of: BTreeMap<FieldIndex, u32> = BTreeMap::new();
        named.iter().for_each(|(field, _)| *of.entry(*field).or_default() += 1);
        let all_named = |record: FieldIndex| of.get(&record).is_some_and(|count| *count >= totals.of(record));
        self.list.indices().zip(self.list.fields()).any(|(at, field)| {
            let (mut record, mut is_covered) = (self.record(at), false);
            while record != self.top && !is_covered {
                is_covered = all_named(record);
                record = self.around(record);
            }
            is_covered |= self.record(at) == self.top && all_named(self.top);
            field.classes.iter().filter(|hits| u64::from(hits.reported) > mentions).any(|hits| {
                match kind(hits.class) {
                    None | Some(ClassKind::Secret | ClassKind::Crypto) => false,
                    Some(ClassKind::NationalId) => true,
                    Some(_) => !is_covered,
                }
            })
        })
    }
}

/// A record with its identifiers.
struct Group {
    /// The surest of them.
    best: Option<Rank>,
    /// The record around it.
    around: Option<Record>,
}

/// Which identifiers count as persons.
struct Chosen<'a> {
    shape: &'a Shape<'a>,
    groups: &'a BTreeMap<Record, Group>,
    /// Fields that only name again whom the record around them names.
    again: BTreeSet<FieldIndex>,
    /// Whether anybody is named in a list or map.
    in_lists: bool,
}

impl<'a> Chosen<'a> {
    fn of(shape: &'a Shape<'a>, groups: &'a BTreeMap<Record, Group>, at: &[Record]) -> Self {
        let in_lists = groups.iter().any(|((field, _), group)| *field != shape.top && group.best.is_some());
        let mut chosen = Self { shape, groups, again: BTreeSet::new(), in_lists };
        let ids = || shape.list.ids().iter().zip(at);
        let all: BTreeSet<(Record, u64)> = ids().map(|(id, record)| (*record, id.hash)).collect();
        let mut others: BTreeSet<FieldIndex> = BTreeSet::new();
        for (id, record) in ids() {
            let mut around = chosen.named_around(*record);
            let is_again = around.any(|around| all.contains(&(around, id.hash)));
            if is_again { &mut chosen.again } else { &mut others }.insert(id.field);
        }
        chosen.again.retain(|field| !others.contains(field));
        chosen
    }

    /// The records around one that name somebody, from the inside out.
    fn named_around(&self, record: Record) -> impl Iterator<Item = Record> + use<'a> {
        let groups = self.groups;
        let above = move |record: &Record| groups.get(record).and_then(|group| group.around);
        std::iter::successors(above(&record), above)
            .filter(|around| groups.get(around).is_some_and(|group| group.best.is_some()))
    }

    /// Whether an identifier of that field and rank, in that record, counts as a person.
    fn takes(&self, record: Record, field: FieldIndex, rank: Rank) -> bool {
        if self.groups.get(&record).and_then(|group| group.best) != Some(rank) {
            return false;
        }
        match rank {
            Rank::Email => record.0 != self.shape.top || !self.in_lists || !self.is_desk(field),
            Rank::Person => !self.again.contains(&field),
            Rank::Record(_) => {
                let mut around = self.named_around(record);
                !self.again.contains(&field)
                    && around.all(|around| self.shape.lists_persons(record.0, around.0 == self.shape.top))
            }
        }
    }

    /// Whether nobody in particular is behind an address, by its name.
    fn is_desk(&self, field: FieldIndex) -> bool {
        let list = self.shape.list;
        let name =
            list.get(field).map(|field| String::from_utf8_lossy(list.name(field)).to_ascii_lowercase());
        name.is_some_and(|name| DESKS.iter().any(|word| name.contains(word)))
    }
}

/// Objects of each field, as identifiers are passed.
struct Counts<'a> {
    list: &'a FieldList,
    next: usize,
    of: Vec<u32>,
}

impl<'a> Counts<'a> {
    fn new(list: &'a FieldList) -> Self {
        Self { list, next: 0, of: vec![0; list.fields().len()] }
    }

    fn whole(list: &'a FieldList) -> Self {
        let mut counts = Self::new(list);
        counts.go_to(usize::MAX);
        counts
    }

    /// Takes in the objects that stand before an identifier.
    fn go_to(&mut self, place: usize) {
        while let Some((field, before)) = self.list.objects().get(self.next) {
            if *before as usize > place {
                return;
            }
            self.of.get_mut(field.get()).into_iter().for_each(|count| *count += 1);
            self.next += 1;
        }
    }

    fn of(&self, field: FieldIndex) -> u32 {
        self.of.get(field.get()).copied().unwrap_or(0)
    }
}

fn kind(class: u16) -> Option<ClassKind> {
    let class = ClassId::from_number(class)?;
    Some(class.builtin().map_or(ClassKind::Own, |class| class.kind))
}
