//! The server: addresses, and what answers them.

use crate::books::Books;
use crate::{api, export, guard, pages};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use maud::Markup;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

const STYLE: &str = include_str!("../assets/console.css");
const SCRIPT: &str = include_str!("../assets/console.js");
const MARK: &str = include_str!("../assets/mark.svg");

/// What every answer is made of.
pub(crate) type Shelf = Arc<dyn Books>;
/// Parameters of an address.
pub(crate) type Asked = Query<Vec<(String, String)>>;

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
                "{address} is not on loopback, and the console has no log-in: serve 127.0.0.1 and reach it through ssh -L"
            ),
            Self::System(error) => write!(f, "the console: {error}"),
        }
    }
}

impl std::error::Error for Bad {}

/// Serves the console until `stop` is done.
///
/// # Errors
/// The listener is not on loopback; the system's reason.
pub fn serve(
    listener: TcpListener,
    books: Shelf,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Bad> {
    let address = listener.local_addr().map_err(Bad::System)?;
    if !address.ip().is_loopback() {
        return Err(Bad::Public(address));
    }
    listener.set_nonblocking(true).map_err(Bad::System)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Bad::System)?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(Bad::System)?;
        axum::serve(listener, router(books)).with_graceful_shutdown(stop).await.map_err(Bad::System)
    })
}

/// Waits in a future that the console runs.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Every address.
pub(crate) fn router(books: Shelf) -> Router {
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
        .route("/kpis", get(kpis))
        .route("/sensor", get(sensor))
        .route("/openapi/{service}", get(openapi))
        .nest("/api/v1", api::router())
        .route("/console.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/console.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/mark.svg", get(|| async { asset("image/svg+xml", MARK) }))
        .fallback(|| async { none(pages::lost("There is no such page.")) })
        .layer(middleware::from_fn(guard::guard))
        .with_state(books)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

fn page(markup: Markup) -> Response {
    Html(markup.into_string()).into_response()
}

fn none(markup: Markup) -> Response {
    (StatusCode::NOT_FOUND, Html(markup.into_string())).into_response()
}

async fn overview(State(books): State<Shelf>) -> Response {
    page(pages::overview(&books.snapshot()))
}

async fn apis(State(books): State<Shelf>, Query(asked): Asked) -> Response {
    page(pages::apis(&books.snapshot(), asked))
}

async fn endpoint(State(books): State<Shelf>, Path(id): Path<String>) -> Response {
    let snapshot = books.snapshot();
    let row = snapshot.endpoints.iter().find(|row| row.id == id);
    match row.zip(books.endpoint(&id)) {
        Some((row, whole)) => page(pages::endpoint(&snapshot, row, &whole)),
        None => none(pages::lost("There is no endpoint of that id. It may have been merged into another.")),
    }
}

async fn incidents(State(books): State<Shelf>, Query(asked): Asked) -> Response {
    page(pages::incidents(&books.snapshot(), asked))
}

async fn incident(State(books): State<Shelf>, Path(uid): Path<String>, Query(asked): Asked) -> Response {
    let snapshot = books.snapshot();
    match snapshot.incidents.iter().find(|incident| incident.uid == uid) {
        Some(incident) => page(pages::incident(&snapshot, incident, asked)),
        None => none(pages::lost("There is no incident of that id.")),
    }
}

async fn posture(State(books): State<Shelf>, Query(asked): Asked) -> Response {
    page(pages::posture(&books.snapshot(), asked))
}

async fn callers(State(books): State<Shelf>, Query(asked): Asked) -> Response {
    page(pages::callers(&books.snapshot(), asked))
}

async fn caller(State(books): State<Shelf>, Path(name): Path<String>) -> Response {
    let snapshot = books.snapshot();
    let row = snapshot.callers.iter().find(|row| row.name == name);
    match row.zip(books.caller(&name)) {
        Some((row, whole)) => page(pages::caller(&snapshot, row, &whole)),
        None => none(pages::lost("There is no caller of that name. It may have made room for others.")),
    }
}

async fn data(State(books): State<Shelf>, Query(asked): Asked) -> Response {
    page(pages::data(&books.snapshot(), asked))
}

async fn kpis(State(books): State<Shelf>) -> Response {
    page(pages::kpis(&books.snapshot()))
}

async fn sensor(State(books): State<Shelf>) -> Response {
    page(pages::sensor(&books.snapshot()))
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
