//! The server: addresses, and what answers them.

use crate::books::Books;
use crate::books::{Caller, DataFlow, Endpoint, Finding, Incident, Posture};
use crate::connections::PATIENCE;
use crate::doors::{Doors, Keeper, Visitor};
use crate::table::{Ask, Searched};
use crate::tls::Tls;
use crate::{api, connections, export, guard, hunt, looks, metrics, pages, visit};
use axum::Extension;
use axum::extract::{DefaultBodyLimit, FromRef, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use maud::Markup;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

const STYLE: &str = include_str!("../assets/console.css");
const SCRIPT: &str = include_str!("../assets/console.js");
/// The description of the JSON API.
const DESCRIPTION: &str = include_str!("../assets/openapi.json");
/// A form is not larger.
pub(crate) const FORM: usize = 16 << 10;
/// Passwords that are checked at once, with 19 MiB each.
const PROOFS: usize = 2;
/// Incidents whose packets are carved at once.
const CARVES: usize = 2;
/// Queries that are carried out at once.
const HUNTS: usize = 2;
/// Exchanges that are looked for at once, and incidents whose blast radius is counted: each may take as much memory as is said.
const LOOKS: usize = 1;
const RADII: usize = 1;
/// Threads for all of these, and for files that are read.
const THREADS: usize = PROOFS + CARVES + HUNTS + LOOKS + RADII + 2;
const MARK: &str = include_str!("../assets/mark.svg");

/// What every answer is made of.
pub(crate) type Shelf = Arc<dyn Books>;

/// What the parameters of an address ask of a table of such rows.
pub(crate) struct Asked<R> {
    pub(crate) ask: Ask,
    rows: PhantomData<fn() -> R>,
}

impl<R: Searched, S: Send + Sync> FromRequestParts<S> for Asked<R> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let parameters = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(parameters) = parameters.map_err(IntoResponse::into_response)?;
        Ok(Self { ask: Ask::of::<R>(parameters).map_err(unclear)?, rows: PhantomData })
    }
}

/// What is asked cannot be read.
pub(crate) fn unclear(why: String) -> Response {
    (StatusCode::BAD_REQUEST, why + "\n").into_response()
}

/// Why the console cannot be served.
#[derive(Debug)]
pub enum Bad {
    /// Beyond loopback everybody on the network could read everything.
    Public(SocketAddr),
    /// The system's reason.
    System(io::Error),
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Public(address) => write!(
                f,
                "{address} is not on loopback: that needs TLS and somebody who may log in: --tls-cert FILE --tls-key FILE, and `tapwire serve user add NAME --role viewer --data DIR`; or serve 127.0.0.1 and reach it through ssh -L"
            ),
            Self::System(error) => write!(f, "the console: {error}"),
        }
    }
}

impl std::error::Error for Bad {}

/// How the console is reached.
pub struct Access {
    /// Users, and what they did.
    pub keeper: Arc<dyn Keeper>,
    /// What proves to browsers who this is; beyond loopback there has to be one.
    pub tls: Option<Tls>,
}

impl Access {
    /// Whether the console may be served there.
    ///
    /// # Errors
    /// The address is beyond loopback, and there is no TLS or nobody who could log in.
    pub fn suits(&self, address: SocketAddr) -> Result<(), Bad> {
        let is_guarded = self.tls.is_some() && self.keeper.users().is_some_and(|users| !users.is_empty());
        if address.ip().is_loopback() || is_guarded { Ok(()) } else { Err(Bad::Public(address)) }
    }
}

/// What handlers have: what is shown, and who may see it.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) books: Shelf,
    pub(crate) doors: Arc<Doors>,
    pub(crate) proofs: Arc<Semaphore>,
    pub(crate) carves: Arc<Semaphore>,
    pub(crate) hunts: Arc<Semaphore>,
    pub(crate) answers: Arc<hunt::Held>,
    pub(crate) looks: Arc<Semaphore>,
    pub(crate) radii: Arc<Semaphore>,
    /// What was found by looking.
    pub(crate) looked: Arc<looks::Held>,
    pub(crate) patience: Duration,
}

/// Does work that takes long on a thread of its own, when there is a place for it. The place is taken until the work is
/// done, also where nobody waits for it any more. `None` where it broke off.
pub(crate) async fn beside<T: Send + 'static>(
    places: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let work = move || {
        let done = work();
        drop(place);
        done
    };
    tokio::task::spawn_blocking(work).await.ok()
}

impl FromRef<Desk> for Shelf {
    fn from_ref(desk: &Desk) -> Self {
        Arc::clone(&desk.books)
    }
}

