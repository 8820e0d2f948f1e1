//! How others fare at a service while somebody calls: whether their answers became slow, or fail, beside what is usual there.

use super::ages::{Ages, Forgotten};
use super::everywhere::Everywhere;
use super::{Seen, of_token};
use crate::Principal;
use crate::usage::Sketch;

/// Seconds after which what was not met is forgotten.
const SPAN: i64 = 14 * 86_400;
/// Answers of a service that are looked at, and of one caller, so that nobody crowds out the others.
const ANSWERS: usize = 96;
const OF_ONE: usize = 4;
/// Milliseconds that count as the same time, and after which trouble that is over is another.
const WINDOW: i64 = 60_000;
const OVER: i64 = 120_000;
/// Calm answers before which nothing is usual; others' answers, and callers of these, that say something.
const USUAL: u32 = 200;
const FEW: u32 = 20;
const FEW_CALLERS: u32 = 5;
/// A slow answer takes four times the usual at its endpoint, and that many microseconds longer.
const TIMES: u32 = 4;
const LONGER: u32 = 50_000;
/// How likely so many slow or failed answers may be by chance.
const CHANCE: f64 = 1e-6;
/// Callers with most calls in a minute.
const MOST: usize = 4;

/// How others fare at a service, where it is worse than usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strain {
    /// Others' answers within the minute before, at most 96 of them, and their callers.
    pub answers: u32,
    /// See `answers`.
    pub callers: u32,
    /// Of these, those that were slow, where they are far more than usual.
    pub slow: Option<u32>,
    /// Of these, those that failed (5xx), where they are far more than usual.
    pub failed: Option<u32>,
    /// Microseconds within which nine of ten answers come as a rule, and within which those did.
    pub usual: u64,
    /// See `usual`.
    pub micros: u64,
    /// When the first of them was asked for, in milliseconds of packet time.
    pub began: i64,
    /// Calls of this caller in the minute or two before that, and of everybody.
    pub before: (u32, u32),
}

/// How long an endpoint's answers take in the middle, in microseconds: half of the steps go up.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Middle {
    micros: u32,
    heard: u32,
}

impl Middle {
    fn hear(&mut self, micros: u32) {
        self.heard = self.heard.saturating_add(1);
        let step = (self.micros / if self.heard < 32 { 4 } else { 32 }).max(1);
        self.micros = match self.micros.cmp(&micros) {
            _ if self.heard == 1 => micros,
            std::cmp::Ordering::Less => self.micros.saturating_add(step).min(micros),
            std::cmp::Ordering::Equal => micros,
            std::cmp::Ordering::Greater => self.micros.saturating_sub(step).max(micros),
        };
    }

    const fn is_slow(self, micros: u32) -> bool {
        self.heard >= 10
            && micros >= self.micros.saturating_mul(TIMES)
            && micros >= self.micros.saturating_add(LONGER)
    }
}

#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Answer {
    who: u64,
    began: i64,
    micros: u32,
    slow: bool,
    failed: bool,
}

impl Answer {
    const fn is_bad(&self) -> bool {
        self.slow || self.failed
    }
}

/// Who called most within a minute (Misra and Gries), and how many calls there were.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Minute {
    number: i64,
    all: u32,
    most: [(u64, u32); MOST],
}

impl Minute {
    fn add(&mut self, who: u64) {
        self.all = self.all.saturating_add(1);
        let free = |at: &(u64, u32)| at.1 == 0;
        let known = self.most.iter().position(|at| at.0 == who && at.1 > 0);
        match known.or_else(|| self.most.iter().position(free)).and_then(|at| self.most.get_mut(at)) {
            Some(place) => *place = (who, place.1.saturating_add(1)),
            None => self.most.iter_mut().for_each(|place| place.1 -= 1),
        }
    }

    fn of(&self, who: u64) -> u32 {
        self.most.iter().find(|at| at.0 == who).map_or(0, |at| at.1)
    }
}

#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Service {
    answers: Vec<Answer>,
    /// Calm answers, and of these slow and failed ones, and how long they take.
    all: u32,
    slow: u32,
    failed: u32,
    usual: Sketch<16>,
    /// The minute that goes on, and the one before it; and both as they were when trouble began.
    minutes: [Minute; 2],
    before: [Minute; 2],
    /// When trouble began, and when it was last seen; 0 where there is none.
    began: i64,
    seen: i64,
}

