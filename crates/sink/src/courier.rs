//! The task that takes requests from a queue, has them carried, and tries again.
//!
//! Without a spool a request has a few tries, then it is given up. With one it is tried until the receiver takes it: what
//! waits is bounded by the spool's cap. Only what a receiver refuses while it takes its neighbours is given up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::http::Post;
use crate::kafka::{Fault, Producer};
use crate::queue::{Load, Queue};
use crate::syslog::Wire;
use crate::{DropReason, Http, Pressure, SinkError};

/// How long events rest unconfirmed on a connection whose protocol has no answers.
const HOLD: Duration = Duration::from_secs(1);
/// Most bytes that do so.
const MOST_UNCONFIRMED: u64 = 16 << 20;
/// Shortest wait before a further try, whatever receiver and configuration ask for.
const LEAST_PAUSE: Duration = Duration::from_millis(10);
/// Events in a row that a receiver refuses before it is taken for one that refuses everything.
const MOST_SUSPECTS: usize = 8;
/// How often the spool is written through to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Why one try did not deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// The peer closed the connection before a whole answer; a further try may help.
    Closed,
    /// No answer for another reason; a further try may help.
    NoAnswer { cause: String, hint: &'static str },
    /// No answer, and no further try will help.
    NoTrust { cause: String, hint: &'static str },
    /// An answer that is not 2xx.
    Status { status: u16, retry_after: Option<Duration> },
    /// Too large for the protocol.
    TooLong { bytes: usize },
    /// An error by which a Kafka broker answered.
    Code(i16),
}

impl Miss {
    /// A 4xx means that the same request will fail again, but for 408 and 429 (RFC 9110 section 15.5.9,
    /// RFC 6585 section 4). Redirects are not followed: the token must not go where the operator did not send it.
    fn is_final(&self) -> bool {
        match self {
            Miss::Closed | Miss::NoAnswer { .. } => false,
            Miss::NoTrust { .. } | Miss::TooLong { .. } => true,
            Miss::Status { status, .. } => *status < 500 && !matches!(status, 408 | 429),
            Miss::Code(code) => Fault(*code).is_final(),
        }
    }

    /// Something in the request may be what the receiver does not want: others may pass.
    const fn is_about_content(&self) -> bool {
        match self {
            Miss::Code(code) => Fault(*code).is_about_content(),
            _ => matches!(self, Miss::Status { status: 400 | 406 | 409 | 410 | 422, .. }),
        }
    }

    /// A smaller request may pass.
    const fn is_too_large(&self) -> bool {
        match self {
            Miss::Code(code) => Fault(*code).is_too_large(),
            _ => matches!(self, Miss::Status { status: 413, .. } | Miss::TooLong { .. }),
        }
    }
}

/// What became of a request that was answered.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Events that the receiver will never take, and the status it gave them.
    pub(crate) refused: Option<(Load, u16)>,
    /// Events that it may take later.
    pub(crate) again: Option<Load>,
}

/// What speaks with the receiver.
pub(crate) enum Carrier {
    Http(Box<Post>),
    Syslog(Box<Wire>),
    Kafka(Box<Producer>),
}

impl Carrier {
    async fn send(&mut self, load: &Load) -> Result<Taken, Miss> {
        match self {
            Self::Http(post) => post.send(load).await,
            Self::Syslog(wire) => wire.send(load).await,
            Self::Kafka(producer) => producer.send(load).await,
        }
    }

    fn explain(&self, miss: Miss, tries: u32) -> SinkError {
        let (url, hint) = match self {
            Self::Http(post) => (post.shown(), post.advice(&miss)),
            Self::Syslog(wire) => (wire.shown(), ""),
            Self::Kafka(producer) => (producer.shown(), ""),
        };
        match miss {
            Miss::Closed => SinkError::Unreachable {
                url,
                cause: "closed the connection before a whole answer".into(),
                tries,
                hint: ": see its own log",
            },
            Miss::NoAnswer { cause, hint } | Miss::NoTrust { cause, hint } => {
                SinkError::Unreachable { url, cause, tries, hint }
            }
            Miss::Status { status, .. } => SinkError::Refused { url, status, tries, hint },
            Miss::TooLong { bytes } => SinkError::TooLong { url, bytes },
            Miss::Code(code) => {
                let (cause, hint) = Fault(code).told();
                SinkError::Unreachable { url, cause, tries, hint }
            }
        }
    }

