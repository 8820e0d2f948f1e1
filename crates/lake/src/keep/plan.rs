//! What retention takes out: by days, then by bytes. Pure: the tables, the policy and the day come in.

use super::Policy;
use super::holds::Hold;
use crate::log::{Part, Snapshot};
use crate::schema::{Table, Worth};
use crate::time;

/// A table as retention sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) table: &'static Table,
    pub(super) snapshot: &'a Snapshot,
}

/// Files that go, for each table in the order in which tables came.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    pub(super) by_days: Vec<Vec<&'a Part>>,
    pub(super) by_bytes: Vec<Vec<&'a Part>>,
    /// Bytes beyond the limit that nothing may go for.
    pub(super) over: u64,
    /// Files that stay only because they are held.
    pub(super) held: u64,
}

impl<'a> Plan<'a> {
    pub(super) fn of(tables: &[Kept<'a>], holds: &[Hold], policy: &Policy, today: i64) -> Self {
        let mut plan = Self::default();
        let mut left = Vec::new();
        for kept in tables {
            let days = policy.days.get(kept.table.name).copied().unwrap_or_default();
            let parts = kept.snapshot.parts.values();
            let (old, young): (Vec<&Part>, Vec<&Part>) = parts.partition(|part| is_old(part, days, today));
            let (held, gone): (Vec<&Part>, Vec<&Part>) =
                old.into_iter().partition(|part| is_held(part, holds));
            plan.held += held.len() as u64;
            plan.by_days.push(gone);
            left.push(young.into_iter().chain(held).collect::<Vec<_>>());
        }
        plan.by_bytes = vec![Vec::new(); tables.len()];
        if policy.bytes > 0 {
            plan.shrink(tables, &left, holds, policy, today);
        }
        plan
    }

    /// The oldest files of what is worth least go until the rest is within the limit.
    fn shrink(
        &mut self,
        tables: &[Kept<'a>],
        left: &[Vec<&'a Part>],
        holds: &[Hold],
        policy: &Policy,
        today: i64,
    ) {
        let total: u64 = left.iter().flatten().map(|part| part.bytes).sum();
        let mut over = total.saturating_sub(policy.bytes);
        for worth in [Worth::Least, Worth::More] {
            let of_worth = tables.iter().zip(left).enumerate();
            let of_worth = of_worth.filter(|(_, (kept, _))| kept.table.worth == worth);
            let mut parts: Vec<(usize, &Part)> =
                of_worth.flat_map(|(at, (_, parts))| parts.iter().map(move |part| (at, *part))).collect();
            parts.sort_by(|(_, a), (_, b)| (&a.day, a.times, &a.path).cmp(&(&b.day, b.times, &b.path)));
            for (at, part) in parts {
                if over == 0 {
                    return;
                }
                if is_held(part, holds) {
                    // Those of old days were counted where days were looked at.
                    let days = tables.get(at).and_then(|kept| policy.days.get(kept.table.name));
                    self.held += u64::from(!is_old(part, days.copied().unwrap_or_default(), today));
                    continue;
                }
                over = over.saturating_sub(part.bytes);
                self.by_bytes.get_mut(at).into_iter().for_each(|gone| gone.push(part));
            }
        }
        self.over = over;
    }
}

/// A day is kept until it has been over for so many days; 0 keeps it for good, as does a day that is none.
fn is_old(part: &Part, days: u32, today: i64) -> bool {
    days > 0 && time::parse_day(&part.day).is_some_and(|day| today - day > i64::from(days))
}

fn is_held(part: &Part, holds: &[Hold]) -> bool {
    holds.iter().any(|hold| hold.holds(&part.day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::TABLES;
    use std::collections::BTreeMap;

    fn snapshot(days: &[(i64, u64)]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (day, bytes) in days {
            let text = time::day_text(*day);
            let path = format!("day={text}/{bytes}.parquet");
            let part = Part { path: path.clone(), day: text, bytes: *bytes, rows: 1, times: None };
            snapshot.parts.insert(path, part);
        }
        snapshot
    }

    fn gone(parts: &[&Part]) -> Vec<u64> {
        parts.iter().map(|part| part.bytes).collect()
    }

    fn hold(from: i64, until: i64) -> Hold {
        let (from, until) = (time::day_text(from), time::day_text(until));
        Hold { name: "case 7".into(), from, until, incident: None, since_ms: 0 }
    }

    #[test]
    fn days_and_bytes_take_the_oldest_and_leave_findings_and_what_is_held() {
        let exchanges = snapshot(&[(10, 1), (20, 2), (26, 4), (27, 8), (30, 16)]);
        let findings = snapshot(&[(10, 32), (30, 64)]);
        let sensors = snapshot(&[(9, 128), (30, 256)]);
        let table = |name: &str| TABLES.iter().find(|table| table.name == name).unwrap();
        let tables = [("exchanges", &exchanges), ("findings", &findings), ("sensors", &sensors)];
        let tables = tables.map(|(name, snapshot)| Kept { table: table(name), snapshot });
        let days = BTreeMap::from([("exchanges", 3_u32), ("findings", 0)]);
        let policy = Policy { days, bytes: 0, grace_ms: 0 };
        let by_days = |holds: &[Hold], today: i64| {
            let plan = Plan::of(&tables, holds, &policy, today);
            (plan.by_days.iter().map(|parts| gone(parts)).collect::<Vec<_>>(), plan.held)
        };
        // Day 27 is over for three days on day 30: it stays until the next.
        assert_eq!(by_days(&[], 30), (vec![vec![1, 2, 4], vec![], vec![]], 0));
        assert_eq!(by_days(&[], 31), (vec![vec![1, 2, 4, 8], vec![], vec![]], 0));
        assert_eq!(by_days(&[hold(20, 25)], 30), (vec![vec![1, 4], vec![], vec![]], 1));

        let by_bytes = |holds: &[Hold], bytes: u64| {
            let policy = Policy { days: BTreeMap::new(), bytes, grace_ms: 0 };
            let plan = Plan::of(&tables, holds, &policy, 30);
            (plan.by_bytes.iter().map(|parts| gone(parts)).collect::<Vec<_>>(), plan.over)
        };
        assert_eq!(by_bytes(&[], 511), (vec![vec![], vec![], vec![]], 0));
        assert_eq!(by_bytes(&[], 505), (vec![vec![1, 2, 4], vec![], vec![]], 0));
        assert_eq!(by_bytes(&[hold(20, 20)], 505), (vec![vec![1, 4, 8], vec![], vec![]], 0));
        let both = Policy { days: BTreeMap::from([("exchanges", 3)]), bytes: 1, grace_ms: 0 };
        assert_eq!(Plan::of(&tables, &[hold(10, 20)], &both, 30).held, 2, "a file is held once");
        assert_eq!(by_bytes(&[], 450), (vec![vec![1, 2, 4, 8, 16], vec![], vec![128]], 0));
        assert_eq!(by_bytes(&[], 90), (vec![vec![1, 2, 4, 8, 16], vec![], vec![128, 256]], 6));
    }
}
