//! The lake as the console asks it.

use super::Shared;
use std::path::Path;
use std::sync::Arc;
use tapwire_console::Tables;

#[cfg(feature = "lake")]
pub(super) fn open(shared: &Arc<Shared>) -> Result<Arc<dyn Tables>, String> {
    let data = shared.data.as_deref().ok_or("These are captures, of which nothing is kept.")?;
    match are_kept(data) {
        true => Ok(Arc::new(lake::Lake::of(Arc::clone(shared), data))),
        false => Err("Nothing was written into tables there yet.".to_owned()),
    }
}

#[cfg(not(feature = "lake"))]
pub(super) fn open(_shared: &Arc<Shared>) -> Result<Arc<dyn Tables>, String> {
    Err("This build has no lake: packages have it, or build with `cargo build --release --features lake`."
        .to_owned())
}

/// Calls of each hour of the last three days; nothing where that cannot be read.
#[cfg(feature = "lake")]
pub(super) fn hours(data: &Path, last: &str) -> Vec<(String, u64)> {
    if are_kept(data) { lake::hours(data, last).unwrap_or_default() } else { Vec::new() }
}

#[cfg(not(feature = "lake"))]
pub(super) fn hours(_data: &Path, _last: &str) -> Vec<(String, u64)> {
    Vec::new()
}

/// Whether there is something to ask.
#[cfg(feature = "lake")]
pub(super) fn are_kept(data: &Path) -> bool {
    data.join(tapwire_lake::ROOM).is_dir()
}

#[cfg(not(feature = "lake"))]
pub(super) fn are_kept(_data: &Path) -> bool {
    false
}

#[cfg(feature = "lake")]
mod lake {
    use super::Shared;
    use jiff::{SignedDuration, Timestamp};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::io::ErrorKind;
    use std::ops::ControlFlow;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;
    use tapwire_console::{Answer, Limits, Query, Table, Tables};
    use tapwire_inspect::TokenKey;
    use tapwire_lake::{Answer as Piece, Bounds, Cell, LakeError, Reader, TABLES, VIEWS};
    use tapwire_store::write_private;

    /// Users' own queries, under `--data`.
    const QUERIES: &str = "queries.json";
    /// More are a list that nobody reads.
    const MOST_QUERIES: usize = 200;
    /// Hours that are drawn, and seconds of one.
    const HOURS: i64 = 72;
    const HOUR: i64 = 3_600;
    /// What a cell takes beside its text.
    const CELL: usize = 32;
    /// The page with the queries that come with the product.
    const MANUAL: &str = include_str!("../../../docs/lake.md");

    pub(super) struct Lake {
        shared: Arc<Shared>,
        data: PathBuf,
    }

    impl Lake {
        pub(super) fn of(shared: Arc<Shared>, data: &Path) -> Self {
            Self { shared, data: data.to_owned() }
        }

        /// The key of the tokens in the tables; without one, `token()` says so.
        fn key(&self) -> Option<TokenKey> {
            if let Some(file) = &self.shared.args.token_key {
                return crate::sense::load_key(Some(file), None).ok();
            }
            let kept = tapwire_store::Reader::open(&self.data).and_then(|reader| reader.token_key());
            kept.ok().map(|key| TokenKey::new(*key.bytes()))
        }

        fn found(&self, query: &str) -> Result<Answer, LakeError> {
            let key = self.key();
            let reader = Reader::open(&self.data)?
                .with_tokens(move |name| Some(crate::lake::shown(key.as_ref()?, name)))?;
            let limits = self.limits();
            let (_, memory) = self.shared.hunt.sizes().unwrap_or_default();
            let bounds = Bounds {
                time: Duration::from_secs(limits.seconds),
                memory: memory as u64,
                value: u32::try_from(limits.bytes).unwrap_or(u32::MAX),
            };
            let mut taken = Taken { answer: Answer::default(), bytes: 0, limits };
            reader.query_within(&bounds, query, &mut |piece| taken.take(piece))?;
            Ok(taken.answer)
        }

