//! Names what a file is that is not a capture.

/// First bytes of files that operators mistake for captures.
const KNOWN: [(&[u8], &str); 15] = [
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd inside another compression"),
    (&[0xfd, b'7', b'z', b'X'], "an xz file: unpack it first, xz -d"),
    (b"BZh", "a bzip2 file: unpack it first, bzip2 -d"),
    (&[0x04, 0x22, 0x4d, 0x18], "an lz4 file: unpack it first, lz4 -d"),
    (&[0x1f, 0x8b], "gzip inside gzip"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"snoop\0\0\0", "a snoop capture: convert it first, editcap -F pcap"),
    (b"\x7fELF", "a program"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet table"),
    (b"\x89PNG", "a picture"),
    (b"{", "JSON"),
    (b"[", "JSON"),
    (b"<", "XML or HTML"),
    (b"#!", "a script"),
];

/// What something is that begins with `bytes`.
pub(crate) fn like(bytes: &[u8]) -> &'static str {
    if bytes.is_empty() {
        return "an empty file";
    }
    let known = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    known.unwrap_or_else(|| if is_text(bytes) { "text" } else { "something else" })
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().take(512).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}