pub(super) struct Strains {
    pub(super) services: Ages<Service>,
    pub(super) endpoints: Ages<Middle>,
    everywhere: Everywhere,
    recalls: bool,
}

impl Strains {
    pub(super) fn new(callers: usize) -> Self {
        Self {
            services: Ages::new(callers / 500, SPAN),
            endpoints: Ages::new(callers / 20, SPAN),
            everywhere: Everywhere::default(),
            recalls: false,
        }
    }

    /// What is usual was learned of the calls that come again; what happens is followed anew.
    pub(super) fn recall(&mut self) {
        if !self.recalls {
            self.recalls = true;
            self.everywhere = Everywhere::default();
            self.services.each(|service| Service {
                all: service.all,
                slow: service.slow,
                failed: service.failed,
                usual: service.usual,
                ..Service::default()
            });
        }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.services.forgotten().and(self.endpoints.forgotten())
    }

    /// How others fare, where it is worse than usual there and not everywhere; learns from a call.
    pub(super) fn hear(&mut self, seen: &Seen<'_>, principal: Option<Principal>) -> Option<Strain> {
        let who = of_token(principal?.token);
        let latency = seen.observation.exchange.latency()?;
        let micros = u32::try_from(latency / 1_000).unwrap_or(u32::MAX);
        let began = seen.observation.exchange.started().nanos() / 1_000_000;
        let middle = self.endpoints.met_or_new(seen.endpoint, seen.now);
        let failed = matches!(seen.status, Some(500..=599));
        let answer = Answer { who, began, micros, slow: !failed && middle.is_slow(micros), failed };
        self.everywhere.hear(seen.shape.service, began, answer.slow);
        let service = self.services.met_or_new(seen.shape.service, seen.now);
        service.count(who, began);
        service.put(answer);
        service.watch(began);
        if service.began == 0 && !self.recalls {
            if !failed {
                middle.hear(micros);
            }
            service.learn(&answer);
        }
        let strain = service.strain(who, began)?;
        (!self.everywhere.is_slow_beside(seen.shape.service, began)).then_some(strain)
    }
}

impl Service {
    fn count(&mut self, who: u64, now: i64) {
        let [minute, last] = &mut self.minutes;
        let number = now / WINDOW;
        if number > minute.number {
            *last = if number == minute.number + 1 { *minute } else { Minute::default() };
            *minute = Minute { number, ..Minute::default() };
        }
        minute.add(who);
    }

    /// Keeps an answer: in the place of its caller's oldest, where that has enough, else of the oldest.
    fn put(&mut self, answer: Answer) {
        let own = self.answers.iter().filter(|known| known.who == answer.who).count();
        if own < OF_ONE && self.answers.len() < ANSWERS {
            return self.answers.push(answer);
        }
        let places = self.answers.iter_mut().filter(|known| own < OF_ONE || known.who == answer.who);
        if let Some(oldest) = places.min_by_key(|known| known.began) {
            *oldest = answer;
        }
    }

    fn learn(&mut self, answer: &Answer) {
        self.all += 1;
        self.slow += u32::from(answer.slow);
        self.failed += u32::from(answer.failed);
        self.usual.add(answer.micros.into());
        if self.all >= 1 << 20 {
            (self.all, self.slow, self.failed) = (self.all / 2, self.slow / 2, self.failed / 2);
        }
    }

    /// Whether there is trouble, also without the caller whose answers take most time.
    fn watch(&mut self, now: i64) {
        let bad = self.lately(now).filter(|answer| answer.is_bad()).count();
        if bad >= 4 {
            let heaviest = self.heaviest(now);
            let others = self.lately(now).filter(|answer| answer.who != heaviest);
            let began = others.filter(|answer| answer.is_bad()).map(|answer| answer.began).min();
            if self.worse(heaviest, now).is_some() {
                self.seen = now;
                if self.began == 0 {
                    (self.began, self.before) = (began.unwrap_or(now), self.minutes);
                }
            }
        }
        if now.saturating_sub(self.seen) > OVER {
            self.began = 0;
        }
    }

    fn lately(&self, now: i64) -> impl Iterator<Item = &Answer> + Clone {
        self.answers.iter().filter(move |answer| now.saturating_sub(answer.began) <= WINDOW)
    }

