//! Logging in and out, and what people do with incidents.

use crate::api::{Refused as Denied, as_analyst, done, refused};
use crate::books::{Action, Verdict};
use crate::doors::{Refused, Visitor, same};
use crate::guard;
use crate::pages;
use crate::server::{Desk, beside, page};
use crate::tls::Peer;
use crate::users::Role;
use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Json};
use maud::Markup;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// What is said to why, in bytes.
const MOST_WHY: usize = 1_000;
const LONG_WHY: &str = "why: at most 1,000 bytes";
/// A mute is no policy: after this many days somebody looks again.
const MOST_DAYS: u32 = 90;

/// What the form of the log-in sends.
#[derive(Deserialize)]
pub(crate) struct LogIn {
    name: String,
    password: String,
}

pub(crate) async fn login_page(State(desk): State<Desk>) -> Response {
    if desk.doors.are_closed() { page(pages::login("")) } else { Redirect::to("/").into_response() }
}

pub(crate) async fn log_in(
    State(desk): State<Desk>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    Form(form): Form<LogIn>,
) -> Response {
    let doors = Arc::clone(&desk.doors);
    let done = beside(&desk.proofs, move || doors.log_in(&form.name, &form.password, from)).await;
    match done {
        Some(Ok(cookie)) => {
            ([(header::SET_COOKIE, desk.doors.set_cookie(&cookie))], Redirect::to("/")).into_response()
        }
        Some(Err(Refused::TooOften)) => guard::too_often(),
        Some(Err(Refused::Wrong)) | None => {
            told(StatusCode::FORBIDDEN, pages::login("Nobody of that name has that password."))
        }
    }
}

/// What every form brings along.
#[derive(Deserialize)]
pub(crate) struct Bare {
    pub(crate) token: String,
}

pub(crate) async fn log_out(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Form(form): Form<Bare>,
) -> Response {
    if !same(&form.token, &visitor.token) {
        return stale();
    }
    guard::cookie(&headers, desk.doors.cookie()).into_iter().for_each(|cookie| desk.doors.log_out(cookie));
    ([(header::SET_COOKIE, desk.doors.set_cookie(""))], Redirect::to("/login")).into_response()
}

pub(crate) async fn account(State(desk): State<Desk>, Extension(visitor): Extension<Visitor>) -> Response {
    page(pages::account(&desk.books.snapshot(), &visitor))
}

/// Who asks, and what whoever comes with a cookie brings along to change something.
pub(crate) async fn session(Extension(visitor): Extension<Visitor>) -> Response {
    let Visitor { name, role, token, .. } = visitor;
    Json(json!({"name": name, "role": role.name(), "token": Some(token).filter(|token| !token.is_empty())}))
        .into_response()
}

/// The last lines of the audit log, for admins.
pub(crate) async fn audit(State(desk): State<Desk>, Extension(visitor): Extension<Visitor>) -> Response {
    match visitor.role {
        Role::Admin => {
            let keeper = Arc::clone(desk.doors.keeper());
            let noted = tokio::task::spawn_blocking(move || keeper.noted()).await;
            Json(json!({"rows": noted.unwrap_or_default()})).into_response()
        }
        _ => (StatusCode::FORBIDDEN, Json(json!({"error": "the audit log is for admins"}))).into_response(),
    }
}

/// What the forms of an incident send.
#[derive(Deserialize)]
pub(crate) struct Said {
    token: String,
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    days: String,
    #[serde(default)]
    unmute: String,
}

impl Said {
    fn action(self) -> Result<Action, &'static str> {
        if !self.days.is_empty() {
            return muting(self.days.parse().ok(), self.why);
        }
        if self.why.len() > MOST_WHY {
            return Err(LONG_WHY);
        }
        if !self.unmute.is_empty() {
            return Ok(Action::Unmute { why: self.why });
        }
        let verdict = Verdict::of(&self.verdict).ok_or("say true, false or benign")?;
        Ok(Action::Feedback { verdict, why: self.why })
    }
}

fn muting(days: Option<u32>, why: String) -> Result<Action, &'static str> {
    let days = days.filter(|days| (1..=MOST_DAYS).contains(days)).ok_or("a mute lasts 1 to 90 days")?;
    match (why.len() > MOST_WHY, why.trim().is_empty()) {
        (true, _) => Err(LONG_WHY),
        (false, true) => Err("say why; who reads it in a year will ask"),
        (false, false) => Ok(Action::Mute { days, why }),
    }
}

