//! Functions: `event(TABLE, COLUMN…, EXTRA)`, a row as the event that it is of; `ms(TIME)`, a time as a number; `token(NAME)`.

use crate::schema::{Kind, TABLES};
use crate::split::join;
use crate::time;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};
use serde_json::Value;

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("ms", 1, flags, |context| {
        Ok(context.get_raw(0).as_str().ok().and_then(time::parse))
    })?;
    connection.create_scalar_function("event", -1, flags, |context| {
        event(context).ok_or_else(|| Error::UserFunctionError("event: not the columns of a table".into()))
    })
}

/// Tokens issued by somebody name issuer and subject, as `inspect` reads them: both with a zero byte between.
pub(super) fn register_tokens(
    connection: &Connection,
    token: impl Fn(&str) -> Option<String> + Send + 'static,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("token", -1, flags, move |context| {
        let texts: Vec<Option<&str>> =
            (0..context.len()).map(|at| context.get_raw(at).as_str().ok()).collect();
        let name = match texts.as_slice() {
            [Some(name)] => (*name).to_owned(),
            [Some(issuer), Some(subject)] => format!("{issuer}\0{subject}"),
            [None] | [None, _] | [_, None] => return Ok(None),
            _ => {
                return Err(Error::UserFunctionError(
                    "token: takes a name, or an issuer and a subject".into(),
                ));
            }
        };
        let unknown = "token: the key of these tables is not known: give --token-key FILE";
        token(&name).map(Some).ok_or_else(|| Error::UserFunctionError(unknown.into()))
    })
}

fn event(context: &Context<'_>) -> Option<String> {
    if context.is_empty() {
        return None;
    }
    let name = context.get_raw(0).as_str().ok()?;
    let table = TABLES.iter().find(|table| table.name == name)?;
    if context.len() != table.columns.len() + 2 {
        return None;
    }
    let values = table.columns.iter().enumerate();
    let values = values.map(|(at, column)| value(context.get_raw(at + 1), column.kind)).collect();
    let extra = context.get_raw(context.len() - 1).as_str().ok();
    Some(join(table.columns, values, extra).to_string())
}

fn value(cell: ValueRef<'_>, kind: Kind) -> Value {
    let text = || cell.as_str().unwrap_or_default();
    match (cell, kind) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Integer(number), Kind::Bool) => Value::Bool(number != 0),
        (ValueRef::Integer(number), _) => number.into(),
        (ValueRef::Real(number), _) => number.into(),
        (_, Kind::Time) => time::parse(text()).map_or(Value::Null, Value::from),
        (_, Kind::List | Kind::Json) => serde_json::from_str(text()).unwrap_or(Value::Null),
        _ => text().into(),
    }
}