    fn heaviest(&self, now: i64) -> u64 {
        let cost = |who: u64| -> u64 {
            self.lately(now).filter(|one| one.who == who).map(|one| u64::from(one.micros)).sum()
        };
        let slow = self.lately(now).filter(|answer| answer.is_bad()).map(|answer| answer.who);
        slow.max_by_key(|who| (cost(*who), *who)).unwrap_or(0)
    }

    /// Others' answers, their callers, and how many are slow and failed, where these are far more than usual.
    fn worse(&self, who: u64, now: i64) -> Option<(u32, u32, Option<u32>, Option<u32>)> {
        let (mut answers, mut callers, mut slow, mut failed) = (0, 0_u64, 0, 0);
        for answer in self.lately(now).filter(|answer| answer.who != who) {
            answers += 1;
            callers |= 1 << (answer.who.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58);
            slow += u32::from(answer.slow);
            failed += u32::from(answer.failed);
        }
        if answers < FEW || callers.count_ones() < FEW_CALLERS || self.all < USUAL {
            return None;
        }
        let share = |count: u32| f64::from(count + 1) / f64::from(self.all + 2);
        let slow = Some(slow).filter(|slow| tail(answers, *slow, share(self.slow)) <= CHANCE);
        let failed = Some(failed).filter(|failed| tail(answers, *failed, share(self.failed)) <= CHANCE);
        (slow.is_some() || failed.is_some()).then_some((answers, callers.count_ones(), slow, failed))
    }

    fn strain(&self, who: u64, now: i64) -> Option<Strain> {
        if self.began == 0 {
            return None;
        }
        let (answers, callers, slow, failed) = self.worse(who, now)?;
        let others = self.lately(now).filter(|answer| answer.who != who);
        let mut times: Vec<u32> = others.map(|answer| answer.micros).collect();
        times.sort_unstable();
        let own = self.before.iter().map(|minute| minute.of(who)).sum();
        let all = self.before.iter().map(|minute| minute.all).sum();
        Some(Strain {
            answers,
            callers,
            slow,
            failed,
            usual: self.usual.quantiles().map_or(0, |usual| usual.p90),
            micros: times.get(times.len() * 9 / 10).copied().unwrap_or(0).into(),
            began: self.began,
            before: (own, all),
        })
    }
}

/// How likely so many of so many are, or more, each with that chance (binomial).
fn tail(all: u32, count: u32, share: f64) -> f64 {
    let odds = share / (1.0 - share).max(f64::MIN_POSITIVE);
    let mut term = (1.0 - share).powi(i32::try_from(all).unwrap_or(i32::MAX));
    let mut tail = 0.0;
    for nth in 0..=all {
        tail += if nth >= count { term } else { 0.0 };
        term *= f64::from(all - nth) / f64::from(nth + 1) * odds;
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_that_of_the_binomial_distribution() {
        assert!((tail(10, 10, 0.5) - 1.0 / 1024.0).abs() < 1e-9);
        assert!((tail(20, 0, 0.1) - 1.0).abs() < 1e-12);
        assert!((tail(20, 8, 0.1) - 4.156e-4).abs() < 1e-6, "{}", tail(20, 8, 0.1));
        assert!(tail(30, 25, 0.02) < 1e-30);
    }

    #[test]
    fn the_middle_of_what_is_heard_is_found() {
        let mut middle = Middle::default();
        for nth in 0..4_000_u32 {
            middle.hear(20_000 + nth * 7_919 % 21 * 1_000);
        }
        assert!((24_000..37_000).contains(&middle.micros), "{}", middle.micros);
        assert!(middle.is_slow(200_000) && !middle.is_slow(90_000));
    }

    #[test]
    fn who_calls_most_is_known_and_answers_are_bounded() {
        let mut minute = Minute::default();
        (0..900_u64).for_each(|nth| minute.add(if nth % 3 == 0 { nth } else { 7 }));
        assert!(minute.of(7) >= 300 && minute.all == 900);
        let mut service = Service::default();
        for nth in 0..5_000_u64 {
            service.put(Answer { who: nth % 700, began: nth as i64, ..Answer::default() });
            service.put(Answer { who: 1, began: nth as i64, ..Answer::default() });
        }
        assert_eq!(service.answers.len(), ANSWERS);
        assert!(service.answers.iter().filter(|answer| answer.who == 1).count() <= OF_ONE);
    }
}