    /// Whether a send that succeeded says that the receiver has the events.
    fn confirms(&self) -> bool {
        match self {
            Self::Http(_) | Self::Kafka(_) => true,
            Self::Syslog(wire) => wire.is_datagram(),
        }
    }

    async fn is_open(&mut self) -> bool {
        match self {
            Self::Http(_) | Self::Kafka(_) => true,
            Self::Syslog(wire) => wire.is_open().await,
        }
    }

    /// Whether the receiver read everything to the end.
    async fn close(&mut self) -> bool {
        match self {
            Self::Http(_) | Self::Kafka(_) => true,
            Self::Syslog(wire) => wire.close().await,
        }
    }
}

fn reason(miss: &Miss) -> DropReason {
    match miss {
        Miss::Status { .. } | Miss::TooLong { .. } | Miss::Code(_) => DropReason::Refused,
        _ => DropReason::Unreachable,
    }
}

/// How persisting with a request ended.
enum Ended {
    Answered(Taken),
    /// It is to be sent in parts.
    InParts,
    /// One event that the receiver does not want, as long as it takes others.
    Refused(Miss, u32),
    GivenUp(Miss, u32),
    /// Nobody waits for it any more.
    Stopped,
}

/// Five times as long at each try, or longer where the receiver asks for it.
fn pause(http: &Http, tries: u32, asked: Option<Duration>) -> Duration {
    let growth = 5u64.saturating_pow(tries.saturating_sub(1));
    let own = Duration::from_millis(http.backoff_ms.saturating_mul(growth));
    let longest = Duration::from_millis(http.backoff_max_ms);
    own.max(asked.unwrap_or_default()).min(longest).max(LEAST_PAUSE)
}

/// Sends what its queue gives, in order, one request at a time.
pub(crate) struct Courier {
    carrier: Carrier,
    http: Http,
    queue: Arc<Queue>,
    /// It tries until the receiver takes it.
    patient: bool,
    pressure: Pressure,
    unconfirmed: VecDeque<(Instant, Load)>,
    /// A connection broke: what rested on it goes first on the next one.
    resend: bool,
    synced: Instant,
    /// Events that were refused, in their order: given up once the receiver takes one behind them.
    suspects: VecDeque<(Load, Miss, u32)>,
    /// When they were last tried.
    considered: Instant,
}

