//! What is on the disk, and not only with the system.

use super::Spool;
use crate::{StoreError, files};

impl Spool {
    /// Has the system write everything that was appended to the disk, for who may not acknowledge it before.
    ///
    /// # Errors
    /// The path and the system's reason: what was appended may not survive the machine.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        let failed = |path: &std::path::Path, e| StoreError::io("write", path, &e);
        for segment in self.segments.iter_mut().rev().take_while(|segment| segment.unsynced) {
            segment.file.sync_data().map_err(|e| failed(&segment.path, e))?;
            // Its name may be new, too.
            files::sync_parent(&segment.path).map_err(|e| failed(&segment.path, e))?;
            segment.unsynced = false;
        }
        Ok(())
    }
}
