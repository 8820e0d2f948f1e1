//! The file that is carved into: private, hashed while it is written, and gone again when something fails.

use crate::failure::Failure;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where the carved packets go.
pub(crate) struct Output {
    to: Box<dyn Write>,
    hash: Sha256,
    bytes: u64,
    /// The file while it is not known to be whole, and the name it shall have.
    unfinished: Option<(PathBuf, PathBuf)>,
}

impl Output {
    /// Whether the file may be made: asked before the long work begins.
    pub(crate) fn check(path: &Path, force: bool) -> Result<(), Failure> {
        let taken = path.as_os_str() != "-" && fs::symlink_metadata(path).is_ok();
        match fs::symlink_metadata(path) {
            Ok(about) if about.is_dir() => {
                Err(Failure::new(format!("-w {}: is a directory; name a file", path.display())))
            }
            _ if taken && !force => {
                Err(Failure::new(format!("-w {}: exists; give another name, or --force", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Makes a file with mode 0600; `-` is standard output. It has
    /// its name only when it is whole.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Self::new(Box::new(io::stdout().lock()), None));
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.new", std::process::id()));
        let beside = PathBuf::from(beside);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let file = file.map_err(|error| failed(path, &error))?;
        let file: BufWriter<File> = BufWriter::with_capacity(1 << 20, file);
        Ok(Self::new(Box::new(file), Some((beside, path.to_owned()))))
    }

    fn new(to: Box<dyn Write>, unfinished: Option<(PathBuf, PathBuf)>) -> Self {
        Self { to, hash: Sha256::new(), bytes: 0, unfinished }
    }

    /// Bytes written.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of what was written, in hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The file is whole: gives it its name.
    pub(crate) fn keep(mut self, force: bool) -> Result<(), Failure> {
        let Some((beside, path)) = self.unfinished.take() else { return Ok(()) };
        // Making the name first fails when somebody else has made the file meanwhile, which a rename does not; and unlike
        // a hard link it works on the file systems that evidence is carried on.
        let reserved = if force { Ok(()) } else { File::create_new(&path).map(drop) };
        let named = reserved.and_then(|()| fs::rename(&beside, &path));
        named.map_err(|error| {
            let _ = fs::remove_file(&beside);
            failed(&path, &error)
        })
    }
}

/// Why nothing was, or is, written there.
pub(crate) fn failed(path: &Path, error: &io::Error) -> Failure {
    let place =
        if path.as_os_str() == "-" { "standard output".to_owned() } else { path.display().to_string() };
    let why = match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full; what was written of it is removed".to_owned(),
        io::ErrorKind::NotFound => "no such directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::AlreadyExists => "exists; give another name, or --force".to_owned(),
        io::ErrorKind::BrokenPipe => "its reader went away before all was written".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(format!("-w {place}: {why}"))
}

impl Drop for Output {
    /// What is not whole is removed: half a capture looks like evidence.
    fn drop(&mut self) {
        if let Some((beside, _)) = &self.unfinished {
            let _ = fs::remove_file(beside);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
