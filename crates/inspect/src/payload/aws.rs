//! The JSON protocol of AWS: the operation stands in `X-Amz-Target`.

use super::{PayloadFormat, json};
use crate::style::{Operation, Said, Spoken, Style};

pub(super) const FORMAT: PayloadFormat = PayloadFormat {
    name: "amz-json",
    summary: "JSON as AWS has it: read as JSON is",
    media_types: &["application/x-amz-json-1.0", "application/x-amz-json-1.1"],
    matches: |media_type| media_type.starts_with(b"application/x-amz-json-"),
    begins: |_| false,
    parser: || Box::<json::Json>::default(),
};

pub(crate) const STYLE: Style = Style {
    name: "aws-json",
    summary: "the operation",
    told_by: "application/x-amz-json and `X-Amz-Target`",
    read,
};

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    if spoken.request_payload.format != Some(FORMAT.name) {
        return;
    }
    let Some(target) = spoken.request_header(b"x-amz-target") else { return };
    said.operation = Some(Operation::new(STYLE.name, &String::from_utf8_lossy(target)));
    said.protocols.push(STYLE.name);
}
