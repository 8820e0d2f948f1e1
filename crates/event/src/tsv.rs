//! Chosen fields of exchanges, separated by tabs, with a header line.
//!
//! An unknown value is an empty column, and items of a list are separated by commas. A tab cannot stand in a value:
//! control characters are percent-encoded.

use crate::fields::FieldInfo;
use crate::line::printable;
use crate::number;
use crate::pen::Pen;
use crate::time::Civil;
use crate::view::View;
use tapwire_expr::{Kind, Value};
use tapwire_protocol::Untrusted;
use tapwire_wire::Timestamp;

/// Writes the names of the fields, with a line end.
pub(crate) fn header(fields: &[&FieldInfo], out: &mut Vec<u8>) {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    out.extend_from_slice(names.join("\t").as_bytes());
    out.push(b'\n');
}

/// Writes the values, without a line end.
pub(crate) fn exchange(view: &View<'_>, fields: &[&FieldInfo], pen: &mut Pen, out: &mut Vec<u8>) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b'\t');
        }
        value(field, field.value(view), pen, out);
    }
}

fn value(field: &FieldInfo, value: Value<'_>, pen: &mut Pen, out: &mut Vec<u8>) {
    match value {
        Value::Unknown => {}
        Value::Bool(truth) => out.extend_from_slice(if truth { b"true" } else { b"false" }),
        Value::Int(nanos) if field.kind == Kind::Time => {
            Civil::new(Timestamp::from_nanos(nanos)).date_time(out, 6);
            out.push(b'Z');
        }
        Value::Int(nanos) if field.kind == Kind::Duration => milliseconds(out, nanos),
        Value::Int(number) => number::signed(out, number),
        Value::Ip(ip) => number::ip(out, ip),
        Value::Text(text) => printable(out, pen.leave(field.leaves, Untrusted::new(&text))),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                printable(out, pen.leave(field.leaves, Untrusted::new(item)));
            }
        }
    }
}

/// Milliseconds with three places.
fn milliseconds(out: &mut Vec<u8>, nanos: i64) {
    let micros = nanos.unsigned_abs() / 1_000;
    number::unsigned(out, micros / 1_000);
    out.push(b'.');
    number::padded(out, micros % 1_000, 3);
}
