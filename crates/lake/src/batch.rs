//! Rows in memory, a vector for each column. One that ends early has no value for the rows that are left.

use crate::schema::{Kind, Table};

/// Absent: no text is this long.
const NONE: u32 = u32::MAX;

/// The values of one column.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// Numbers, and times in milliseconds.
    Ints(Vec<Option<i64>>),
    /// Other numbers.
    Reals(Vec<Option<f64>>),
    /// Truths.
    Bools(Vec<Option<bool>>),
    /// Texts.
    Texts(Texts),
    /// Lists of texts.
    Lists(Lists),
}

/// Texts, one behind the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Texts {
    pub(crate) bytes: Vec<u8>,
    /// Begin and end of each.
    spans: Vec<(u32, u32)>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: Option<&[u8]>) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(text.unwrap_or_default());
        let span = u32::try_from(begin).ok().zip(u32::try_from(self.bytes.len()).ok());
        // Rows are written long before four gigabytes of one column are together.
        self.spans.push(span.filter(|_| text.is_some()).unwrap_or((NONE, NONE)));
    }

    fn append(&mut self, other: &Self) {
        (0..other.len()).for_each(|row| self.push(other.get(row)));
    }

    /// Where the text of that row stands.
    pub(crate) fn span(&self, row: usize) -> Option<(usize, usize)> {
        let (begin, end) = *self.spans.get(row)?;
        (begin != NONE).then_some((begin as usize, end as usize))
    }

    pub(crate) fn get(&self, row: usize) -> Option<&[u8]> {
        let (begin, end) = self.span(row)?;
        self.bytes.get(begin..end)
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }
}

/// Lists of texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    pub(crate) texts: Texts,
    /// First text of each list, and behind its last.
    spans: Vec<Option<(usize, usize)>>,
}

impl Lists {
    pub(crate) fn push<'a>(&mut self, list: Option<impl IntoIterator<Item = &'a [u8]>>) {
        let Some(list) = list else { return self.spans.push(None) };
        let begin = self.texts.len();
        list.into_iter().for_each(|text| self.texts.push(Some(text)));
        self.spans.push(Some((begin, self.texts.len())));
    }

    /// Which texts are those of that row.
    pub(crate) fn span(&self, row: usize) -> Option<(usize, usize)> {
        *self.spans.get(row)?
    }

    pub(crate) fn get(&self, row: usize) -> Option<impl Iterator<Item = &[u8]>> {
        let (begin, end) = self.span(row)?;
        Some((begin..end).filter_map(|at| self.texts.get(at)))
    }
}

impl Values {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Int | Kind::Time => Self::Ints(Vec::new()),
            Kind::Real => Self::Reals(Vec::new()),
            Kind::Bool => Self::Bools(Vec::new()),
            Kind::Text | Kind::Json => Self::Texts(Texts::default()),
            Kind::List => Self::Lists(Lists::default()),
        }
    }

    /// No value for the rows up to that one.
    fn skip_to(&mut self, row: usize) {
        let rows = row.max(self.len());
        match self {
            Self::Ints(ints) => ints.resize(rows, None),
            Self::Reals(reals) => reals.resize(rows, None),
            Self::Bools(bools) => bools.resize(rows, None),
            Self::Texts(texts) => texts.spans.resize(rows, (NONE, NONE)),
            Self::Lists(lists) => lists.spans.resize(rows, None),
        }
    }

    /// The same kind without values, with room for as many.
    fn with_room(&self) -> Self {
        let texts = |texts: &Texts| Texts {
            bytes: Vec::with_capacity(texts.bytes.len()),
            spans: Vec::with_capacity(texts.spans.len()),
        };
        match self {
            Self::Ints(ints) => Self::Ints(Vec::with_capacity(ints.len())),
            Self::Reals(reals) => Self::Reals(Vec::with_capacity(reals.len())),
            Self::Bools(bools) => Self::Bools(Vec::with_capacity(bools.len())),
            Self::Texts(all) => Self::Texts(texts(all)),
            Self::Lists(lists) => Self::Lists(Lists {
                texts: texts(&lists.texts),
                spans: Vec::with_capacity(lists.spans.len()),
            }),
        }
    }

    /// Appends values of the same kind; gives about how much memory they take.
    fn append(&mut self, other: Self) -> usize {
        match (self, other) {
            (Self::Ints(ints), Self::Ints(more)) => ints.extend(more),
            (Self::Reals(reals), Self::Reals(more)) => reals.extend(more),
            (Self::Bools(bools), Self::Bools(more)) => bools.extend(more),
            (Self::Texts(texts), Self::Texts(more)) => {
                texts.append(&more);
                return more.bytes.len();
            }
            (Self::Lists(lists), Self::Lists(more)) => {
                (0..more.spans.len()).for_each(|row| lists.push(more.get(row)));
                return more.texts.bytes.len();
            }
            _ => {}
        }
        0
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Reals(reals) => reals.len(),
            Self::Bools(bools) => bools.len(),
            Self::Texts(texts) => texts.len(),
            Self::Lists(lists) => lists.spans.len(),
        }
    }
}

