//! Whether an interface is there: down, up, removed and made anew are survived.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::packet_socket::{self, Link};

/// What an interface did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkChange {
    /// It was taken down.
    Down,
    /// It was removed.
    Gone,
    /// It is up again after so long.
    Back {
        /// How long it was away.
        after: Duration,
        /// Whether it is another interface of the same name.
        anew: bool,
    },
    /// It was made anew, and this socket cannot be bound to it: it shares its interface with those of other lanes.
    Lost,
}

/// An interface that went away or came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkNotice {
    /// Its name.
    pub interface: String,
    /// What it did.
    pub change: LinkChange,
}

impl fmt::Display for LinkNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.interface;
        match self.change {
            LinkChange::Down => write!(f, "{name}: the interface is down; waiting until it is up again"),
            LinkChange::Gone => {
                write!(f, "{name}: the interface was removed; waiting until it is there again")
            }
            LinkChange::Lost => write!(
                f,
                "{name}: the interface was made anew, which several lanes cannot follow: nothing of it is seen until \
                 tapwire is started again; capture.lanes=1 would go on"
            ),
            LinkChange::Back { after, anew } => {
                let what = if anew { "there again, made anew," } else { "up again" };
                let seconds = after.as_secs_f64();
                write!(
                    f,
                    "{name}: the interface is {what} after {seconds:.1} s; what passed meanwhile was not seen"
                )
            }
        }
    }
}

/// What is known of an interface's presence.
#[derive(Debug)]
pub(crate) struct Presence {
    /// The interface's number when it was bound to; `None` where the system does not tell, as of the `any` device.
    bound: Option<i32>,
    /// In a group of sockets, which the kernel binds to nothing else any more.
    for_good: bool,
    lost: bool,
    away: Option<Instant>,
    outages: u64,
    /// Of outages that are over.
    total: Duration,
}

impl Presence {
    pub(crate) fn new(name: &str, socket: BorrowedFd<'_>) -> Self {
        let bound = packet_socket::link(socket, name).ok().flatten().map(|link| link.index);
        Self { bound, for_good: false, lost: false, away: None, outages: 0, total: Duration::ZERO }
    }

    /// The socket joined a group.
    pub(crate) const fn bind_for_good(&mut self) {
        self.for_good = true;
    }

    /// Whether coming and going is noticed.
    pub(crate) const fn can_tell(&self) -> bool {
        self.bound.is_some()
    }

    pub(crate) const fn is_there(&self) -> bool {
        self.away.is_none()
    }

    pub(crate) const fn outages(&self) -> u64 {
        self.outages
    }

    /// Milliseconds away, those of an outage that goes on with them.
    pub(crate) fn away_ms(&self) -> u64 {
        let now = self.away.map_or(Duration::ZERO, |since| since.elapsed());
        u64::try_from((self.total + now).as_millis()).unwrap_or(u64::MAX)
    }

    /// Looks again; tells what changed.
    pub(crate) fn look(&mut self, name: &str, socket: BorrowedFd<'_>) -> Option<LinkChange> {
        let bound = self.bound?;
        let now = packet_socket::link(socket, name).ok()?;
        let anew = now.is_some_and(|link| link.index != bound);
        if self.lost {
            return None;
        }
        if anew && self.for_good {
            self.lost = true;
            self.outages += u64::from(self.away.is_none());
            self.away = self.away.or_else(|| Some(Instant::now()));
            return Some(LinkChange::Lost);
        }
        match (now, self.away) {
            (None, None) => self.leave(LinkChange::Gone),
            (Some(Link { up: false, .. }), None) => self.leave(LinkChange::Down),
            // It went and came between two looks.
            (Some(Link { up: true, index }), None) if anew => {
                packet_socket::bind_to(socket, index).ok()?;
                self.bound = Some(index);
                self.outages += 1;
                Some(LinkChange::Back { after: Duration::ZERO, anew })
            }
            (Some(Link { up: true, index }), Some(since)) => {
                if anew {
                    packet_socket::bind_to(socket, index).ok()?;
                    self.bound = Some(index);
                }
                self.away = None;
                self.total += since.elapsed();
                Some(LinkChange::Back { after: since.elapsed(), anew })
            }
            _ => None,
        }
    }

    fn leave(&mut self, change: LinkChange) -> Option<LinkChange> {
        self.away = Some(Instant::now());
        self.outages += 1;
        Some(change)
    }
}
