//! What can go wrong for an operator, in one line each: what, where, what to try.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a source cannot be opened or read on.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no such file or directory.
    #[error("{}: no such file or directory", path.display())]
    NotFound {
        /// As the operator gave it.
        path: PathBuf,
    },
    /// The file may not be read.
    #[error("{}: permission denied; read it as its owner, or as root", path.display())]
    Permission {
        /// As the operator gave it.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{}: not a capture file, it looks like {looks_like}; give a pcap or pcapng file, plain, gzip or zstd", path.display())]
    NotACapture {
        /// As the operator gave it.
        path: PathBuf,
        /// What it is, as far as its first bytes tell.
        looks_like: &'static str,
    },
    /// The directory holds no capture.
    #[error("{}: no capture files in this directory (pcap or pcapng, plain, gzip or zstd)", path.display())]
    EmptyDirectory {
        /// As the operator gave it.
        path: PathBuf,
    },
    /// More files than a run can number.
    #[error("{count} capture files are more than the {limit} of one run; replay them in several runs")]
    TooManyFiles {
        /// How many were given.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The file ends inside a packet. Everything before was delivered.
    #[error("{}: cut in the middle of packet {frame} at byte {offset}; the {packets} packets before it were read", path.display())]
    Truncated {
        /// As the operator gave it.
        path: PathBuf,
        /// Number of the packet that is cut, from 1.
        frame: u64,
        /// Where that packet begins, in bytes of the uncompressed file.
        offset: u64,
        /// Whole packets before.
        packets: u64,
    },
    /// The file contradicts its format. Everything before was delivered.
    #[error("{}: damaged at byte {offset}, at packet {frame}: {what}; the {packets} packets before it were read", path.display())]
    Corrupt {
        /// As the operator gave it.
        path: PathBuf,
        /// Number of the packet that would come next, from 1.
        frame: u64,
        /// Where the damage begins, in bytes of the uncompressed file.
        offset: u64,
        /// Whole packets before.
        packets: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Blocks of the file contradict its format. Those around them were delivered.
    #[error(
        "{}: {}, the first at byte {offset}, at packet {frame}: {what}; packets read: {packets}{}",
        path.display(), passed_over(*blocks, *bytes), behind(*end)
    )]
    Damaged {
        /// As the operator gave it.
        path: PathBuf,
        /// Number that the first damaged packet would have had, from 1.
        frame: u64,
        /// Where the first damaged block begins, in bytes of the uncompressed file.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
        /// How many blocks were passed over.
        blocks: u64,
        /// Their bytes.
        bytes: u64,
        /// Packets read of the whole file.
        packets: u64,
        /// Where reading ended before the file did, and why.
        end: Option<(u64, &'static str)>,
    },
    /// The file was written anew before it was read to its end.
    #[error(
        "{}: overwritten while it was read; its first {packets} packets were read, what followed is lost: let more \
         or larger files rotate", path.display()
    )]
    Overwritten {
        /// The file.
        path: PathBuf,
        /// Packets read of it.
        packets: u64,
    },
    /// What is to be followed is no directory.
    #[error("{}: not a directory; --follow takes the directory that captures are rotated in", path.display())]
    NotADirectory {
        /// As the operator gave it.
        path: PathBuf,
    },
    /// A part of kept packets cannot be read. The rest was delivered, or is to come.
    #[error("{}: cannot be read wholly: {what}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why, as far as it can be told.
        what: &'static str,
    },
    /// The directory that is followed cannot be listed any more.
    #[error("{}: the followed directory cannot be listed any more; start again when it is back", path.display())]
    DirectoryGone {
        /// As the operator gave it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such interface.
    #[error("{name}: no such interface; there are: {}", available.join(", "))]
    NoSuchInterface {
        /// As the operator gave it.
        name: String,
        /// Names of those that exist.
        available: Vec<String>,
    },
    /// An interface was named more than once: each of its packets would come as often.
    #[error("{name}: given twice; name each interface once")]
    GivenTwice {
        /// As the operator gave it.
        name: String,
    },
    /// The process may not capture.
    #[error(
        "{name}: no permission to capture, which needs the capabilities CAP_NET_RAW and CAP_NET_ADMIN; run as root, \
         or once: sudo setcap cap_net_raw,cap_net_admin=eip $(which tapwire)"
    )]
    NoPermission {
        /// The interface.
        name: String,
    },
    /// The interface exists and is down, or went away.
    #[error("{name}: the interface is down; bring it up: sudo ip link set {name} up")]
    InterfaceDown {
        /// The interface.
        name: String,
    },
    /// The capture filter does not compile.
    #[error("bad filter \"{filter}\": {message}{}", at(filter, *position))]
    BadFilter {
        /// As the operator gave it.
        filter: String,
        /// What libpcap says.
        message: String,
        /// Byte offset of the first word that does not fit, where it can be told.
        position: Option<usize>,
    },
    /// libpcap refuses for another reason.
    #[error("{name}: {message}")]
    Capture {
        /// The interface.
        name: String,
        /// What libpcap says.
        message: String,
    },
    /// Privileges could not be given up.
    #[error("cannot drop privileges: {message}")]
    Privileges {
        /// What failed, and what to try.
        message: String,
    },
    /// Reading failed for another reason.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// As the operator gave it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn passed_over(blocks: u64, bytes: u64) -> String {
    if blocks == 1 {
        format!("a damaged block of {bytes} bytes was passed over")
    } else {
        format!("{blocks} damaged blocks of {bytes} bytes were passed over")
    }
}

fn behind(end: Option<(u64, &'static str)>) -> String {
    end.map_or_else(String::new, |(offset, why)| format!(", and nothing from byte {offset} on: {why}"))
}

/// Points into a filter.
fn at(filter: &str, position: Option<usize>) -> String {
    position.and_then(|start| filter.get(start..)).map_or_else(String::new, |rest| {
        if rest.is_empty() { ", at its end".to_owned() } else { format!(", at \"{rest}\"") }
    })
}

impl SourceError {
    /// From trouble with opening or reading `path`.
    pub(crate) fn from_io(path: &std::path::Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::PermissionDenied => Self::Permission { path },
            _ => Self::Io { path, source },
        }
    }

    /// Whether packets of the same source came before and may still come after, from its other files.
    pub const fn is_partial(&self) -> bool {
        matches!(
            self,
            Self::Truncated { .. }
                | Self::Corrupt { .. }
                | Self::Damaged { .. }
                | Self::Overwritten { .. }
                | Self::NotACapture { .. }
                | Self::Unreadable { .. }
                | Self::NotFound { .. }
                | Self::Permission { .. }
        )
    }
}
