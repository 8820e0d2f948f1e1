//! Sources of packets: interfaces, capture files, standard input.
//!
//! An edge crate, and the only user of libpcap. A [`Source`] pushes [`Packet`](tapwire_wire::Packet)s that borrow its
//! own buffer, so that no packet is copied or allocated for. [`open_files`] reads pcap and pcapng, plain, gzip or zstd,
//! several files in time order; libpcap is not used for files, because it refuses pcapng with mixed link types.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod backlog;
mod error;
mod files;
mod filter;
mod follow;
mod format;
mod gzip;
mod input;
mod intake;
mod interface;
mod link;
mod looks;
mod merge;
mod packet_socket;
mod privileges;
mod reader;
mod source;
mod window;
mod write;

pub use backlog::Backlog;
pub use error::SourceError;
pub use filter::Filter;
pub use follow::{FollowedDirectory, follow};
pub use format::{ByteOrder, FileInterface, MAX_PACKET, Secrets};
pub use interface::{InterfaceInfo, InterfaceSource, SMALLEST_RING, interfaces};
pub use link::{LinkChange, LinkNotice};
pub use merge::{MergedFiles, open_files};
pub use privileges::{Dropped, drop_privileges};
pub use reader::CaptureReader;
pub use source::{Pressure, Progress, Source, SourceNames, SourceStats, Status};
pub use write::{InterfaceDescription, Labels, PcapWriter, PcapngWriter, Resolution};
