//! `case`: an incident as one file that stands for itself, and that anybody can check.
//!
//! A case holds the captures, the configuration, rules and keys that the incident comes out of, what is said of it, and the
//! SHA-256 of each file in a signed manifest. Checking it derives the incident anew: `tapwire replay` in the folder of the
//! case, with nothing from outside.

mod args;
mod derive;
mod export;
mod manifest;
mod pack;
mod report;
mod ring;
mod stage;
mod verify;

pub(crate) use args::CaseAction;
pub(crate) use manifest::{from_hex, hex};

use crate::failure::{Exit, Failure};

/// `tapwire case`.
pub(crate) fn carry_out(action: &CaseAction) -> Result<Exit, Failure> {
    match action {
        CaseAction::Export(args) => export::export(args),
        CaseAction::Verify(args) => verify::verify(args),
    }
}