pub(crate) async fn act(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(uid): Path<String>,
    Form(form): Form<Said>,
) -> Response {
    if let Some(refused) = may_not(&visitor, &form.token) {
        return refused;
    }
    if !is_known(&desk, &uid) {
        return bad(UNKNOWN);
    }
    let action = match form.action() {
        Ok(action) => action,
        Err(why) => return bad(why),
    };
    let done = noted(&desk, &visitor, action.name(), &uid);
    match done.and_then(|()| desk.books.act(&uid, &visitor.name, &action)) {
        Ok(()) => Redirect::to(&format!("/incidents/{}", crate::table::escaped(&uid))).into_response(),
        Err(why) => bad(&why),
    }
}

const UNKNOWN: &str = "there is no incident of that id";

fn is_known(desk: &Desk, uid: &str) -> bool {
    desk.books.snapshot().incidents.iter().any(|incident| incident.uid == uid)
}

/// Writes into the audit log who is about to do something with an incident.
fn noted(desk: &Desk, visitor: &Visitor, action: &str, uid: &str) -> Result<(), String> {
    desk.doors.keeper().note(&json!({"action": action, "user": visitor.name, "more": {"incident": uid}}))
}

/// A mute as programs send it: only as JSON, which no form of another site can.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Silence {
    days: u32,
    why: String,
}

/// Mutes the kind of an incident at its service.
pub(crate) async fn mute(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Path(uid): Path<String>,
    Json(sent): Json<Silence>,
) -> Result<StatusCode, Denied> {
    as_analyst(&visitor, &headers)?;
    let action = muting(Some(sent.days), sent.why);
    let action = action.map_err(|why| refused(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    carried_out(&desk, &visitor, &uid, &action)
}

/// Takes that back.
pub(crate) async fn unmute(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Path(uid): Path<String>,
) -> Result<StatusCode, Denied> {
    as_analyst(&visitor, &headers)?;
    carried_out(&desk, &visitor, &uid, &Action::Unmute { why: String::new() })
}

fn carried_out(desk: &Desk, visitor: &Visitor, uid: &str, action: &Action) -> Result<StatusCode, Denied> {
    if !is_known(desk, uid) {
        return Err(refused(StatusCode::NOT_FOUND, UNKNOWN));
    }
    done(noted(desk, visitor, action.name(), uid))?;
    match desk.books.act(uid, &visitor.name, action) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(why) => Err(refused(StatusCode::CONFLICT, &why)),
    }
}

/// The packets of an incident, as they were: what is read is noted before it leaves.
pub(crate) async fn carve(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(uid): Path<String>,
    Form(form): Form<Bare>,
) -> Response {
    if let Some(refused) = may_not(&visitor, &form.token) {
        return refused;
    }
    if !is_known(&desk, &uid) {
        return bad(UNKNOWN);
    }
    if let Err(why) = noted(&desk, &visitor, "carve", &uid) {
        return bad(&why);
    }
    let (books, asked) = (Arc::clone(&desk.books), uid.clone());
    match beside(&desk.carves, move || books.carve(&asked)).await {
        Some(Ok(bytes)) => {
            let name = format!("attachment; filename=\"incident-{}.pcapng\"", uid.get(..12).unwrap_or(&uid));
            let kind = "application/vnd.tcpdump.pcap".to_owned();
            ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], bytes).into_response()
        }
        Some(Err(why)) => bad(&why),
        None => bad("carving broke off"),
    }
}

pub(crate) fn may_not(visitor: &Visitor, token: &str) -> Option<Response> {
    if visitor.role < Role::Analyst {
        let why = "viewers only read: ask for the role analyst";
        return Some(told(StatusCode::FORBIDDEN, pages::refused(why)));
    }
    (visitor.token.is_empty() || !same(token, &visitor.token)).then(stale)
}

pub(crate) fn told(status: StatusCode, markup: Markup) -> Response {
    (status, page(markup)).into_response()
}

fn stale() -> Response {
    told(StatusCode::FORBIDDEN, pages::refused("This form is of another session: load its page again."))
}

pub(crate) fn bad(why: &str) -> Response {
    told(StatusCode::UNPROCESSABLE_ENTITY, pages::refused(why))
}
