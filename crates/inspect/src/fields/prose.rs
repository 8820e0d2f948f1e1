//! Texts that are one value and are looked at line by line.

use super::{FieldIndex, Fields, Formats, Kind};
use crate::classes::Seen;
use crate::made::Made;

impl Fields {
    /// A line of a text that is one value: [`Fields::prose`] tells that.
    pub(crate) fn line(&mut self, at: FieldIndex, text: &[u8]) {
        let Some(field) = self.field(at) else { return };
        field.scalars += 1;
        let step = field.step;
        let seen = Seen { text, made: Made::of(text), is_number: false, len: text.len() as u64 };
        self.look(at, step, &seen);
    }

    /// A text of `len` bytes, of which the lines were told.
    pub(crate) fn prose(&mut self, at: FieldIndex, len: usize) {
        let Some(field) = self.field(at) else { return };
        field.kinds.add(Kind::Text);
        field.count += 1;
        field.lengths.add(len);
        field.formats = Formats::NONE;
        field.many = true;
    }
}
