//! Tables over many rows: filtered by words, sorted by a column, cut into pages. What is asked stands in the address, so that a
//! view can be kept and sent.

use crate::text::{count, counted};
use maud::{Markup, html};
use std::cmp::Ordering;
use std::fmt::Write;

/// Rows of one page.
pub(crate) const PAGE: usize = 100;
/// Bytes of a parameter: a host has 255 at most, and nobody types more. Every link of a page repeats what was asked.
const MOST_VALUE: usize = 256;

/// What is asked of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// What all rows contain, as it was typed.
    pub(crate) words: String,
    /// The column, and whether its smallest comes first.
    pub(crate) sort: Option<(String, bool)>,
    /// From 0.
    pub(crate) page: usize,
    /// Other parameters: names with values.
    pub(crate) only: Vec<(String, String)>,
}

impl Ask {
    /// Of the parameters of an address, for a table of such rows.
    ///
    /// # Errors
    /// One that such rows do not know, that is given twice, that is too long, or that is no column or page; in a line.
    pub(crate) fn of<R: Searched>(parameters: Vec<(String, String)>) -> Result<Self, String> {
        let mut ask = Self::default();
        let mut given: Vec<String> = Vec::new();
        for (name, value) in parameters {
            if !["q", "sort", "page"].contains(&name.as_str()) && !R::FILTERS.contains(&name.as_str()) {
                return Err(format!("no such parameter; there are q, sort, page, {}", R::FILTERS.join(", ")));
            }
            if value.len() > MOST_VALUE {
                return Err(format!("{name}: at most {MOST_VALUE} bytes"));
            }
            if given.contains(&name) {
                return Err(format!("{name}: is given twice"));
            }
            given.push(name.clone());
            ask.put::<R>(name, value)?;
        }
        Ok(ask)
    }

    fn put<R: Searched>(&mut self, name: String, value: String) -> Result<(), String> {
        match name.as_str() {
            "q" => self.words = value,
            // The form sends it empty for the usual order.
            "sort" if value.is_empty() => {}
            "sort" => {
                let (column, rising) = value.strip_prefix('-').map_or((&*value, true), |rest| (rest, false));
                if !R::has_column(column) {
                    return Err("sort: these rows have no such column".to_owned());
                }
                self.sort = Some((column.to_owned(), rising));
            }
            "page" => {
                let page = value.parse().ok().and_then(|page: u32| page.checked_sub(1));
                self.page = page.ok_or("page: a number from 1 on")? as usize;
            }
            _ if !value.is_empty() => self.only.push((name, value)),
            _ => {}
        }
        Ok(())
    }

    /// What is asked of a parameter beside the usual ones.
    pub(crate) fn only(&self, name: &str) -> Option<&str> {
        self.only.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The part of an address that asks this.
    pub(crate) fn address(&self, path: &str) -> String {
        let mut address = path.to_owned();
        let mut put = |name: &str, value: &str| {
            let lead = if address.contains('?') { '&' } else { '?' };
            // Text grows without failing.
            let _ = write!(address, "{lead}{}={}", escaped(name), escaped(value));
        };
        self.only.iter().for_each(|(name, value)| put(name, value));
        if !self.words.is_empty() {
            put("q", &self.words);
        }
        if let Some((column, rising)) = &self.sort {
            put("sort", &format!("{}{column}", if *rising { "" } else { "-" }));
        }
        if self.page > 0 {
            put("page", &(self.page + 1).to_string());
        }
        address
    }
}

/// A component of an address, by RFC 3986.
pub(crate) fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            // Text grows without failing.
            let _ = write!(all, "%{byte:02X}");
        }
    }
    all
}

/// By what a row is sorted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'r> {
    Number(u64),
    Text(&'r str),
}

