//! What one caller did at one endpoint within one hour, and the table of these: eight places for each hash, nothing allocated
//! by a call.

/// Places in which a key may stand.
const WAYS: usize = 8;
/// Sets of places at the begin; the table doubles as it fills.
const FIRST_SETS: usize = 128;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Measure {
    /// Calls.
    Calls,
    /// Distinct objects that paths and queries name, to about 600.
    Objects,
    /// Bytes of answers.
    Bytes,
    /// Answers 4xx and 5xx.
    Errors,
    /// Records in answers with personal or sensitive data.
    Sensitive,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Calls, Self::Objects, Self::Bytes, Self::Errors, Self::Sensitive];

    /// In words that follow a number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Objects => "different objects",
            Self::Bytes => "bytes of answers",
            Self::Errors => "failed calls",
            Self::Sensitive => "records with sensitive data",
        }
    }

    /// The bit of [`Cell::told`] that an hour with more than is usual was counted; `None` where it is up to who calls, not to the service.
    pub(super) const fn raised(self) -> Option<u8> {
        match self {
            Self::Calls | Self::Objects => None,
            Self::Bytes => Some(1 << 5),
            Self::Errors => Some(1 << 6),
            Self::Sensitive => Some(1 << 7),
        }
    }

    /// Below that nothing is unusual, whatever the others do.
    pub(super) const fn floor(self) -> u64 {
        match self {
            Self::Calls => 100,
            Self::Objects => 40,
            Self::Bytes => 4 << 20,
            Self::Errors => 40,
            Self::Sensitive => 100,
        }
    }
}

/// An hour of a caller at an endpoint: 64 bytes.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Cell {
    /// Caller and group; 0: empty.
    pub(super) key: u64,
    /// A hash of the caller.
    pub(super) caller: u64,
    /// Bits that objects set.
    pub(super) objects: u128,
    pub(super) bytes: u64,
    /// The hour, since 1970.
    pub(super) hour: u32,
    pub(super) calls: u32,
    pub(super) errors: u32,
    pub(super) sensitive: u32,
    /// The group's place.
    pub(super) group: u16,
    /// Seconds into the hour at which it first was unusual.
    pub(super) since: u16,
    /// Measures that are unusual, as bits.
    pub(super) odd: u8,
    /// Those that were told, and [those](Measure::raised) that were counted.
    pub(super) told: u8,
    /// Whether a call was refused because there were too many (429).
    pub(super) throttled: bool,
    /// The declared quota that holds for it, from 1.
    pub(super) quota: u8,
}

impl Cell {
    pub(super) const fn object(&mut self, hash: u64) {
        // Whatever hash it is: neighbours must not fall into neighbouring bits.
        let mixed = (hash ^ hash >> 31).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.objects |= 1 << (mixed >> 57);
    }

    /// By linear counting: right to some percent up to 300, at most 621.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 621")]
    fn distinct(&self) -> u64 {
        let empty = f64::from(self.objects.count_zeros()).max(1.0);
        (128.0 * (128.0 / empty).ln()).round() as u64
    }

    pub(super) fn value(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Calls => self.calls.into(),
            Measure::Objects => self.distinct(),
            Measure::Bytes => self.bytes,
            Measure::Errors => self.errors.into(),
            Measure::Sensitive => self.sensitive.into(),
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Cells {
    cells: Vec<Cell>,
    used: usize,
    max: usize,
    hand: usize,
    /// Hours that were not over when they made room.
    pub(super) evicted: u64,
}

impl Cells {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(FIRST_SETS * WAYS), ..Self::default() }
    }

    /// The place of a key; what had to make room is given to `over`.
    pub(super) fn place(&mut self, key: u64, over: &mut dyn FnMut(Cell)) -> Option<&mut Cell> {
        if self.cells.is_empty() {
            self.cells = vec![Cell::default(); FIRST_SETS * WAYS];
        } else if self.used * 2 > self.cells.len() || self.is_crowded(key) {
            self.grow(over);
        }
        let set = self.set(key);
        let ways = self.cells.get_mut(set..set + WAYS)?;
        if let Some(at) = ways.iter().position(|cell| cell.key == key) {
            return ways.get_mut(at);
        }
        let free = ways.iter().position(|cell| cell.key == 0);
        let at = match free {
            Some(at) => at,
            None => {
                // The oldest hour, and of these the one with the fewest calls.
                let least = ways.iter().enumerate().min_by_key(|(_, cell)| (cell.hour, cell.calls));
                let (at, victim) = least.map(|(at, cell)| (at, *cell))?;
                self.evicted += u64::from(ways.iter().all(|cell| cell.hour == victim.hour));
                over(victim);
                self.used -= 1;
                at
            }
        };
        self.used += 1;
        let cell = ways.get_mut(at)?;
        *cell = Cell { key, ..Cell::default() };
        Some(cell)
    }