        /// Users' queries; a file that is none is told, or it would be replaced.
        fn own(&self) -> Result<Vec<Query>, String> {
            let path = self.data.join(QUERIES);
            let text = match std::fs::read(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(format!("{}: {error}", path.display())),
            };
            let lines: Vec<Value> = serde_json::from_slice(&text)
                .map_err(|_| format!("{}: this is no list of queries; move it away", path.display()))?;
            let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let query = |line: &Value| Query {
                title: text(line, "title"),
                text: text(line, "query"),
                by: text(line, "by"),
            };
            Ok(lines.iter().map(query).collect())
        }

        fn change(&self, change: impl FnOnce(&mut Vec<Query>) -> Result<(), String>) -> Result<(), String> {
            let _alone = crate::stored::alone(&self.data).map_err(|failure| failure.to_string())?;
            let mut own = self.own()?;
            change(&mut own)?;
            own.sort_by(|one, other| one.title.cmp(&other.title));
            let line = |query: &Query| json!({"title": query.title, "query": query.text, "by": query.by});
            let lines: Vec<Value> = own.iter().map(line).collect();
            let text = serde_json::to_string_pretty(&lines).unwrap_or_default() + "\n";
            write_private(&self.data.join(QUERIES), text.as_bytes()).map_err(|error| error.to_string())
        }
    }

    impl Tables for Lake {
        fn described(&self) -> Vec<Table> {
            let tables = TABLES.iter().map(|table| Table {
                name: table.name.to_owned(),
                what: table.comment.to_owned(),
                columns: table
                    .columns
                    .iter()
                    .map(|one| (one.name.to_owned(), one.comment.to_owned()))
                    .collect(),
            });
            let views = VIEWS.iter().map(|view| Table {
                name: view.name.to_owned(),
                what: view.comment.to_owned(),
                columns: Vec::new(),
            });
            tables.chain(views).collect()
        }

        fn limits(&self) -> Limits {
            let hunt = &self.shared.hunt;
            // What cannot be read was refused when the console began.
            let (bytes, _) = hunt.sizes().unwrap_or_default();
            Limits { rows: hunt.rows, seconds: hunt.seconds, bytes }
        }

        fn ask(&self, query: &str) -> Result<Answer, String> {
            let query = query.trim().trim_end_matches(';');
            self.found(query).map_err(|error| error.to_string())
        }

        fn kept(&self) -> Vec<Query> {
            // What is wrong with the file is told to who changes it.
            recipes().chain(self.own().unwrap_or_default()).collect()
        }

        fn keep(&self, query: &Query) -> Result<(), String> {
            if recipes().any(|recipe| recipe.title == query.title) {
                return Err("a query that comes with the product has that title".to_owned());
            }
            self.change(|own| {
                own.retain(|known| known.title != query.title);
                if own.len() >= MOST_QUERIES {
                    return Err(format!("{MOST_QUERIES} queries are kept; forget one first"));
                }
                own.push(query.clone());
                Ok(())
            })
        }

        fn forget(&self, title: &str) -> Result<(), String> {
            self.change(|own| {
                own.retain(|known| known.title != title);
                Ok(())
            })
        }
    }

