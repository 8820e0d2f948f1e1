//! The command line.

use crate::attacks::{Intensity, KINDS, Part, Scenario};
use crate::honest;

const USAGE: &str = "scenes [OPTIONS] OUT: writes OUT.pcap, OUT.labels.jsonl and OUT.requests.jsonl
  --seed N             another seed, another world (1)
  --benign N           about so many exchanges that are no attack; without a choice of attacks exactly these (120000)
  --part PART          the attacks that belong to PART with this seed: tuning or held-out; and honest scenes with PART's words
  --calm               without attacks, though a part is chosen
  --slice I/N          of these every Nth, from the Ith on
  --attack KIND        attacks of this kind; with --intensity fast|slow|distributed and --outcome blocked|successful only these
  --days N             of packet time (7, with attacks 2)
  --minutes N          of packet time instead, from ten o'clock on, with the attacks in the middle: nothing can be learned before
  --no-requests        without OUT.requests.jsonl
  --list               says which attacks would be made and to which part each belongs, and which honest scenes there are";

/// What to make.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) benign: u64,
    pub(crate) days: i64,
    /// Instead of days; 0 for none.
    pub(crate) minutes: i64,
    pub(crate) part: Option<Part>,
    pub(crate) kind: Option<String>,
    pub(crate) intensity: Option<Intensity>,
    pub(crate) success: Option<bool>,
    pub(crate) slice: (usize, usize),
    pub(crate) requests: bool,
    pub(crate) calm: bool,
    pub(crate) list: bool,
    pub(crate) out: String,
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { seed: 1, benign: 120_000, slice: (1, 1), requests: true, ..Self::default() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--seed" => options.seed = number(&value()?)?,
                "--benign" => options.benign = number(&value()?)?.max(1),
                "--days" => options.days = number(&value()?)?.clamp(1, 60) as i64,
                "--minutes" => options.minutes = number(&value()?)?.clamp(1, 600) as i64,
                "--part" => options.part = Some(Part::parse(&value()?)?),
                "--attack" => options.kind = Some(kind(value()?)?),
                "--intensity" => options.intensity = Some(Intensity::parse(&value()?)?),
                "--outcome" => options.success = Some(outcome(&value()?)?),
                "--slice" => options.slice = slice(&value()?)?,
                "--calm" => options.calm = true,
                "--no-requests" => options.requests = false,
                "--list" => options.list = true,
                _ if word.starts_with('-') || !options.out.is_empty() => {
                    return Err(format!("unknown: {word}\n{USAGE}"));
                }
                _ => options.out = word,
            }
        }
        if options.days == 0 {
            options.days = if options.attacks() { 2 } else { 7 };
        }
        if options.attacks() && options.days < 2 && options.minutes == 0 {
            return Err(
                "attacks come on the second day, when what is usual is known: --days 2 or more".to_owned()
            );
        }
        if options.out.is_empty() && !options.list { Err(USAGE.to_owned()) } else { Ok(options) }
    }

    /// Whether any attack is asked for.
    pub(crate) const fn attacks(&self) -> bool {
        let chosen = self.part.is_some() || self.kind.is_some() || self.intensity.is_some();
        (chosen || self.success.is_some()) && !self.calm
    }

    /// The attacks that are asked for.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        if !self.attacks() && !self.list {
            return Vec::new();
        }
        let all = KINDS.iter().flat_map(|kind| kind.scenarios(self.seed));
        let chosen = all.filter(|scenario| {
            self.part.is_none_or(|part| scenario.part() == part)
                && self.kind.as_ref().is_none_or(|name| name == scenario.kind.name)
                && self.intensity.is_none_or(|intensity| intensity == scenario.intensity)
                && self.success.is_none_or(|success| success == scenario.success)
        });
        let (first, step) = self.slice;
        chosen.skip(first - 1).step_by(step).collect()
    }

    /// A table of these.
    pub(crate) fn table(&self) -> String {
        let row = |scenario: &Scenario| {
            let kind = scenario.kind;
            let outcome = if scenario.success { "successful" } else { "blocked" };
            format!(
                "{:<24} {:<6} {:<12} {:<11} {:<9} {}",
                kind.name,
                kind.owasp,
                scenario.intensity.name(),
                outcome,
                scenario.part().name(),
                kind.says
            )
        };
        let attacks = self.scenarios().iter().map(row).collect::<Vec<_>>();
        let honest = honest::scenes().filter(|_| !self.attacks()).map(|scene| {
            format!("{:<24} {:<6} {:<12} {:<11} {:<9} {}", scene.name, "-", "honest", "-", "both", scene.says)
        });
        attacks.into_iter().chain(honest).collect::<Vec<_>>().join("\n")
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("not a number: {word}"))
}

fn kind(word: String) -> Result<String, String> {
    let known = KINDS.iter().any(|kind| kind.name == word);
    if known { Ok(word) } else { Err(format!("unknown kind of attack: {word}; scenes --list names them")) }
}

fn outcome(word: &str) -> Result<bool, String> {
    match word {
        "successful" => Ok(true),
        "blocked" => Ok(false),
        _ => Err(format!("unknown outcome: {word}; there are blocked and successful")),
    }
}

fn slice(word: &str) -> Result<(usize, usize), String> {
    let parts = word.split_once('/').and_then(|(first, of)| Some((first.parse().ok()?, of.parse().ok()?)));
    parts
        .filter(|(first, of)| (1..=*of).contains(first))
        .ok_or_else(|| format!("not a slice: {word}; try 1/4"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        Options::parse(line.split(' ').map(str::to_owned)).expect("good options")
    }

    #[test]
    fn every_attack_belongs_to_one_part_and_both_have_many() {
        let both = options("--list --seed 4").scenarios().len();
        let tuning = options("--list --seed 4 --part tuning").scenarios().len();
        let held_out = options("--list --seed 4 --part held-out").scenarios().len();
        assert_eq!(tuning + held_out, both);
        assert!(tuning.min(held_out) * 3 > both, "{tuning} and {held_out}");
    }

    #[test]
    fn slices_have_everything_once() {
        let names = |line: &str| options(line).table().lines().map(str::to_owned).collect::<Vec<_>>();
        let mut parts: Vec<String> =
            (1..=3).flat_map(|nth| names(&format!("--list --slice {nth}/3"))).collect();
        let mut all = names("--list");
        parts.retain(|row| !row.contains(" honest "));
        all.retain(|row| !row.contains(" honest "));
        parts.sort();
        all.sort();
        assert_eq!(parts, all);
    }
}
