//! One file a detector.

mod credentials_in_url;

use crate::DetectorInfo;

/// Every detector. To add one: its file here, and its line.
pub static DETECTORS: &[DetectorInfo] = &[credentials_in_url::INFO];
