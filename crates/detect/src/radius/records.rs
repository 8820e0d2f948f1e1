//! Whom an answer is about, record by record.
//!
//! A record is an element of a list or an entry of a map, whichever is innermost; what stands in none belongs to the document
//! around them. Each record names its persons by the surest that it has itself: what stands in the envelope, or in another
//! record, is not its. What a record says of a person around it counts once.

use super::ranks::{Rank, Says, Space, Spread, is_clerk, is_desk, lists_persons, lower, may_be_several};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tapwire_inspect::classes::{ClassId, ClassKind};
use tapwire_inspect::fields::{Field, FieldIndex, FieldList, Kind, Step};

/// Digits of a field's name that is told: more may be those of a number that names somebody.
const MAX_NAME_DIGITS: usize = 3;
/// Fields of one kind in objects beside each other, from which on their names are taken for keys.
const MAP: usize = 4;

/// An instance of a record: its field, and which of that field's objects.
type Record = (FieldIndex, u32);

/// Whom an answer names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Its persons, each as a hash of what names it.
    pub(super) persons: BTreeSet<u64>,
    /// Spaces of what they are named by.
    pub(super) spaces: BTreeSet<u64>,
    /// Numbers of persons in the same records, with their space: were they more than the persons, those would be too few.
    pub(super) numbers: BTreeSet<(u64, u64)>,
    /// Names of fields by which they are told.
    pub(super) told_by: BTreeSet<Arc<str>>,
    /// Whether it holds data of more persons than it names, as far as is known.
    pub(super) too_few: bool,
    /// Whether one person may be named several times.
    pub(super) several: bool,
}

/// The persons that an answer is about.
pub(super) fn named(list: &FieldList, space: &Space) -> Named {
    let Some(shape) = Shape::of(list) else { return Named::default() };
    let (groups, at) = shape.groups();
    let chosen = Chosen::of(&shape, &groups, &at);
    let mut named = Named::default();
    let mut told = Told::default();
    let mut words: BTreeSet<(FieldIndex, bool)> = BTreeSet::new();
    for (id, record) in list.ids().iter().zip(&at) {
        let Some(rank) = shape.rank(id.field, id.is_key) else { continue };
        let (within, several) = shape.space(id.field, id.is_key, space);
        let hash = id.hash ^ within;
        if chosen.is_number(*record, id.field, rank) && !several {
            named.numbers.insert((within, hash));
        }
        if !chosen.takes(*record, id.field, rank) {
            continue;
        }
        named.persons.insert(hash);
        named.spaces.insert(within);
        named.several |= several;
        named.too_few |= rank == Rank::Same || shape.is_alone(id.field);
        words.insert((id.field, id.is_key));
        told.add(*record, rank, hash);
        *told.taken.entry(id.field).or_default() += u32::from(!id.is_key);
    }
    named.told_by = words.into_iter().map(|(field, is_key)| shape.word(field, is_key)).collect();
    named.too_few |= list.leaves_out_ids() || list.beyond() > 0 || shape.has_more_than(&named.persons, &told);
    named
}

/// Who was told, and where.
#[derive(Default)]
struct Told {
    /// Records that name somebody of their own.
    whole: BTreeSet<Record>,
    /// Persons of each field's records.
    of: BTreeMap<FieldIndex, BTreeSet<u64>>,
    /// Values of each field that were taken.
    taken: BTreeMap<FieldIndex, u32>,
}

impl Told {
    fn add(&mut self, record: Record, rank: Rank, hash: u64) {
        // What most records share covers nothing of theirs.
        if rank != Rank::Same {
            self.whole.insert(record);
        }
        self.of.entry(record.0).or_default().insert(hash);
    }
}

