//! Threads, channels, routing, pressure and shutdown: the only place with data-path threads.
//!
//! The capture thread decodes, reassembles and parses; inspector threads read payloads; one analyst thread takes
//! observations in the order of their numbers, learns, detects, renders and writes. `threads: 0` runs all of it on the
//! capture thread: the reference that every other setting equals byte for byte.

#![forbid(unsafe_code)]

mod analyst;
mod config;
mod flight;
mod follow;
mod found;
mod heart;
mod keeper;
mod lanes;
mod learned;
mod mutes;
mod notice;
mod outlet;
mod pace;
mod recorder;
mod renewal;
mod report;
mod reports;
mod route;
mod run;
mod secrets;
mod sense;
mod telling;
mod threads;
mod work;

pub use config::{Config, Heartbeat};
pub use flight::ShedLevel;
pub use follow::{Followed, Follower, Member, follow};
pub use heart::Vitals;
pub use keeper::StateReport;
pub use lanes::LaneCounters;
pub use learned::{Fault, Learned, Loads, State, Unused};
pub use mutes::{Mute, Muting};
pub use notice::Notice;
pub use outlet::{Classes, Outlet};
pub use pace::{Pace, Stage};
pub use recorder::{PacketCounters, packet_label};
pub use renewal::{ContextFeed, MuteFeed, PolicyFeed, Renewal, RuleFeed};
pub use report::{Report, Shedding, Snapshot, Tally, WireCounters};
pub use run::{Aside, Control, Unwatched, Watch, learn, run, run_with};
pub use secrets::Secrets;