impl Key<'_> {
    fn cmp(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.cmp(&other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// A column of rows.
pub(crate) struct Column<R: 'static> {
    /// In addresses.
    pub(crate) name: &'static str,
    /// Over its cells.
    pub(crate) title: &'static str,
    /// Whether it has cells of its own; others are shown in another's cell, and sorted by.
    pub(crate) own: bool,
    pub(crate) key: fn(&R) -> Key<'_>,
    pub(crate) cell: fn(&R) -> Markup,
}

/// A row that can be searched.
pub(crate) trait Searched {
    /// What files of such rows are called.
    const FILE: &'static str;

    /// The parameters that [`Searched::is`] knows.
    const FILTERS: &'static [&'static str];

    /// Whether rows are sorted by a column of that name.
    fn has_column(name: &str) -> bool;

    /// Whether one of its texts contains a word in lower case.
    fn has(&self, word: &str) -> bool;

    /// Whether it is what a parameter of that name asks for; `None` where it knows no such parameter.
    fn is(&self, name: &str, value: &str) -> Option<bool>;
}

/// Whether a text contains a word in lower case.
pub(crate) fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() {
        return text.len() >= word.len()
            && text
                .as_bytes()
                .windows(word.len().max(1))
                .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
            || word.is_empty();
    }
    text.to_lowercase().contains(word)
}

/// The rows of a page, and how many there are in all.
pub(crate) struct Found<'r, R> {
    pub(crate) rows: Vec<&'r R>,
    pub(crate) all: usize,
}

/// Finds what is asked.
pub(crate) fn find<'r, R: Searched>(
    rows: impl Iterator<Item = &'r R>,
    columns: &[Column<R>],
    ask: &Ask,
) -> Found<'r, R> {
    let all = sorted(rows, columns, ask);
    let count = all.len();
    let pages = count.div_ceil(PAGE).max(1);
    let from = ask.page.min(pages - 1) * PAGE;
    Found { rows: all.into_iter().skip(from).take(PAGE).collect(), all: count }
}

/// Every row that is asked for, in order.
pub(crate) fn sorted<'r, R: Searched>(
    rows: impl Iterator<Item = &'r R>,
    columns: &[Column<R>],
    ask: &Ask,
) -> Vec<&'r R> {
    let words: Vec<String> = ask.words.split_whitespace().map(str::to_lowercase).collect();
    let fits = |row: &&R| {
        ask.only.iter().all(|(name, value)| row.is(name, value) != Some(false))
            && words.iter().all(|word| row.has(word))
    };
    let mut all: Vec<&R> = rows.filter(fits).collect();
    if let Some((name, rising)) = &ask.sort
        && let Some(column) = columns.iter().find(|column| column.name == name)
    {
        all.sort_by(|one, other| {
            let order = (column.key)(one).cmp((column.key)(other));
            if *rising { order } else { order.reverse() }
        });
    }
    all
}

/// The table, its search field and its pages.
pub(crate) fn table<'r, R: Searched + 'static>(
    path: &str,
    rows: impl Iterator<Item = &'r R>,
    columns: &[Column<R>],
    ask: &Ask,
    what: &str,
) -> Markup {
    let found = find(rows, columns, ask);
    html! {
        (filter(path, &titles(columns), ask, what, found.all))
        (filters(path, ask))
        @if found.rows.is_empty() { p.empty { "No " (what) " matches. " a href=(path) { "Show all" } "." } } @else {
            div.scroll tabindex="0" role="region" aria-label=(format!("Table of {what}s")) {
                table.list.rows {
                    thead { tr { @for column in columns.iter().filter(|column| column.own) { (head(path, column.name, column.title, ask, found.rows.first().and_then(|row| class_of::<R>(row, column)))) } } }
                    tbody {
                        @for row in &found.rows { tr { @for column in columns.iter().filter(|column| column.own) { (cell::<R>(row, column)) } } }
                    }
                }
            }
            div.foot { (pages(path, ask, found.all)) (files::<R>(ask)) }
        }
    }
}

fn titles<R>(columns: &[Column<R>]) -> Vec<(&str, &str)> {
    columns.iter().map(|column| (column.name, column.title)).collect()
}