/// Rows of one table: its columns, and `extra` behind them.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<Values>,
    len: usize,
    /// About as much memory as they take.
    pub(crate) bytes: usize,
}

impl Rows {
    pub(crate) fn of(table: &Table) -> Self {
        let kinds = table.columns.iter().map(|column| column.kind).chain([Kind::Json]);
        Self { columns: kinds.map(Values::of).collect(), len: 0, bytes: 0 }
    }

    /// None yet, with room for as many as these: what is written in a row is much alike.
    pub(crate) fn with_room(&self) -> Self {
        Self { columns: self.columns.iter().map(Values::with_room).collect(), len: 0, bytes: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The number of that column and row.
    pub(crate) fn int(&self, column: usize, row: usize) -> Option<i64> {
        match self.columns.get(column)? {
            Values::Ints(ints) => ints.get(row).copied().flatten(),
            _ => None,
        }
    }

    /// The truth of that column and row.
    pub(crate) fn truth(&self, column: usize, row: usize) -> Option<bool> {
        match self.columns.get(column)? {
            Values::Bools(bools) => bools.get(row).copied().flatten(),
            _ => None,
        }
    }

    /// The text of that column and row.
    pub(crate) fn text(&self, column: usize, row: usize) -> Option<&[u8]> {
        match self.columns.get(column)? {
            Values::Texts(texts) => texts.get(row),
            _ => None,
        }
    }

    /// The column of that place, to push one value to, where it has none of this row.
    pub(crate) fn open_column(&mut self, at: usize) -> Option<&mut Values> {
        let values = self.columns.get_mut(at).filter(|values| values.len() <= self.len)?;
        values.skip_to(self.len);
        Some(values)
    }

    /// Puts a number into a column of the row; one that has a value keeps it.
    pub(crate) fn put_int(&mut self, at: usize, number: i64) {
        if let Some(Values::Ints(ints)) = self.open_column(at) {
            ints.push(Some(number));
        }
    }

    /// The same of a text.
    pub(crate) fn put_text(&mut self, at: usize, text: &[u8]) {
        if let Some(Values::Texts(texts)) = self.open_column(at) {
            texts.push(Some(text));
        }
    }

    /// Ends a row: what it has no value for is absent.
    pub(crate) const fn end_row(&mut self, bytes: usize) {
        self.len += 1;
        self.bytes += bytes + 8 * self.columns.len();
    }

    /// Appends rows: their columns, those that their file has.
    pub(crate) fn append(&mut self, columns: Vec<Option<Values>>, rows: usize) {
        let mut bytes = 0;
        for (to, from) in self.columns.iter_mut().zip(columns) {
            let Some(from) = from else { continue };
            to.skip_to(self.len);
            bytes += to.append(from);
        }
        self.len += rows;
        self.bytes += bytes + 8 * self.columns.len() * rows;
    }

    /// The times of the rows.
    pub(crate) fn times(&self) -> &[Option<i64>] {
        match self.columns.first() {
            Some(Values::Ints(times)) => times,
            _ => &[],
        }
    }

    /// The rows in the order of time.
    pub(crate) fn order(&self) -> Vec<usize> {
        let times = self.times();
        let mut order: Vec<usize> = (0..self.len).collect();
        order.sort_by_key(|row| times.get(*row).copied().flatten());
        order
    }
}