impl Drop for Courier {
    /// However the task ends, nobody waits for it any more.
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Courier {
    pub(crate) fn new(carrier: Carrier, http: Http, queue: Arc<Queue>, pressure: Pressure) -> Self {
        let patient = pressure == Pressure::Shed && queue.is_kept();
        let (unconfirmed, now) = (VecDeque::new(), Instant::now());
        Self {
            carrier,
            http,
            queue,
            patient,
            pressure,
            unconfirmed,
            resend: false,
            synced: now,
            suspects: VecDeque::new(),
            considered: now,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            match tokio::time::timeout(SYNC_EVERY, self.queue.next_load()).await {
                Ok(Some(load)) => self.carry(load).await,
                Ok(None) => break,
                Err(_idle) => self.reconsider().await,
            }
            self.confirm().await;
            self.sync().await;
        }
        self.close().await;
    }

    async fn carry(&mut self, load: Load) {
        let mut parts = VecDeque::from([load]);
        let mut rounds = 0;
        while let Some(part) = parts.pop_front() {
            match self.persist(&part).await {
                Ended::Answered(taken) => {
                    self.condemn();
                    let Some(again) = self.settle(part, taken, rounds) else { continue };
                    rounds += 1;
                    self.queue.count_retry();
                    tokio::time::sleep(self.pause(rounds, None)).await;
                    parts.push_front(again);
                }
                Ended::Refused(miss, tries) => {
                    self.suspects.push_back((part, miss, tries));
                    if self.suspects.len() >= MOST_SUSPECTS {
                        self.suspect_no_more(&mut parts).await;
                    }
                }
                Ended::InParts => {
                    let (first, second) = part.halves();
                    parts.push_front(second);
                    parts.push_front(first);
                }
                Ended::GivenUp(miss, tries) => self.give_up(&part, miss, tries),
                Ended::Stopped => return,
            }
        }
    }

    /// The receiver takes others: what it refused before them it will never take.
    fn condemn(&mut self) {
        for (part, miss, tries) in std::mem::take(&mut self.suspects) {
            self.queue.refused(part.amount, part.until(), self.carrier.explain(miss, tries));
        }
    }

    /// The receiver refuses everything: that is no event's fault, and all of them wait.
    async fn suspect_no_more(&mut self, parts: &mut VecDeque<Load>) {
        if let Some((_, miss, tries)) = self.suspects.back() {
            self.queue.delayed(self.carrier.explain(miss.clone(), *tries));
        }
        while let Some((part, ..)) = self.suspects.pop_back() {
            parts.push_front(part);
        }
        tokio::time::sleep(self.pause(u32::MAX, None)).await;
    }

    /// Nothing came that would show whether the receiver takes others: what it refused is tried again.
    async fn reconsider(&mut self) {
        let longest = self.pause(u32::MAX, None);
        if self.suspects.is_empty() || self.considered.elapsed() < longest {
            return;
        }
        self.considered = Instant::now();
        let again: Vec<Load> = self.suspects.drain(..).map(|(part, ..)| part).collect();
        for part in again {
            self.carry(part).await;
        }
    }

    /// Counts what was taken and refused. What is to be sent again comes back.
    fn settle(&mut self, part: Load, taken: Taken, rounds: u32) -> Option<Load> {
        let mut left = part.amount;
        let mut until = part.until();
        if let Some((refused, status)) = &taken.refused {
            left = left.minus(refused.amount);
            let error = self.carrier.explain(Miss::Status { status: *status, retry_after: None }, 1);
            self.queue.refused(refused.amount, 0, error);
        }
        let again = taken.again.filter(|again| again.amount.events > 0);
        if let Some(again) = &again {
            left = left.minus(again.amount);
            until = 0;
        }
        if self.carrier.confirms() {
            self.queue.delivered(left, until);
        } else {
            self.unconfirmed.push_back((Instant::now(), part));
        }
        let again = again?;
        if self.patient || rounds + 1 < self.http.tries {
            return Some(again);
        }
        self.give_up(&again, Miss::Status { status: 429, retry_after: None }, rounds + 1);
        None
    }

    fn give_up(&mut self, part: &Load, miss: Miss, tries: u32) {
        let reason = reason(&miss);
        let too_large = miss.is_too_large();
        let error = self.carrier.explain(miss, tries);
        match self.pressure {
            Pressure::Block if self.queue.is_kept() && !too_large => self.queue.stop(error),
            _ if self.queue.is_kept() => self.queue.refused(part.amount, part.until(), error),
            _ => self.queue.failed(part.amount, reason, error),
        }
    }

    async fn persist(&mut self, part: &Load) -> Ended {
        let (mut tries, mut refused) = (1, 0);
        loop {
            if self.queue.has_ended() {
                return Ended::Stopped;
            }
            let miss = match self.attempt(part).await {
                Ok(taken) => return Ended::Answered(taken),
                Err(miss) => miss,
            };
            if miss.is_too_large() {
                let one = part.amount.events <= 1;
                return if one { Ended::GivenUp(miss, tries) } else { Ended::InParts };
            }
            refused = if miss.is_about_content() { refused + 1 } else { 0 };
            if self.patient && refused >= self.http.tries {
                let one = part.amount.events <= 1;
                return if one { Ended::Refused(miss, tries) } else { Ended::InParts };
            }
            if miss.is_final() || tries >= self.http.tries {
                if !self.patient {
                    return Ended::GivenUp(miss, tries);
                }
                self.queue.delayed(self.carrier.explain(miss.clone(), tries));
            }
            tokio::time::sleep(self.pause(tries, Some(&miss))).await;
            self.sync().await;
            self.queue.count_retry();
            tries = tries.saturating_add(1);
        }
    }

    async fn attempt(&mut self, part: &Load) -> Result<Taken, Miss> {
        let sent = match self.send_again().await {
            Ok(()) => self.carrier.send(part).await,
            Err(miss) => Err(miss),
        };
        self.resend |= sent.is_err();
        sent
    }

    async fn send_again(&mut self) -> Result<(), Miss> {
        if std::mem::take(&mut self.resend) {
            for (since, load) in &mut self.unconfirmed {
                self.carrier.send(load).await?;
                *since = Instant::now();
            }
        }
        Ok(())
    }

    /// Takes for delivered what rested long enough on a connection that is still open.
    async fn confirm(&mut self) {
        let held = |unconfirmed: &VecDeque<(Instant, Load)>| {
            unconfirmed.iter().map(|(_, load)| load.amount.bytes).sum::<u64>()
        };
        loop {
            let Some(age) = self.unconfirmed.front().map(|(since, _)| since.elapsed()) else { return };
            if age < HOLD && held(&self.unconfirmed) <= MOST_UNCONFIRMED {
                return;
            }
            tokio::time::sleep(HOLD.saturating_sub(age)).await;
            if !self.carrier.is_open().await {
                self.resend = true;
                if !matches!(self.persist(&Load::default()).await, Ended::Answered(_)) {
                    return self.drop_unconfirmed();
                }
                continue;
            }
            if let Some((_, load)) = self.unconfirmed.pop_front() {
                self.queue.delivered(load.amount, load.until());
            }
        }
    }

    /// Nothing of it is known to have arrived.
    fn drop_unconfirmed(&mut self) {
        for (_, load) in std::mem::take(&mut self.unconfirmed) {
            self.give_up(&load, Miss::Closed, self.http.tries);
        }
    }

    /// The end of the last connection shows that the receiver read everything.
    async fn close(&mut self) {
        for _ in 0..2 {
            if self.unconfirmed.is_empty() {
                return;
            }
            if self.carrier.close().await {
                for (_, load) in std::mem::take(&mut self.unconfirmed) {
                    self.queue.delivered(load.amount, load.until());
                }
                return;
            }
            self.resend = true;
            let _outcome = self.persist(&Load::default()).await;
        }
        self.drop_unconfirmed();
    }

    fn pause(&self, tries: u32, miss: Option<&Miss>) -> Duration {
        let asked = match miss {
            Some(Miss::Status { retry_after, .. }) => *retry_after,
            _ => None,
        };
        pause(&self.http, tries, asked)
    }

    async fn sync(&mut self) {
        if self.synced.elapsed() < SYNC_EVERY {
            return;
        }
        self.synced = Instant::now();
        if let Some(file) = self.queue.unsynced() {
            // A disk that fails shows at the next write.
            let _synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_makes_a_loop_without_a_pause() {
        let http = Http { backoff_ms: 200, backoff_max_ms: 5000, ..Http::default() };
        let ms = Duration::from_millis;
        assert_eq!(pause(&http, 1, Some(ms(0))), ms(200), "0 does not shorten it");
        assert_eq!(pause(&http, 2, Some(ms(3000))), ms(3000));
        assert_eq!(pause(&http, 2, None), ms(1000));
        assert_eq!(pause(&http, u32::MAX, Some(ms(86_400_000))), ms(5000));
        let none = Http { backoff_ms: 0, backoff_max_ms: 0, ..Http::default() };
        assert_eq!(pause(&none, 9, None), LEAST_PAUSE);
    }
}
