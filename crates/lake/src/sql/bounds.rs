//! Bounds for queries of people who may ask, but not wear out the machine that answers.

use super::{Answer, Reader, linear};
use crate::error::LakeError;
use rusqlite::limits::Limit;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// What a query may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long it runs.
    pub time: Duration,
    /// Bytes of SQLite's memory: of all queries of this process together, as SQLite has one heap, and never raised again.
    pub memory: u64,
    /// Bytes of one value.
    pub value: u32,
}

impl Reader {
    /// The same as [`Reader::query`] within bounds. What is no query is refused, also what would change only settings; what does
    /// not fit into memory is not put into a file.
    ///
    /// # Errors
    /// As of [`Reader::query`]; the time or the memory was not enough.
    pub fn query_within(
        &self,
        bounds: &Bounds,
        text: &str,
        take: &mut dyn FnMut(Answer<'_>) -> ControlFlow<()>,
    ) -> Result<(), LakeError> {
        if !asks(text) {
            return Err(LakeError::Query("only queries: they begin with SELECT, WITH or VALUES".into()));
        }
        self.bound(bounds).map_err(|error| LakeError::Query(error.to_string()))?;
        let (stop, is_late) = (self.connection.get_interrupt_handle(), AtomicBool::new(false));
        let (done, waiting) = mpsc::channel::<()>();
        let answered = std::thread::scope(|scope| {
            let (stop, is_late) = (&stop, &is_late);
            scope.spawn(move || {
                if waiting.recv_timeout(bounds.time) == Err(mpsc::RecvTimeoutError::Timeout) {
                    is_late.store(true, Ordering::Relaxed);
                    stop.interrupt();
                }
            });
            let answered = self.query(text, take);
            drop(done);
            answered
        });
        match answered {
            Err(_) if is_late.load(Ordering::Relaxed) => Err(LakeError::Query(format!(
                "stopped after {} s: bound the time (WHERE time > '2026-11-21T00:00:00Z'), or ask with `tapwire sql`, which takes the time it needs",
                bounds.time.as_secs()
            ))),
            answered => answered,
        }
    }

    fn bound(&self, bounds: &Bounds) -> rusqlite::Result<()> {
        self.connection.execute_batch(&format!(
            "PRAGMA temp_store = MEMORY; PRAGMA hard_heap_limit = {};",
            bounds.memory
        ))?;
        let value = i32::try_from(bounds.value).unwrap_or(i32::MAX);
        self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, value)?;
        linear::replace(&self.connection, usize::try_from(value).unwrap_or_default())
    }
}

/// Whether the first word, after comments, is that of a query.
fn asks(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        let after = match rest.as_bytes() {
            [b'-', b'-', ..] => rest.split_once('\n').map(|(_, after)| after),
            [b'/', b'*', ..] => rest.get(2..).and_then(|rest| rest.split_once("*/")).map(|(_, after)| after),
            _ => break,
        };
        let Some(after) = after else { return false };
        rest = after.trim_start();
    }
    let end = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default();
    ["select", "with", "values", "explain"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(60), memory: 64 << 20, value: 1 << 20 };

    fn reader() -> (tempfile::TempDir, Reader) {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join(crate::ROOM)).unwrap();
        let reader = Reader::open(data.path()).unwrap();
        (data, reader)
    }

    fn ask(bounds: &Bounds, text: &str) -> Result<u64, String> {
        let (_data, reader) = reader();
        let mut rows = 0;
        let mut take = |piece: Answer<'_>| {
            rows += u64::from(matches!(piece, Answer::Row(_)));
            ControlFlow::Continue(())
        };
        let answered = reader.query_within(bounds, text, &mut take).map_err(|error| error.to_string());
        answered.map(|()| rows)
    }

    #[test]
    fn only_queries_are_carried_out() {
        for text in ["SELECT 1", " -- why\n/* a */ with x AS (SELECT 1) SELECT * FROM x", "values (1)"] {
            assert_eq!(ask(&BOUNDS, text), Ok(1), "{text}");
        }
        for text in [
            "PRAGMA hard_heap_limit = 0",
            "/**/ pragma temp_store = FILE",
            "ATTACH '/tmp/x' AS x",
            "VACUUM INTO '/tmp/x'",
            "/* SELECT",
            "-- SELECT 1",
            "",
        ] {
            assert!(ask(&BOUNDS, text).unwrap_err().starts_with("only queries"), "{text}");
        }
        let written = "WITH x AS (SELECT 1) INSERT INTO exchanges SELECT * FROM x";
        assert!(ask(&BOUNDS, written).is_err(), "tables are not written");
        assert!(ask(&BOUNDS, "SELECT event()").unwrap_err().contains("not the columns"));
    }

    #[test]
    fn a_query_without_an_end_ends() {
        let endless =
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
        let short = Bounds { time: Duration::from_millis(200), ..BOUNDS };
        assert!(ask(&short, endless).unwrap_err().starts_with("stopped after 0 s"));
    }

    #[test]
    fn no_function_works_for_hours() {
        // A function is not interrupted: with SQLite's own this test does not end.
        let (a, b) =
            ("replace(hex(zeroblob(100000)), '00', 'aa')", "replace(hex(zeroblob(50000)), '00', 'aa')");
        for query in [
            format!("SELECT length(trim(replace({a}, 'a', 'c'), {b} || 'b'))"),
            format!("SELECT instr({a}, {b} || 'b')"),
            format!("SELECT length(replace({a}, {b} || 'b', 'x'))"),
        ] {
            assert_eq!(ask(&BOUNDS, &query), Ok(1), "{query}");
        }
    }

    #[test]
    fn a_query_takes_no_more_memory_than_that() {
        let large = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000000) \
                     SELECT x, hex(randomblob(500)) AS r FROM n ORDER BY r";
        assert!(ask(&BOUNDS, large).unwrap_err().contains("out of memory"));
        assert!(ask(&BOUNDS, "SELECT zeroblob(2000000)").unwrap_err().contains("too big"));
    }
}
