//! Hunting for programs: the same tables, queries and rules as on the page.

use super::desk::{Act, answered, noted};
use super::{Answered, Limits, MOST_QUERY, MOST_TITLE, Query, Tables};
use crate::api::{Refused, as_analyst, done, missing, refused};
use crate::doors::Visitor;
use crate::server::Desk;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/hunt", post(ask))
        .route("/hunt/tables", get(tables))
        .route("/hunt/queries", get(queries))
        .route("/hunt/queries/{title}", put(keep).delete(forget))
}

/// A query as programs send it: only as JSON, which no form of another site can.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    query: String,
}

/// The tables, for who may ask them.
fn opened(desk: &Desk, visitor: &Visitor, headers: &HeaderMap) -> Result<Arc<dyn Tables>, Refused> {
    as_analyst(visitor, headers)?;
    desk.books.tables().map_err(|why| refused(StatusCode::NOT_FOUND, &why))
}

fn fits(query: &str) -> Result<(), Refused> {
    match query.trim().is_empty() || query.len() > MOST_QUERY {
        true => Err(refused(StatusCode::UNPROCESSABLE_ENTITY, "a query has 1 to 5,000 bytes")),
        false => Ok(()),
    }
}

async fn tables(State(desk): State<Desk>) -> Response {
    let tables = match desk.books.tables() {
        Ok(tables) => tables,
        Err(why) => return missing(&why),
    };
    let column = |(name, what): &(String, String)| json!({"name": name, "what": what});
    let described: Vec<Value> = tables
        .described()
        .iter()
        .map(|table| json!({"name": table.name, "what": table.what, "columns": table.columns.iter().map(column).collect::<Vec<_>>()}))
        .collect();
    let Limits { rows, seconds, bytes } = tables.limits();
    Json(json!({"limits": {"rows": rows, "seconds": seconds, "bytes": bytes}, "rows": described}))
        .into_response()
}

async fn queries(State(desk): State<Desk>) -> Response {
    match desk.books.tables() {
        Ok(tables) => {
            Json(json!({"rows": tables.kept().iter().map(told).collect::<Vec<_>>()})).into_response()
        }
        Err(why) => missing(&why),
    }
}

fn told(query: &Query) -> Value {
    json!({"title": query.title, "query": query.text, "by": query.by})
}

async fn ask(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Json(sent): Json<Sent>,
) -> Result<Response, Refused> {
    let tables = opened(&desk, &visitor, &headers)?;
    fits(&sent.query)?;
    done(noted(&desk, &visitor, &Act::Ask { query: &sent.query }))?;
    match answered(&desk, &tables, sent.query).await {
        Some(Ok(Answered { answer, took, .. })) => Ok(Json(json!({
            "columns": answer.columns, "rows": answer.rows, "cut": answer.cut,
            "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }))
        .into_response()),
        Some(Err(why)) => Err(refused(StatusCode::UNPROCESSABLE_ENTITY, &why)),
        None => Err(refused(StatusCode::SERVICE_UNAVAILABLE, "the query broke off")),
    }
}

async fn keep(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Path(title): Path<String>,
    Json(sent): Json<Sent>,
) -> Result<Response, Refused> {
    let tables = opened(&desk, &visitor, &headers)?;
    fits(&sent.query)?;
    let title = title.trim();
    if title.is_empty() || title.len() > MOST_TITLE {
        return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, "a title has 1 to 100 bytes"));
    }
    done(noted(&desk, &visitor, &Act::Keep { title, query: &sent.query }))?;
    let query = Query { title: title.to_owned(), text: sent.query, by: visitor.name };
    match tables.keep(&query) {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(why) => Err(refused(StatusCode::CONFLICT, &why)),
    }
}

async fn forget(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Path(title): Path<String>,
) -> Result<Response, Refused> {
    let tables = opened(&desk, &visitor, &headers)?;
    let title = title.trim();
    if !tables.kept().iter().any(|query| query.title == title && !query.by.is_empty()) {
        return Err(refused(StatusCode::NOT_FOUND, "nobody keeps a query of that title"));
    }
    done(noted(&desk, &visitor, &Act::Forget { title }))?;
    match tables.forget(title) {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(why) => Err(refused(StatusCode::CONFLICT, &why)),
    }
}
