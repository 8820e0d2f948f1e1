//! Looking again at what was captured: one exchange, and whose records left. Both take a while, so what was found is held.

use crate::api::{Refused as Denied, as_analyst, done, refused};
use crate::books::Exchange;
use crate::doors::Visitor;
use crate::pages;
use crate::server::{Desk, beside, lost, page};
use crate::table::escaped;
use crate::users::Role;
use crate::visit::{Bare, bad, may_not, told};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Of each kind; when another comes, the oldest goes.
const MOST: usize = 8;
/// What viewers are told: the same as of tables.
const ANALYSTS: &str = "single exchanges are for analysts: ask for that role";
const NONE: &str = "no exchange or finding of that uid is in what is kept";

/// What was found, until others take its place.
#[derive(Default)]
pub(crate) struct Held {
    exchanges: Recent<(String, u64), Exchange>,
    radii: Recent<String, Value>,
}

impl Held {
    /// Whose records somebody got, where that was counted.
    pub(crate) fn radius(&self, whose: &str) -> Option<Arc<Value>> {
        self.radii.get(&whose.to_owned())
    }
}

/// The latest few, by name.
struct Recent<K, V>(Mutex<VecDeque<(K, Arc<V>)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq, V> Recent<K, V> {
    fn put(&self, key: K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        // Whoever panicked left it whole: each change is one.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(known, _)| *known != key);
        if held.len() >= MOST {
            held.pop_front();
        }
        held.push_back((key, Arc::clone(&value)));
        value
    }

    fn get(&self, key: &K) -> Option<Arc<V>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().find(|(known, _)| known == key).map(|(_, value)| Arc::clone(value))
    }
}

/// Where to look first.
#[derive(Deserialize)]
pub(crate) struct Hint {
    #[serde(default)]
    day: Option<String>,
}

/// The page of one exchange.
pub(crate) async fn exchange(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(uid): Path<String>,
    Query(hint): Query<Hint>,
) -> Response {
    match found(&desk, &visitor, uid, hint.day).await {
        Ok(Some(exchange)) => page(pages::exchange(&desk.books.snapshot(), &exchange)),
        Ok(None) => lost("No exchange or finding of that uid is in what is kept."),
        Err((StatusCode::FORBIDDEN, why)) => told(StatusCode::FORBIDDEN, pages::refused(&why)),
        Err((_, why)) => bad(&why),
    }
}

/// The same for programs: its events.
pub(crate) async fn events(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(uid): Path<String>,
    Query(hint): Query<Hint>,
) -> Result<Json<Value>, Denied> {
    let found = found(&desk, &visitor, uid, hint.day).await;
    match found.map_err(|(status, why)| refused(status, &why))? {
        Some(exchange) => Ok(Json(json!({"uid": exchange.uid, "rows": exchange.events}))),
        None => Err(refused(StatusCode::NOT_FOUND, NONE)),
    }
}

/// Held by uid for as long as what is shown beside it is the same.
async fn found(
    desk: &Desk,
    visitor: &Visitor,
    uid: String,
    day: Option<String>,
) -> Result<Option<Arc<Exchange>>, (StatusCode, String)> {
    if visitor.role < Role::Analyst {
        return Err((StatusCode::FORBIDDEN, ANALYSTS.to_owned()));
    }
    if day.as_deref().is_some_and(|day| !is_day(day)) {
        return Err((StatusCode::BAD_REQUEST, "day: a date, such as 2026-11-22".to_owned()));
    }
    let key = (uid.clone(), desk.books.snapshot().version);
    if let Some(held) = desk.looked.exchanges.get(&key) {
        return Ok(Some(held));
    }
    let books = Arc::clone(&desk.books);
    match beside(&desk.looks, move || books.exchange(&uid, day.as_deref())).await {
        Some(Ok(found)) => Ok(found.map(|exchange| desk.looked.exchanges.put(key, exchange))),
        Some(Err(why)) => Err((StatusCode::UNPROCESSABLE_ENTITY, why)),
        None => Err((StatusCode::SERVICE_UNAVAILABLE, "looking for it broke off".to_owned())),
    }
}

/// Whether it is written as a date (RFC 3339, 5.6).
fn is_day(text: &str) -> bool {
    let is_place =
        |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(is_place)
}

/// Of an incident, counted because somebody pressed for it.
pub(crate) async fn of_incident(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(uid): Path<String>,
    Form(form): Form<Bare>,
) -> Response {
    let page = format!("/incidents/{}", escaped(&uid));
    pressed(&desk, &visitor, &form, uid, &page).await
}

/// The same of a caller.
pub(crate) async fn of_caller(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Bare>,
) -> Response {
    let page = format!("/callers/{}", escaped(&name));
    pressed(&desk, &visitor, &form, name, &page).await
}

async fn pressed(desk: &Desk, visitor: &Visitor, form: &Bare, whose: String, page: &str) -> Response {
    if let Some(refused) = may_not(visitor, &form.token) {
        return refused;
    }
    match counted(desk, visitor, whose).await {
        Ok(_) => Redirect::to(&format!("{page}#radius")).into_response(),
        Err((_, why)) => bad(&why),
    }
}

/// For programs, of an incident or a caller.
pub(crate) async fn radius(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Path(whose): Path<String>,
) -> Result<Json<Value>, Denied> {
    as_analyst(&visitor, &headers)?;
    let counted = counted(&desk, &visitor, whose).await;
    counted.map(|radius| Json((*radius).clone())).map_err(|(status, why)| refused(status, &why))
}

/// Counts it; who asks is noted first.
async fn counted(desk: &Desk, visitor: &Visitor, whose: String) -> Result<Arc<Value>, (StatusCode, String)> {
    let snapshot = desk.books.snapshot();
    let is_known = snapshot.incidents.iter().any(|one| one.uid == whose)
        || snapshot.callers.iter().any(|one| one.name == whose);
    if !is_known {
        return Err((StatusCode::NOT_FOUND, "there is no incident or caller of that name".to_owned()));
    }
    let line = json!({"action": "blast-radius", "user": visitor.name, "more": {"of": whose}});
    done(desk.doors.keeper().note(&line)).map_err(Denied::into_parts)?;
    let (books, asked) = (Arc::clone(&desk.books), whose.clone());
    match beside(&desk.radii, move || books.radius(&asked)).await {
        Some(Ok(radius)) => Ok(desk.looked.radii.put(whose, radius)),
        Some(Err(why)) => Err((StatusCode::CONFLICT, why)),
        None => Err((StatusCode::SERVICE_UNAVAILABLE, "counting broke off".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_held_until_others_take_its_place() {
        let held: Recent<usize, usize> = Recent::default();
        (0..MOST).for_each(|at| _ = held.put(at, at));
        held.put(0, 100);
        assert_eq!(held.get(&0).as_deref(), Some(&100), "the newest of a name");
        held.put(MOST, MOST);
        assert_eq!((held.get(&1), held.get(&0).is_some()), (None, true), "the oldest went");
    }
}
