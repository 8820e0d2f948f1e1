//! What a sum of exchanges counts: one list of names, which are columns of the table of sums.

macro_rules! counts {
    ($($name:ident),+ $(,)?) => {
        /// The counts of a sum.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(crate) struct Counts {
            $(pub(crate) $name: u64,)+
        }

        impl Counts {
            /// Their columns, in the order of their values.
            pub(crate) const NAMES: [&str; [$(stringify!($name)),+].len()] = [$(stringify!($name)),+];

            pub(crate) const fn of([$($name),+]: [u64; Self::NAMES.len()]) -> Self {
                Self { $($name),+ }
            }

            pub(crate) const fn values(self) -> [u64; Self::NAMES.len()] {
                [$(self.$name),+]
            }
        }
    };
}

counts! {
    calls, messages, successes, redirects, failures, errors, unanswered, clear_text, request_bytes, response_bytes, answered,
    latency_sum,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{TABLES, USAGE};

    #[test]
    fn each_count_is_a_column_of_sums() {
        let table = TABLES.iter().find(|table| table.name == USAGE).unwrap();
        for name in Counts::NAMES {
            assert!(table.columns.iter().any(|column| column.name == name), "{name}");
        }
        assert_eq!(Counts::of(Counts::NAMES.map(|name| name.len() as u64)).values()[0], 5);
    }
}
