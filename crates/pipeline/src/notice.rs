//! What happens while a run goes on and a person should know at once.

use std::fmt;
use tapwire_store::StoreError;

/// Something to tell, in one line.
#[derive(Debug)]
pub enum Notice {
    /// An output began to fail, or works again.
    Output(tapwire_sink::Notice),
    /// A checkpoint could not be written.
    Unkept(StoreError),
    /// One was written whole again.
    Kept,
    /// Packets could not be written.
    PacketsUnkept(StoreError),
    /// They can be again, after so many that could not.
    PacketsKept(u64),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(notice) => notice.fmt(f),
            Self::Unkept(error) => write!(
                f,
                "what is learned is not kept: {error}; what was written before stays, and it is tried again every state.every seconds"
            ),
            Self::Kept => f.write_str("what is learned is kept again"),
            Self::PacketsUnkept(error) => {
                write!(
                    f,
                    "packets are not kept: {error}; those that were kept before stay, and it is tried again with each block"
                )
            }
            Self::PacketsKept(lost) => write!(f, "packets are kept again; {lost} were not"),
        }
    }
}
