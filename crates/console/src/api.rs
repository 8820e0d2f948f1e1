//! The JSON API: the rows that pages show, with the same parameters.

use crate::books::{Caller, DataFlow, Endpoint, Finding, Incident, Output, Posture};
use crate::doors::{Visitor, same};
use crate::pages::columns;
use crate::server::{Asked, Desk, Shelf};
use crate::table::{Ask, Column, Found, PAGE, Searched, find};
use crate::users::Role;
use crate::{hunt, looks, visit};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub(crate) fn router() -> Router<Desk> {
    Router::new()
        .route("/version", get(version))
        .route("/services", get(services))
        .route("/endpoints", get(endpoints))
        .route("/endpoints/{id}", get(endpoint))
        .route("/incidents", get(incidents))
        .route("/incidents/{uid}", get(incident))
        .route("/incidents/{uid}/mute", put(visit::mute).delete(visit::unmute))
        .route("/incidents/{uid}/radius", post(looks::radius))
        .route("/exchanges/{uid}", get(looks::events))
        .route("/findings", get(findings))
        .route("/postures", get(postures))
        .route("/callers", get(callers))
        .route("/callers/{name}", get(caller))
        .route("/callers/{name}/radius", post(looks::radius))
        .route("/flows", get(flows))
        .route("/figures", get(figures))
        .route("/counters", get(counters))
        .route("/outputs", get(outputs))
        .route("/audit", get(visit::audit))
        .route("/session", get(visit::session))
        .merge(hunt::routes())
        .fallback(|| async { missing("there is no such resource") })
}

/// With what a browser's session shows that a page of the console sends this.
const TOKEN: &str = "x-tapwire-token";

/// Why something is not done.
pub(crate) struct Refused(StatusCode, String);

impl Refused {
    /// The status, and why.
    pub(crate) fn into_parts(self) -> (StatusCode, String) {
        (self.0, self.1)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

pub(crate) fn refused(status: StatusCode, why: &str) -> Refused {
    Refused(status, why.to_owned())
}

pub(crate) fn missing(why: &str) -> Response {
    refused(StatusCode::NOT_FOUND, why).into_response()
}

/// Whether somebody may do what takes an analyst.
pub(crate) fn as_analyst(visitor: &Visitor, headers: &HeaderMap) -> Result<(), Refused> {
    if visitor.role < Role::Analyst {
        return Err(refused(StatusCode::FORBIDDEN, "viewers only read: ask for the role analyst"));
    }
    // Who shows name and password with each request has no token: no browser does that for a page of another site.
    let token = headers.get(TOKEN).and_then(|token| token.to_str().ok()).unwrap_or_default();
    if !visitor.token.is_empty() && !same(token, &visitor.token) {
        let why = "the header X-Tapwire-Token is missing or of another session: /api/v1/session tells it";
        return Err(refused(StatusCode::FORBIDDEN, why));
    }
    Ok(())
}

/// What cannot be noted in the audit log is not done.
pub(crate) fn done(noted: Result<(), String>) -> Result<(), Refused> {
    noted.map_err(|why| refused(StatusCode::SERVICE_UNAVAILABLE, &why))
}

fn rows<'r, R: Searched + Serialize + 'static>(
    all: impl Iterator<Item = &'r R>,
    columns: &[Column<R>],
    ask: &Ask,
) -> Json<Value> {
    let Found { rows, all } = find(all, columns, ask);
    Json(json!({"total": all, "page": ask.page + 1, "page_size": PAGE, "rows": rows}))
}

async fn version(State(books): State<Shelf>) -> Json<Value> {
    let snapshot = books.snapshot();
    Json(json!({"version": snapshot.version, "source": snapshot.source, "last": snapshot.last}))
}

async fn services(State(books): State<Shelf>) -> Json<Value> {
    Json(json!({"rows": books.snapshot().services}))
}

async fn endpoints(State(books): State<Shelf>, asked: Asked<Endpoint>) -> Json<Value> {
    rows(books.snapshot().endpoints.iter(), columns::ENDPOINTS, &asked.ask)
}

async fn endpoint(State(books): State<Shelf>, Path(id): Path<String>) -> Response {
    match books.endpoint(&id) {
        Some(whole) => Json(whole).into_response(),
        None => missing("there is no endpoint of that id"),
    }
}

async fn incidents(State(books): State<Shelf>, asked: Asked<Incident>) -> Json<Value> {
    rows(books.snapshot().listed(), columns::INCIDENTS, &asked.ask)
}

async fn incident(State(books): State<Shelf>, Path(uid): Path<String>) -> Response {
    let snapshot = books.snapshot();
    match snapshot.incident(&uid) {
        Some(incident) => Json(incident).into_response(),
        None => missing("there is no incident of that id"),
    }
}

async fn findings(State(books): State<Shelf>, asked: Asked<Finding>) -> Json<Value> {
    rows(books.snapshot().findings.iter(), columns::FINDINGS, &asked.ask)
}

async fn postures(State(books): State<Shelf>, asked: Asked<Posture>) -> Json<Value> {
    rows(books.snapshot().postures.iter(), columns::POSTURES, &asked.ask)
}

async fn callers(State(books): State<Shelf>, asked: Asked<Caller>) -> Json<Value> {
    rows(books.snapshot().callers.iter(), columns::CALLERS, &asked.ask)
}

async fn caller(State(books): State<Shelf>, Path(name): Path<String>) -> Response {
    match books.caller(&name) {
        Some(whole) => Json(whole).into_response(),
        None => missing("there is no caller of that name"),
    }
}

async fn flows(State(books): State<Shelf>, asked: Asked<DataFlow>) -> Json<Value> {
    rows(books.snapshot().flows.iter(), columns::FLOWS, &asked.ask)
}

async fn figures(State(books): State<Shelf>) -> Json<Value> {
    let snapshot = books.snapshot();
    Json(
        json!({"figures": snapshot.figures, "blind_spots": snapshot.blind_spots, "not_judged": snapshot.not_judged}),
    )
}

async fn outputs(State(books): State<Shelf>) -> Json<Value> {
    let row = |one: &Output| {
        let events: Map<String, Value> =
            one.events.iter().map(|(name, events)| ((*name).to_owned(), (*events).into())).collect();
        json!({
            "name": one.name, "events": events, "failure": one.failure, "failed": one.failed,
            "recovered": one.recovered,
        })
    };
    Json(json!({"rows": books.outputs().iter().map(row).collect::<Vec<_>>()}))
}

async fn counters(State(books): State<Shelf>) -> Json<Value> {
    Json(books.snapshot().counters.clone())
}