    #[allow(clippy::cast_possible_truncation, reason = "only the low bits choose the set")]
    const fn set(&self, key: u64) -> usize {
        (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize % (self.cells.len() / WAYS) * WAYS
    }

    /// Whether another key has no place but that of an hour which goes on, while others are empty.
    fn is_crowded(&self, key: u64) -> bool {
        let set = self.set(key);
        let ways = self.cells.get(set..set + WAYS).unwrap_or_default();
        let first = ways.first().map_or(0, |cell| cell.hour);
        let is_full = ways.iter().all(|cell| cell.key != 0 && cell.key != key && cell.hour == first);
        is_full && self.used * 4 > self.cells.len()
    }

    fn grow(&mut self, over: &mut dyn FnMut(Cell)) {
        if self.cells.len() * 2 > self.max {
            return;
        }
        let size = self.cells.len() * 2;
        let old = std::mem::replace(&mut self.cells, vec![Cell::default(); size]);
        for cell in old.into_iter().filter(|cell| cell.key != 0) {
            let set = self.set(cell.key);
            let free =
                self.cells.get_mut(set..set + WAYS).and_then(|ways| ways.iter_mut().find(|way| way.key == 0));
            match free {
                Some(free) => *free = cell,
                None => {
                    over(cell);
                    self.used -= 1;
                }
            }
        }
    }

    /// Looks at two cells more, and gives those whose hour is over to `over`.
    pub(super) fn sweep(&mut self, hour: u32, over: &mut dyn FnMut(Cell)) {
        for _ in 0..2 {
            self.hand = if self.hand + 1 < self.cells.len() { self.hand + 1 } else { 0 };
            let Some(cell) = self.cells.get_mut(self.hand) else { return };
            if cell.key != 0 && cell.hour < hour {
                over(std::mem::take(cell));
                self.used -= 1;
            }
        }
    }

    /// How many sets of places there are, and where the table looks for hours that are over.
    #[allow(clippy::cast_possible_truncation, reason = "a table of so many cells would be none of ours")]
    pub(super) const fn layout(&self) -> (u32, u32) {
        ((self.cells.len() / WAYS) as u32, self.hand as u32)
    }

    /// Of an empty table: makes it as large as one was, where that is allowed.
    pub(super) fn lay_out(&mut self, (sets, hand): (u32, u32)) {
        let (size, hand) = ((sets as usize).saturating_mul(WAYS), hand as usize);
        if self.cells.is_empty() && sets.is_power_of_two() && (FIRST_SETS * WAYS..=self.max).contains(&size) {
            self.cells = vec![Cell::default(); size];
            self.hand = if hand < size { hand } else { 0 };
        }
    }

    /// Every cell that is used.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.key != 0)
    }

    /// Takes a cell as it was; whether there was room.
    pub(super) fn restore(&mut self, cell: Cell) -> bool {
        let evicted = self.evicted;
        let mut has_room = cell.key != 0 && cell.calls != 0;
        if has_room && let Some(place) = self.place(cell.key, &mut |_| has_room = false) {
            *place = cell;
        }
        self.evicted = evicted;
        has_room
    }

    /// Empties the table.
    pub(super) fn take_all(&mut self) -> Vec<Cell> {
        self.used = 0;
        std::mem::take(&mut self.cells).into_iter().filter(|cell| cell.key != 0).collect()
    }

    pub(super) const fn held(&self) -> usize {
        self.cells.len() * size_of::<Cell>()
    }

    pub(super) const fn len(&self) -> usize {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_small_and_a_million_callers_stay_within_the_limit() {
        assert_eq!(size_of::<Cell>(), 64);
        let mut cells = Cells::new(1 << 16);
        let mut over = 0_u64;
        for key in 1..=1_000_000_u64 {
            let cell =
                cells.place(key.wrapping_mul(0x2545_f491_4f6c_dd1d), &mut |_| over += 1).expect("a place");
            cell.calls += 1;
        }
        assert_eq!(cells.len() as u64 + over, 1_000_000);
        assert!(cells.held() <= (1 << 16) * 64 && cells.evicted > 900_000);
    }

    #[test]
    fn objects_are_told_apart() {
        let mut cell = Cell::default();
        for number in 0..200_u64 {
            (0..3).for_each(|_| cell.object(number));
        }
        assert!((150..=250).contains(&cell.value(Measure::Objects)), "{}", cell.value(Measure::Objects));
    }
}
