//! What is asked at the addresses of hunting.

use super::{Answered, Cells, MOST_QUERY, MOST_TITLE, Query, Tables};
use crate::books::Snapshot;
use crate::doors::{Visitor, random};
use crate::export;
use crate::pages;
use crate::server::{Asked, Desk, beside, lost, page};
use crate::users::Role;
use crate::visit::{bad, may_not};
use axum::Extension;
use axum::extract::{Form, Path, Query as Parameters, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

/// What stands in the editor at first.
#[derive(Deserialize)]
pub(crate) struct Begin {
    #[serde(default)]
    query: String,
    #[serde(default)]
    kept: String,
}

/// The page on which a query is written.
pub(crate) async fn hunt(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Parameters(begin): Parameters<Begin>,
) -> Response {
    let snapshot = desk.books.snapshot();
    let tables = match desk.books.tables() {
        Ok(tables) => tables,
        Err(why) => return page(pages::no_hunt(&snapshot, &why)),
    };
    let kept = tables.kept();
    let known = kept.iter().find(|query| !begin.kept.is_empty() && query.title == begin.kept);
    let text = known.map_or(begin.query.get(..MOST_QUERY).unwrap_or(&begin.query), |query| &query.text);
    let title = known.filter(|query| !query.by.is_empty()).map_or("", |query| &query.title);
    let editor = pages::Editor { text, title, wrong: "", visitor: &visitor };
    page(pages::hunt(&snapshot, tables.as_ref(), &kept, &editor))
}

/// What the form of a query sends.
#[derive(Deserialize)]
pub(crate) struct Sent {
    token: String,
    query: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    action: String,
}

/// Asks, keeps or forgets a query; who asked what is noted before it is answered.
pub(crate) async fn ask(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Form(mut sent): Form<Sent>,
) -> Response {
    if let Some(refused) = may_not(&visitor, &sent.token) {
        return refused;
    }
    // Browsers send lines of a text with both signs.
    sent.query = sent.query.replace("\r\n", "\n");
    if sent.query.len() > MOST_QUERY || sent.title.len() > MOST_TITLE {
        return bad("a query has at most 5,000 bytes, its title 100");
    }
    let tables = match desk.books.tables() {
        Ok(tables) => tables,
        Err(why) => return bad(&why),
    };
    let (title, query) = (sent.title.as_str(), sent.query.as_str());
    let act = match sent.action.as_str() {
        "keep" => Act::Keep { title, query },
        "forget" => Act::Forget { title },
        _ => Act::Ask { query },
    };
    if let Err(why) = noted(&desk, &visitor, &act) {
        return bad(&why);
    }
    match sent.action.as_str() {
        "keep" => kept(tables.as_ref(), &visitor, sent),
        "forget" => tables
            .forget(&sent.title)
            .map_or_else(|why| bad(&why), |()| Redirect::to("/hunt").into_response()),
        _ => carried_out(&desk, tables, &visitor, sent.query).await,
    }
}

/// What somebody does here.
pub(super) enum Act<'a> {
    Ask { query: &'a str },
    Keep { title: &'a str, query: &'a str },
    Forget { title: &'a str },
}

/// Notes who does it; what cannot be noted is not done.
pub(super) fn noted(desk: &Desk, visitor: &Visitor, act: &Act<'_>) -> Result<(), String> {
    let (action, more) = match act {
        Act::Ask { query } => ("hunt", json!({"query": query})),
        Act::Keep { title, query } => ("query kept", json!({"title": title, "query": query})),
        Act::Forget { title } => ("query forgotten", json!({"title": title})),
    };
    desk.doors.keeper().note(&json!({"action": action, "user": visitor.name, "more": more}))
}

fn kept(tables: &dyn Tables, visitor: &Visitor, sent: Sent) -> Response {
    let query = Query { title: sent.title.trim().to_owned(), text: sent.query, by: visitor.name.clone() };
    if query.title.is_empty() {
        return bad("say in a few words what it asks: that is its title");
    }
    match tables.keep(&query) {
        Ok(()) => {
            Redirect::to(&format!("/hunt?kept={}", crate::table::escaped(&query.title))).into_response()
        }
        Err(why) => bad(&why),
    }
}

async fn carried_out(desk: &Desk, tables: Arc<dyn Tables>, visitor: &Visitor, query: String) -> Response {
    let answered = match answered(desk, &tables, query.clone()).await {
        Some(Ok(answered)) => answered,
        Some(Err(why)) => return wrong(&desk.books.snapshot(), tables.as_ref(), visitor, &query, &why),
        None => return bad("the query broke off"),
    };
    let Some(id) = random() else { return bad("the system gave no random bytes") };
    desk.answers.put(id.clone(), visitor.name.clone(), answered);
    Redirect::to(&format!("/hunt/{id}")).into_response()
}

/// The answer, or what is wrong with the query; `None` where it broke off.
pub(super) async fn answered(
    desk: &Desk,
    tables: &Arc<dyn Tables>,
    query: String,
) -> Option<Result<Answered, String>> {
    let began = Instant::now();
    let (asked, text) = (Arc::clone(tables), query.clone());
    let answer = beside(&desk.hunts, move || asked.ask(&text)).await?;
    Some(answer.map(|answer| Answered { query, answer, took: began.elapsed() }))
}

fn wrong(snapshot: &Snapshot, tables: &dyn Tables, visitor: &Visitor, text: &str, why: &str) -> Response {
    let editor = pages::Editor { text, title: "", wrong: why, visitor };
    (StatusCode::UNPROCESSABLE_ENTITY, page(pages::hunt(snapshot, tables, &tables.kept(), &editor)))
        .into_response()
}

/// What a query found, as a page or as a file.
pub(crate) async fn answer(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    asked: Asked<Cells>,
) -> Response {
    let (id, kind) = name.split_once('.').unwrap_or((&name, ""));
    let held = (visitor.role >= Role::Analyst).then(|| desk.answers.get(id, &visitor.name)).flatten();
    let Some(answered) = held else {
        return lost("This answer is not held any more, or is somebody else's: ask again.");
    };
    match kind {
        "" => page(pages::answer(&desk.books.snapshot(), id, &answered, &asked.ask, &visitor)),
        "csv" => file(
            "csv",
            "text/csv; charset=utf-8; header=present",
            export::answer_csv(&answered.answer, &asked.ask),
        ),
        "json" => file("json", "application/json", export::answer_json(&answered.answer, &asked.ask)),
        _ => lost("An answer is a page, .csv or .json."),
    }
}

fn file(kind: &str, media: &'static str, text: String) -> Response {
    let name = format!("attachment; filename=\"tapwire-hunt.{kind}\"");
    ([(header::CONTENT_TYPE, media.to_owned()), (header::CONTENT_DISPOSITION, name)], text).into_response()
}