/// Serves the console until `stop` is done.
///
/// # Errors
/// The listener is beyond loopback, and there is no TLS or nobody who could log in; the system's reason.
pub fn serve(
    listener: TcpListener,
    books: Shelf,
    access: Access,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Bad> {
    serve_patiently(listener, books, access, PATIENCE, stop)
}

/// The same with another time than [`PATIENCE`].
///
/// # Errors
/// As of [`serve`].
pub fn serve_patiently(
    listener: TcpListener,
    books: Shelf,
    access: Access,
    patience: Duration,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Bad> {
    let address = listener.local_addr().map_err(Bad::System)?;
    access.suits(address)?;
    listener.set_nonblocking(true).map_err(Bad::System)?;
    let doors = Doors::new(access.keeper, address.ip().is_loopback(), access.tls.is_some());
    let doors = doors.ok_or_else(|| Bad::System(io::Error::other("the system gave no random bytes")))?;
    let places = |most| Arc::new(Semaphore::new(most));
    let desk = Desk {
        books,
        doors: Arc::new(doors),
        proofs: places(PROOFS),
        carves: places(CARVES),
        hunts: places(HUNTS),
        answers: Arc::default(),
        looks: places(LOOKS),
        radii: places(RADII),
        looked: Arc::default(),
        patience,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(THREADS)
        .enable_all()
        .build()
        .map_err(Bad::System)?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(Bad::System)?;
        connections::serve(listener, access.tls.as_ref(), router(desk), patience, stop).await;
        Ok(())
    });
    // Packets that are being carved for somebody do not hold up the end of a run.
    runtime.shutdown_background();
    served
}

/// Waits in a future that the console runs.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Every address.
pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/apis", get(apis))
        .route("/endpoints/{id}", get(endpoint))
        .route("/incidents", get(incidents))
        .route("/incidents/{uid}", get(incident))
        .route("/posture", get(posture))
        .route("/callers", get(callers))
        .route("/callers/{name}", get(caller))
        .route("/export/{file}", get(export::export))
        .route("/data", get(data))
        .route("/governance", get(governance))
        .route("/kpis", get(|| async { Redirect::permanent("/governance") }))
        .route("/sensor", get(sensor))
        .route("/hunt", get(hunt::hunt).post(hunt::ask))
        .route("/hunt/{id}", get(hunt::answer))
        .route("/openapi/{service}", get(openapi))
        .route("/incidents/{uid}/act", post(visit::act))
        .route("/incidents/{uid}/carve", post(visit::carve))
        .route("/incidents/{uid}/radius", post(looks::of_incident))
        .route("/callers/{name}/radius", post(looks::of_caller))
        .route("/exchanges/{uid}", get(looks::exchange))
        .route("/login", get(visit::login_page).post(visit::log_in))
        .route("/logout", post(visit::log_out))
        .route("/account", get(visit::account))
        .route("/metrics", get(metrics::metrics))
        .route("/api/openapi.json", get(|| async { asset("application/json", DESCRIPTION) }))
        .nest("/api/v1", api::router())
        .route("/console.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/console.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/mark.svg", get(|| async { asset("image/svg+xml", MARK) }))
        .fallback(|| async { none(pages::lost("There is no such page.")) })
        .layer(DefaultBodyLimit::max(FORM))
        .layer(middleware::from_fn_with_state(desk.clone(), guard::guard))
        .with_state(desk)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

pub(crate) fn page(markup: Markup) -> Response {
    Html(markup.into_string()).into_response()
}

/// There is no such thing, in words.
pub(crate) fn lost(why: &str) -> Response {
    none(pages::lost(why))
}

fn none(markup: Markup) -> Response {
    (StatusCode::NOT_FOUND, Html(markup.into_string())).into_response()
}

async fn overview(State(books): State<Shelf>) -> Response {
    page(pages::overview(&books.snapshot()))
}

async fn apis(State(books): State<Shelf>, asked: Asked<Endpoint>) -> Response {
    page(pages::apis(&books.snapshot(), asked.ask))
}

async fn endpoint(State(books): State<Shelf>, Path(id): Path<String>) -> Response {
    let snapshot = books.snapshot();
    let whole = books.endpoint(&id);
    // One that was merged has become another.
    let id = whole.as_ref().and_then(|whole| whole.get("id")?.as_str()).unwrap_or(&id);
    let row = snapshot.endpoints.iter().find(|row| row.id == id);
    match row.zip(whole.as_ref()) {
        Some((row, whole)) => page(pages::endpoint(&snapshot, row, whole)),
        None => none(pages::lost("There is no endpoint of that id. It may have been merged into another.")),
    }
}

async fn incidents(State(books): State<Shelf>, asked: Asked<Incident>) -> Response {
    page(pages::incidents(&books.snapshot(), &asked.ask))
}

async fn incident(
    State(Desk { books, looked, .. }): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(uid): Path<String>,
    asked: Asked<Finding>,
) -> Response {
    let snapshot = books.snapshot();
    match snapshot.incident(&uid) {
        // One address for each, whatever it was asked by.
        Some(incident) if incident.uid != uid => {
            Redirect::to(&format!("/incidents/{}", crate::table::escaped(&incident.uid))).into_response()
        }
        Some(incident) => {
            let radius = looked.radius(&incident.uid);
            page(pages::incident(&snapshot, incident, &visitor, radius.as_deref(), asked.ask))
        }
        None => none(pages::lost("There is no incident of that id.")),
    }
}

async fn posture(State(books): State<Shelf>, asked: Asked<Posture>) -> Response {
    page(pages::posture(&books.snapshot(), &asked.ask))
}

async fn callers(State(books): State<Shelf>, asked: Asked<Caller>) -> Response {
    page(pages::callers(&books.snapshot(), &asked.ask))
}

async fn caller(
    State(Desk { books, looked, .. }): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Response {
    let snapshot = books.snapshot();
    let row = snapshot.callers.iter().find(|row| row.name == name);
    match row.zip(books.caller(&name)) {
        Some((row, whole)) => {
            page(pages::caller(&snapshot, row, &whole, looked.radius(&name).as_deref(), &visitor))
        }
        None => none(pages::lost("There is no caller of that name. It may have made room for others.")),
    }
}

async fn data(State(books): State<Shelf>, asked: Asked<DataFlow>) -> Response {
    page(pages::data(&books.snapshot(), &asked.ask))
}

async fn governance(State(books): State<Shelf>) -> Response {
    page(pages::governance(&books.snapshot()))
}

async fn sensor(State(books): State<Shelf>) -> Response {
    page(pages::sensor(&books.snapshot(), &books.outputs()))
}

async fn openapi(State(books): State<Shelf>, Path(service): Path<String>) -> Response {
    match books.openapi(&service) {
        Some(text) => {
            let kept = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"openapi.json\""),
            ];
            (kept, text).into_response()
        }
        None => none(pages::lost("There is no such service.")),
    }
}
