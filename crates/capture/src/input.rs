//! Where the bytes of a capture come from: a file or standard input, perhaps compressed.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// Compressed bytes read at a time.
const COMPRESSED_BUFFER: usize = 64 << 10;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A reader that counts what passed.
pub(crate) struct Counted {
    inner: Box<dyn Read + Send>,
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
    Gzip(Box<MultiGzDecoder<BufReader<Rewound>>>),
}

impl Input {
    /// Looks at the first bytes and puts a decompressor in between where they ask for one.
    pub(crate) fn new(inner: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut counted = Counted { inner, bytes: 0 };
        let mut magic = Vec::with_capacity(4);
        counted.by_ref().take(4).read_to_end(&mut magic)?;
        let gzip = magic.starts_with(&GZIP);
        let rewound = Cursor::new(magic).chain(counted);
        Ok(if gzip {
            let buffered = BufReader::with_capacity(COMPRESSED_BUFFER, rewound);
            Self::Gzip(Box::new(MultiGzDecoder::new(buffered)))
        } else {
            Self::Plain(rewound)
        })
    }

    /// Opens a file; `-` is standard input.
    pub(crate) fn open(path: &std::path::Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            Self::new(Box::new(io::stdin()))
        } else {
            Self::new(Box::new(File::open(path)?))
        }
    }

    /// Bytes taken from the file, compressed where it is.
    pub(crate) fn bytes_read(&self) -> u64 {
        match self {
            Self::Plain(rewound) => rewound.get_ref().1.bytes,
            Self::Gzip(decoder) => decoder.get_ref().get_ref().get_ref().1.bytes,
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(rewound) => rewound.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}