/// The field for words, and what to sort by, each with its title: on a narrow screen there is no head to press.
pub(crate) fn filter(path: &str, columns: &[(&str, &str)], ask: &Ask, what: &str, all: usize) -> Markup {
    let order = |name: &str, rising: bool| format!("{}{name}", if rising { "" } else { "-" });
    let chosen = ask.sort.as_ref().map(|(name, rising)| format!("{}{name}", if *rising { "" } else { "-" }));
    html! {
        form.filter method="get" action=(path) role="search" {
            @for (name, value) in &ask.only { input type="hidden" name=(name) value=(value); }
            label { span.hidden { "Filter " (what) "s" }
                input type="search" name="q" value=(ask.words) placeholder=(format!("Filter {what}s by words")) autocomplete="off";
            }
            label.sort { span { "Sort by " }
                select name="sort" {
                    option value="" selected[chosen.is_none()] { "the usual order" }
                    @for ((name, title), rising) in columns.iter().flat_map(|column| [(column, false), (column, true)]) {
                        @let value = order(name, rising);
                        option value=(value) selected[chosen.as_ref() == Some(&value)] { (title) @if rising { " ↑" } @else { " ↓" } }
                    }
                }
            }
            noscript { button type="submit" { "Show" } }
            span.found role="status" { (counted(all as u64, what)) }
        }
    }
}

/// What else is asked for, each with a way to let it go.
fn filters(path: &str, ask: &Ask) -> Markup {
    let without = |at: usize| {
        let mut rest = Ask { page: 0, ..ask.clone() };
        rest.only.remove(at);
        rest.address(path)
    };
    // The page of an incident has its findings only: that is nothing to let go.
    let shown: Vec<_> = ask.only.iter().enumerate().filter(|(_, (name, _))| name != "incident").collect();
    html! {
        @if !shown.is_empty() {
            p.filters {
                @for (at, (name, value)) in shown {
                    a.chip href=(without(at)) { (name) ": " b { (value) } span.hidden { " (remove this filter)" } span aria-hidden="true" { " ×" } } " "
                }
            }
        }
    }
}

/// The same rows as files.
fn files<R: Searched>(ask: &Ask) -> Markup {
    let whole = Ask { page: 0, ..ask.clone() };
    let address = |kind: &str| whole.address(&format!("/export/{}.{kind}", R::FILE));
    html! { p.files { "All rows as " a href=(address("csv")) download { "CSV" } " or " a href=(address("json")) download { "JSON" } } }
}

/// Columns that are sorted by a number and show words.
const WORDS: [&str; 3] = ["level", "classes", "risk"];

/// Numbers stand below each other by their last digit, and below the title.
fn class_of<R>(row: &R, column: &Column<R>) -> Option<&'static str> {
    let is_number = matches!((column.key)(row), Key::Number(_)) && !WORDS.contains(&column.name);
    is_number.then_some("number")
}

fn cell<R>(row: &R, column: &Column<R>) -> Markup {
    html! { td class=[class_of(row, column)] data-title=(column.title) { ((column.cell)(row)) } }
}

/// The head of a column, by which rows are sorted.
pub(crate) fn head(path: &str, name: &str, title: &str, ask: &Ask, class: Option<&str>) -> Markup {
    let now = ask.sort.as_ref().filter(|(known, _)| known == name).map(|(_, rising)| *rising);
    // The first press shows the most.
    let rising = now.is_some_and(|rising| !rising);
    let next = Ask { sort: Some((name.to_owned(), rising)), page: 0, ..ask.clone() };
    let order = now.map(|rising| if rising { "ascending" } else { "descending" });
    html! {
        th class=[class] scope="col" aria-sort=[order] {
            a href=(next.address(path)) {
                (title)
                @if let Some(rising) = now { span.arrow aria-hidden="true" { @if rising { "↑" } @else { "↓" } } }
            }
        }
    }
}

