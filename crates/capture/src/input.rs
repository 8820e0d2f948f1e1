//! Where the bytes of a capture come from: a file or standard input, perhaps compressed.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::gzip::{self, Gzip};

/// Compressed bytes read at a time, at most.
const COMPRESSED_BUFFER: usize = 64 << 10;
/// The largest window of a zstd frame that is believed: 2 to this many bytes, what `zstd --long` writes. It is memory
/// that a file can ask for.
const ZSTD_WINDOW_LOG: u32 = 27;

const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How a frame for the user's own use begins, behind a byte from 0x50 to 0x5f (RFC 8878, 3.1.2): parallel compressors
/// put one in front.
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// A file whose handle can be given back between reads.
struct Handle {
    path: PathBuf,
    at: u64,
    file: Option<File>,
}

impl Read for Handle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(self.at))?;
                self.file.insert(file)
            }
        };
        let n = file.read(buffer)?;
        self.at += n as u64;
        Ok(n)
    }
}

enum Stream {
    File(Handle),
    Other(Box<dyn Read + Send>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(handle) => handle.read(buffer),
            Self::Other(stream) => stream.read(buffer),
        }
    }
}

/// A reader that counts what passed.
pub(crate) struct Counted {
    inner: Stream,
    bytes: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

/// The first bytes, given back before the rest.
type Rewound = io::Chain<Cursor<Vec<u8>>, Counted>;

/// The uncompressed bytes of a capture.
pub(crate) enum Input {
    Plain(Rewound),
    Gzip(Box<Gzip<BufReader<Rewound>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Rewound>>>),
}

impl Input {
    /// Any stream of such bytes.
    pub(crate) fn new(stream: Box<dyn Read + Send>) -> io::Result<Self> {
        Self::over(Stream::Other(stream), COMPRESSED_BUFFER)
    }

    /// Opens a file; `-` is standard input. Compressed bytes are read `buffer` at a time.
    pub(crate) fn open(path: &Path, buffer: usize) -> io::Result<Self> {
        let buffer = buffer.min(COMPRESSED_BUFFER);
        if path.as_os_str() == "-" {
            return Self::over(Stream::Other(Box::new(io::stdin())), buffer);
        }
        let file = File::open(path)?;
        let stream = if file.metadata()?.is_file() {
            Stream::File(Handle { path: path.to_owned(), at: 0, file: Some(file) })
        } else {
            Stream::Other(Box::new(file))
        };
        Self::over(stream, buffer)
    }

    /// Looks at the first bytes and puts a decompressor in between where they ask for one.
    fn over(inner: Stream, buffer: usize) -> io::Result<Self> {
        let mut counted = Counted { inner, bytes: 0 };
        let mut magic = Vec::with_capacity(4);
        counted.by_ref().take(4).read_to_end(&mut magic)?;
        let (gzip, zstd) = (magic.starts_with(&gzip::MAGIC), is_zstd(&magic));
        let rewound = Cursor::new(magic).chain(counted);
        if !gzip && !zstd {
            return Ok(Self::Plain(rewound));
        }
        let buffered = BufReader::with_capacity(buffer, rewound);
        if gzip {
            return Ok(Self::Gzip(Box::new(Gzip::new(buffered))));
        }
        let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        Ok(Self::Zstd(Box::new(decoder)))
    }

    fn counted(&self) -> &Counted {
        match self {
            Self::Plain(rewound) => rewound.get_ref().1,
            Self::Gzip(decoder) => decoder.get_ref().get_ref().get_ref().1,
            Self::Zstd(decoder) => decoder.get_ref().get_ref().get_ref().1,
        }
    }

    fn handle(&self) -> Option<&Handle> {
        match &self.counted().inner {
            Stream::File(handle) => Some(handle),
            Stream::Other(_) => None,
        }
    }

    /// Bytes taken from the file, compressed where it is.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.counted().bytes
    }

    /// Whether there is a decompressor in between.
    pub(crate) const fn is_compressed(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// Whether a handle is open that [`rest`](Self::rest) would close.
    pub(crate) fn holds_handle(&self) -> bool {
        self.handle().is_some_and(|handle| handle.file.is_some())
    }

    /// Closes the handle of a file; the next read opens it again, at the same place.
    pub(crate) fn rest(&mut self) {
        let counted = match self {
            Self::Plain(rewound) => rewound.get_mut().1,
            Self::Gzip(decoder) => decoder.get_mut().get_mut().get_mut().1,
            Self::Zstd(decoder) => decoder.get_mut().get_mut().get_mut().1,
        };
        if let Stream::File(handle) = &mut counted.inner {
            handle.file = None;
        }
    }

    /// What the system says about the open file, which may have no name any more.
    pub(crate) fn metadata(&self) -> Option<Metadata> {
        self.handle()?.file.as_ref()?.metadata().ok()
    }

    /// The first bytes of the open file as they are now, into `buffer`; how many there are.
    pub(crate) fn first_bytes(&self, buffer: &mut [u8]) -> usize {
        let file = self.handle().and_then(|handle| handle.file.as_ref());
        file.and_then(|file| file.read_at(buffer, 0).ok()).unwrap_or(0)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(rewound) => rewound.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer).map_err(damage),
        }
    }
}

fn is_zstd(magic: &[u8]) -> bool {
    let skippable = |(first, rest): (&u8, &[u8])| first & 0xf0 == 0x50 && rest == ZSTD_SKIPPABLE;
    magic == ZSTD || magic.split_first().is_some_and(skippable)
}

/// The library tells of damage as of anything else; trouble with reading carries the system's number.
fn damage(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none() {
        return io::Error::from(io::ErrorKind::InvalidData);
    }
    error
}