    /// Calls of each hour before a time, those without any among them.
    pub(super) fn hours(data: &Path, last: &str) -> Option<Vec<(String, u64)>> {
        let last: Timestamp = last.parse().ok()?;
        let from = last - SignedDuration::from_hours(HOURS);
        let query =
            format!("SELECT time, sum(calls) FROM usage WHERE time > '{from}' GROUP BY time ORDER BY time");
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        let take = &mut |piece: Piece<'_>| {
            if let Piece::Row([Cell::Text(time), Cell::Int(calls)]) = piece
                && let Ok(time) = time.parse::<Timestamp>()
            {
                counts.insert(time.as_second().div_euclid(HOUR), u64::try_from(*calls).unwrap_or(0));
            }
            ControlFlow::Continue(())
        };
        Reader::open(data).ok()?.query(&query, take).ok()?;
        let (first, last) = (*counts.keys().next()?, *counts.keys().last()?);
        let told = |hour: i64| {
            let time = Timestamp::from_second(hour * HOUR).ok()?.to_string();
            Some((time.get(..16)?.replace('T', " "), counts.get(&hour).copied().unwrap_or(0)))
        };
        (first..=last).map(told).collect()
    }

    /// An answer as far as it is taken.
    struct Taken {
        answer: Answer,
        bytes: usize,
        limits: Limits,
    }

    impl Taken {
        fn take(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
            let cells = match piece {
                Piece::Columns(names) => {
                    self.answer.columns = names.to_vec();
                    return ControlFlow::Continue(());
                }
                Piece::Row(cells) => cells,
            };
            let size = |cell: &Cell| CELL + if let Cell::Text(text) = cell { text.len() } else { 0 };
            self.bytes += cells.iter().map(size).sum::<usize>();
            let Limits { rows, bytes, .. } = self.limits;
            if self.answer.rows.len() >= rows {
                self.answer.cut = format!("There are more rows than {rows}: these are the first.");
                return ControlFlow::Break(());
            }
            if self.bytes > bytes {
                self.answer.cut =
                    "There are more rows, which would be too many bytes: these are the first.".into();
                return ControlFlow::Break(());
            }
            self.answer.rows.push(cells.iter().map(value).collect());
            ControlFlow::Continue(())
        }
    }

    fn value(cell: &Cell) -> Value {
        match cell {
            Cell::Null => Value::Null,
            Cell::Int(number) => (*number).into(),
            Cell::Real(number) => (*number).into(),
            Cell::Text(text) => text.as_str().into(),
        }
    }

    /// The queries of the manual, each under the first sentence before it.
    fn recipes() -> impl Iterator<Item = Query> {
        let pieces: Vec<&str> = MANUAL.split("```sql\n").collect();
        let pairs: Vec<Query> =
            pieces.windows(2).filter_map(|pair| recipe(pair.first()?, pair.get(1)?)).collect();
        pairs.into_iter()
    }

    fn recipe(before: &str, after: &str) -> Option<Query> {
        let paragraph = before.trim_end().rsplit("\n\n").next()?.replace('\n', " ");
        let end = paragraph.find(['?', ':', '.']).map_or(paragraph.len(), |at| at + 1);
        let title = paragraph.get(..end)?.trim_end_matches([':', '.']).to_owned();
        let text = after.split("```").next()?.trim_end().to_owned();
        Some(Query { title, text, by: String::new() })
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::collections::BTreeSet;
        use tapwire_console::{MOST_QUERY, MOST_TITLE};

        #[test]
        fn recipes_of_the_manual_have_titles_of_their_own() {
            let all: Vec<Query> = recipes().collect();
            let titles: BTreeSet<&str> = all.iter().map(|query| query.title.as_str()).collect();
            assert!(all.len() >= 12 && titles.len() == all.len(), "{titles:?}");
            assert!(titles.contains("Who got sensitive data without a credential?"), "{titles:?}");
            for query in &all {
                assert!(query.title.len() <= MOST_TITLE && !query.title.is_empty(), "{}", query.title);
                assert!(query.text.len() <= MOST_QUERY && !query.text.contains("```"), "{}", query.text);
            }
        }

        #[test]
        fn an_answer_is_cut_at_its_limits() {
            let take = |rows: usize, bytes: usize| {
                let limits = Limits { rows, seconds: 1, bytes };
                let mut taken = Taken { answer: Answer::default(), bytes: 0, limits };
                let cell = [Cell::Text("x".repeat(68))];
                while taken.answer.rows.len() < 20 && taken.take(Piece::Row(&cell)).is_continue() {}
                (taken.answer.rows.len(), taken.answer.cut.is_empty())
            };
            assert_eq!(
                (take(5, 1 << 20), take(50, 1_000), take(50, 1 << 20)),
                ((5, false), (10, false), (20, true))
            );
        }
    }
}