/// Ways to the pages before and after.
pub(crate) fn pages(path: &str, ask: &Ask, all: usize) -> Markup {
    let last = all.div_ceil(PAGE).max(1) - 1;
    let page = ask.page.min(last);
    let to = |page: usize| Ask { page, ..ask.clone() }.address(path);
    html! {
        @if last > 0 {
            nav.pages aria-label="Pages of the table" {
                @if page > 0 { a rel="prev" href=(to(page - 1)) { "← Before" } }
                span { "Page " (count(page as u64 + 1)) " of " (count(last as u64 + 1)) }
                @if page < last { a rel="next" href=(to(page + 1)) { "Next →" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(&'static str, u64);

    impl Searched for Row {
        const FILE: &'static str = "rows";
        const FILTERS: &'static [&'static str] = &["least", "service"];

        fn has_column(name: &str) -> bool {
            COLUMNS.iter().any(|column| column.name == name)
        }

        fn is(&self, name: &str, value: &str) -> Option<bool> {
            (name == "least").then(|| value.parse().is_ok_and(|least: u64| self.1 >= least))
        }

        fn has(&self, word: &str) -> bool {
            contains(self.0, word)
        }
    }

    const COLUMNS: &[Column<Row>] = &[
        Column {
            name: "name",
            title: "Name",
            own: true,
            key: |row| Key::Text(row.0),
            cell: |row| html! { (row.0) },
        },
        Column {
            name: "calls",
            title: "Calls",
            own: true,
            key: |row| Key::Number(row.1),
            cell: |row| html! { (row.1) },
        },
    ];

    fn ask(query: &[(&str, &str)]) -> Ask {
        tried(query).unwrap()
    }

    fn tried(query: &[(&str, &str)]) -> Result<Ask, String> {
        let owned = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ask::of::<Row>(owned.collect())
    }

    #[test]
    fn what_rows_do_not_know_is_refused() {
        let long = "x".repeat(MOST_VALUE + 1);
        assert!(tried(&[("a", "1")]).unwrap_err().contains("there are q, sort, page, least, service"));
        assert!(tried(&[("least", "1"), ("least", "1")]).unwrap_err().contains("least: is given twice"));
        assert!(tried(&[("q", "1"), ("q", "")]).is_err());
        assert!(tried(&[("service", long.as_str())]).unwrap_err().contains("at most 256 bytes"));
        assert!(tried(&[("q", long.as_str())]).is_err() && tried(&[("sort", long.as_str())]).is_err());
        assert!(tried(&[("sort", "none such")]).is_err() && tried(&[("sort", "--calls")]).is_err());
        for page in ["", "0", "-1", "one", "99999999999999999999999"] {
            assert!(tried(&[("page", page)]).unwrap_err().contains("from 1 on"), "{page}");
        }
    }

    #[test]
    fn rows_are_filtered_sorted_and_cut_into_pages() {
        let rows = [Row("Orders", 3), Row("users", 9), Row("orders of users", 5)];
        let found = |query: &[(&str, &str)]| -> Vec<u64> {
            find(rows.iter(), COLUMNS, &ask(query)).rows.iter().map(|row| row.1).collect()
        };
        assert_eq!(found(&[("q", "ORDERS"), ("sort", "-calls")]), [5, 3]);
        assert_eq!(found(&[("q", "orders users")]), [5]);
        assert_eq!(found(&[("sort", "calls")]), [3, 5, 9]);
        assert_eq!(found(&[("sort", ""), ("page", "99")]), [3, 9, 5]);
        assert_eq!(found(&[("least", "5")]), [9, 5]);
        let many: Vec<Row> = (0..250).map(|at| Row("x", at)).collect();
        let third = find(many.iter(), COLUMNS, &ask(&[("page", "3")]));
        assert_eq!((third.rows.len(), third.rows[0].1, third.all), (50, 200, 250));
    }

    #[test]
    fn what_is_asked_can_be_asked_again() {
        let asked =
            ask(&[("q", "a&b=c <é>"), ("sort", "-calls"), ("page", "4"), ("service", "shop.example:8080")]);
        let address = asked.address("/apis");
        assert_eq!(
            address,
            "/apis?service=shop.example%3A8080&q=a%26b%3Dc%20%3C%C3%A9%3E&sort=-calls&page=4"
        );
    }

    #[test]
    fn text_is_never_markup() {
        let rows = [Row("<script>alert(1)</script>", 1)];
        let hostile = ask(&[("q", "\"><script>"), ("service", "\"><script>")]);
        for page in [hostile, Ask::default()] {
            let text = table("/apis", rows.iter(), COLUMNS, &page, "row").into_string();
            assert!(!text.contains("<script"), "{text}");
        }
    }
}
