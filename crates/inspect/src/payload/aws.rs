//! The JSON protocol of AWS: the operation stands in `X-Amz-Target`.

use super::{PayloadFormat, json};
use crate::style::{Operation, Said, Spoken, Style};
use tapwire_protocol::Head;

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
    told_by: "`X-Amz-Target`, whatever the Content-Type",
    read,
};

/// Whether the head names an operation: the payload need not be JSON, or said to be.
pub(crate) fn names(request: &Head) -> bool {
    let is_post = request.method().is_some_and(|method| method.bytes() == b"POST");
    is_post && target(request).is_some()
}

/// A service and an operation: letters, digits and what separates them.
fn target(request: &Head) -> Option<&[u8]> {
    let target = request.header(b"x-amz-target")?.bytes();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (!target.is_empty() && target.iter().all(part)).then_some(target)
}

fn read(spoken: &mut Spoken<'_>, said: &mut Said) {
    let Some(target) = spoken.request.and_then(target) else { return };
    said.operation = Some(Operation::new(STYLE.name, &String::from_utf8_lossy(target)));
    said.protocols.push(STYLE.name);
}