/// What the fields of an answer say of its records.
struct Shape<'a> {
    list: &'a FieldList,
    /// Fields whose names are keys of a map.
    entries: BTreeSet<FieldIndex>,
    /// Of each field the record that it belongs to; a record belongs to itself.
    record: Vec<FieldIndex>,
    /// Of each field what its name says.
    says: Vec<Option<Says>>,
    /// Of each field how surely its values, and the key that it stands behind, name a person.
    ranks: Vec<(Option<Rank>, Option<Rank>)>,
    /// How values of fields are spread.
    spread: BTreeMap<FieldIndex, Spread>,
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
        let (record, says, ranks) = (Vec::new(), Vec::new(), Vec::new());
        let (spread, sensitive, top) = (Spread::all(list), BTreeSet::new(), list.indices().next()?);
        let mut shape = Self { list, entries, record, says, ranks, spread, sensitive, top };
        for (at, field) in list.indices().zip(list.fields()) {
            let own = if shape.is_record(at) { at } else { shape.around(at) };
            shape.record.push(own);
            shape.says.push(Says::of(list, field, shape.entries.contains(&at)));
            shape.ranks.push((shape.rank_of_values(at), shape.rank_of_key(at)));
        }
        shape.find_sensitive();
        shape.settle();
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
        let has =
            |field: &Field| field.classes.iter().any(|hits| hits.reported > 0) && !is_clerk(list, field);
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

    /// By the name alone.
    fn rank_of_values(&self, at: FieldIndex) -> Option<Rank> {
        let field = self.list.get(at)?;
        match self.says.get(at.get())?.as_ref()? {
            Says::Address if is_clerk(self.list, field) => Some(Rank::Clerk),
            Says::Address => Some(Rank::Email),
            Says::Person(..) => Some(Rank::Person),
            Says::Itself => Some(Rank::Record(self.depth(at))),
        }
    }

    /// What values say beyond names: one that most records have tells nobody, and a bare word neither unless there is data of
    /// people beside it, and the words differ.
    fn settle(&mut self) {
        let spread = |at: FieldIndex| self.spread.get(&at).copied().unwrap_or_default();
        let numbers: Vec<(FieldIndex, FieldIndex)> = self
            .list
            .indices()
            .filter(|at| matches!(self.says.get(at.get()), Some(Some(Says::Person(word, true))) if !may_be_several(word)))
            .map(|at| (self.record(at), at))
            .collect();
        let mut settled = self.ranks.clone();
        for (at, (rank, _)) in self.list.indices().zip(&mut settled) {
            let (record, is_bare) = (self.record(at), self.is_bare(at));
            let is_same = record != self.top && spread(at).is_same();
            let is_beaten = |(list, number): &(FieldIndex, FieldIndex)| {
                *list == record && spread(at).repeats_beside(spread(*number))
            };
            *rank = match *rank {
                Some(Rank::Person) if is_bare && (is_same || !self.sensitive.contains(&record)) => None,
                Some(Rank::Email | Rank::Person) if is_same => Some(Rank::Same),
                Some(Rank::Email) if record != self.top && numbers.iter().any(is_beaten) => Some(Rank::Same),
                rank => rank,
            };
        }
        self.ranks = settled;
    }

    /// Whether a field says by a word alone that it names a person: `client`, and no `clientId`.
    fn is_bare(&self, at: FieldIndex) -> bool {
        matches!(self.says.get(at.get()), Some(Some(Says::Person(_, false))))
    }

    /// Whether nothing shows that such a word differs from one to the next.
    fn is_alone(&self, at: FieldIndex) -> bool {
        self.is_bare(at) && self.spread.get(&at).is_none_or(|spread| spread.mentions < 2)
    }

    /// Within what an identifier names one and the same, and whether one person may have several.
    fn space(&self, at: FieldIndex, is_key: bool, space: &Space) -> (u64, bool) {
        let says = self.says.get(at.get()).and_then(Option::as_ref);
        if self.rank_of_key(at) == Some(Rank::Email) && is_key || !is_key && says == Some(&Says::Address) {
            return (Space::ADDRESSES, false);
        }
        match says {
            Some(Says::Person(word, _)) if !is_key => (space.of_word(word), may_be_several(word)),
            _ => {
                let mut list = self.record(at);
                if self.entries.contains(&list) {
                    list = self.list.get(list).map_or(list, |entry| entry.parent);
                }
                let name = self.list.get(list).map(|field| lower(self.list, field)).unwrap_or_default();
                let word = space.word(&name);
                (space.of_word(word), may_be_several(word))
            }
        }
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
        lists_persons(&lower(self.list, field), may_be_anything)
    }

    /// What a person is told by, in a word.
    fn word(&self, at: FieldIndex, is_key: bool) -> Arc<str> {
        let name = self.list.get(at).map(|field| self.list.name(field)).unwrap_or_default();
        match (is_key, name) {
            (true, _) => "keys".into(),
            (false, _) if self.entries.contains(&at) => "values".into(),
            (false, b"") => "elements".into(),
            (false, _) if self.is_in_map(at) => "values".into(),
            // A name may be made of a number that names somebody.
            (false, name) if name.iter().filter(|byte| byte.is_ascii_digit()).count() > MAX_NAME_DIGITS => {
                "a name with digits".into()
            }
            (false, name) => String::from_utf8_lossy(name).into(),
        }
    }

    /// Whether a field is one of several addresses beside each other whose names do not say that they are any.
    fn is_in_map(&self, at: FieldIndex) -> bool {
        let Some(field) = self.list.get(at) else { return false };
        let is_one = |(at, one): &(FieldIndex, &Field)| {
            one.parent == field.parent
                && self.says.get(at.get()) == Some(&Some(Says::Address))
                && !lower(self.list, one).contains("mail")
        };
        let mut all = self.list.indices().zip(self.list.fields());
        is_one(&(at, field)) && all.by_ref().filter(is_one).count() >= MAP
    }

    /// How many fields of that name lie in objects beside the one that this lies in.
    fn beside(&self) -> BTreeMap<(FieldIndex, &[u8]), usize> {
        let mut all = BTreeMap::new();
        for field in self.list.fields() {
            if let Some(around) = self.list.get(field.parent) {
                *all.entry((around.parent, self.list.name(field))).or_default() += 1;
            }
        }
        all
    }

    /// Whether there are more values about persons than the persons of these records account for. Whatever lies in a record
    /// that names somebody is about that one, but for numbers of which everybody has one.
    fn has_more_than(&self, persons: &BTreeSet<u64>, told: &Told) -> bool {
        let totals = Counts::whole(self.list);
        let beside = self.beside();
        let mut named: BTreeMap<FieldIndex, u32> = BTreeMap::new();
        told.whole.iter().for_each(|(field, _)| *named.entry(*field).or_default() += 1);
        let all_named =
            |record: FieldIndex| named.get(&record).is_some_and(|count| *count >= totals.of(record));
        let mut sums: BTreeMap<(FieldIndex, u16, bool), u64> = BTreeMap::new();
        for (at, field) in self.list.indices().zip(self.list.fields()) {
            let is_told = told
                .taken
                .get(&at)
                .is_some_and(|taken| self.spread.get(&at).is_some_and(|spread| spread.mentions == *taken));
            let says_address = self.says.get(at.get()) == Some(&Some(Says::Address));
            if is_told || says_address && (is_desk(self.list, field) || is_clerk(self.list, field)) {
                continue;
            }
            let (mut record, mut is_covered) = (self.record(at), false);
            while record != self.top && !is_covered {
                is_covered = all_named(record);
                record = self.around(record);
            }
            let is_map = || {
                let around = self.list.get(field.parent).map(|around| around.parent);
                around
                    .and_then(|around| beside.get(&(around, self.list.name(field))))
                    .is_some_and(|n| *n >= MAP)
            };
            is_covered |= self.record(at) == self.top && all_named(self.top) && !is_map();
            for hits in field.classes.iter().filter(|hits| hits.reported > 0) {
                let is_national = match kind(hits.class) {
                    None | Some(ClassKind::Secret | ClassKind::Crypto) => continue,
                    Some(ClassKind::NationalId) => true,
                    Some(_) if is_covered => continue,
                    Some(_) => false,
                };
                *sums.entry((self.record(at), hits.class, is_national)).or_default() +=
                    u64::from(hits.reported);
            }
        }
        sums.into_iter().any(|((record, _, is_national), sum)| {
            sum > if record == self.top && !is_national {
                persons.len() as u64
            } else {
                self.persons_around(record, told)
            }
        })
    }

    /// Persons of the records of a field, and of those around them.
    fn persons_around(&self, record: FieldIndex, told: &Told) -> u64 {
        let (mut all, mut record) = (BTreeSet::<u64>::new(), record);
        loop {
            all.extend(told.of.get(&record).into_iter().flatten());
            if record == self.top {
                return all.len() as u64;
            }
            record = self.around(record);
        }
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
            Rank::Email | Rank::Clerk => self.is_somebody(record, field),
            Rank::Person => !self.again.contains(&field),
            Rank::Same => !self.again.contains(&field) && self.is_somebody(record, field),
            Rank::Record(_) => {
                let mut around = self.named_around(record);
                !self.again.contains(&field)
                    && around.all(|around| self.shape.lists_persons(record.0, around.0 == self.shape.top))
            }
        }
    }

    /// Whether an identifier is the number of a person in a record that an address or a number tells.
    fn is_number(&self, record: Record, field: FieldIndex, rank: Rank) -> bool {
        let best = self.groups.get(&record).and_then(|group| group.best);
        rank == Rank::Person
            && matches!(best, Some(Rank::Email | Rank::Person))
            && !self.again.contains(&field)
            && !self.shape.is_bare(field)
    }

    /// Whether an address of the envelope is more than that of a desk.
    fn is_somebody(&self, record: Record, field: FieldIndex) -> bool {
        let list = self.shape.list;
        record.0 != self.shape.top
            || !self.in_lists
            || !list.get(field).is_some_and(|field| is_desk(list, field))
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

pub(super) fn kind(class: u16) -> Option<ClassKind> {
    let class = ClassId::from_number(class)?;
    Some(class.builtin().map_or(ClassKind::Own, |class| class.kind))
}
