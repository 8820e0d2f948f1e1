//! The pages.

mod account;
mod apis;
mod caller;
pub(crate) mod columns;
mod data;
mod elsewhere;
mod endpoint;
mod evidence;
mod example;
mod exchange;
mod governance;
mod hunt;
mod incidents;
mod overview;
mod radius;
mod sensor;

pub(crate) use account::{account, login, refused};
pub(crate) use apis::apis;
pub(crate) use caller::caller;
pub(crate) use data::data;
pub(crate) use endpoint::endpoint;
pub(crate) use exchange::exchange;
pub(crate) use governance::governance;
pub(crate) use hunt::{Editor, answer, hunt, no_hunt};
pub(crate) use incidents::{incident, incidents};
pub(crate) use overview::overview;
pub(crate) use sensor::sensor;

use crate::books::Snapshot;
use crate::table::{Ask, table};
use crate::text::minute;
use maud::{DOCTYPE, Markup, html};

/// What the navigation leads to: address, name, and where a number belongs to it.
const PLACES: [(&str, &str); 9] = [
    ("/", "Overview"),
    ("/apis", "APIs"),
    ("/incidents", "Incidents"),
    ("/posture", "Posture"),
    ("/callers", "Callers"),
    ("/data", "Data"),
    ("/governance", "Governance"),
    ("/hunt", "Hunt"),
    ("/sensor", "Sensor"),
];

/// The frame of every page.
fn frame(snapshot: &Snapshot, place: &str, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body data-version=(snapshot.version) {
                a.skip href="#main" { "To the content" }
                header.bar {
                    a.brand href="/" { img src="/mark.svg" alt="" width="22" height="22"; "Tapwire" }
                    (navigation(snapshot, place))
                    p.source title=(snapshot.source) { (seen(snapshot)) " · " a href="/account" { "Account" } }
                }
                main id="main" tabindex="-1" { (body) }
            }
        }
    }
}

/// A page without what was learned: for those that are not known yet.
fn lone(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.lone { main id="main" tabindex="-1" { p.brand { img src="/mark.svg" alt="" width="22" height="22"; "Tapwire" } (body) } }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " – Tapwire" }
            link rel="icon" href="/mark.svg" type="image/svg+xml";
            link rel="stylesheet" href="/console.css";
            script src="/console.js" defer {}
        }
    }
}

fn navigation(snapshot: &Snapshot, place: &str) -> Markup {
    let open = snapshot.open().count();
    html! {
        nav aria-label="Pages" {
            @for (address, name) in PLACES {
                a href=(address) aria-current=[(address == place).then_some("page")] {
                    (name)
                    @if address == "/incidents" && open > 0 { span.badge { (open) span.hidden { " open" } } }
                }
            }
        }
    }
}

fn seen(snapshot: &Snapshot) -> Markup {
    html! {
        @if snapshot.last.is_empty() { "no calls seen" } @else { "calls until " (minute(&snapshot.last)) " UTC" }
    }
}

/// What is shown where there is nothing.
pub(crate) fn lost(why: &str) -> Markup {
    let nothing = Snapshot::default();
    frame(
        &nothing,
        "",
        "Not found",
        &html! { h1 { "Not found" } p { (why) } p { a href="/" { "To the overview" } } },
    )
}

/// What to do where nothing was seen at all.
fn nothing_seen() -> Markup {
    html! {
        section.empty {
            h2 { "No traffic seen" }
            p { "Nothing was learned yet. " code { "tapwire doctor -i INTERFACE" } " says whether this mirror delivers what is needed, and if not, why." }
        }
    }
}

pub(crate) fn posture(snapshot: &Snapshot, ask: &Ask) -> Markup {
    let body = html! {
        h1 { "Posture" }
        p.lead { "What policies say of services: each line is one policy and one service, until traffic has verified that it is fixed." }
        @if snapshot.is_collectors { (elsewhere::policies()) }
        @else if snapshot.postures.is_empty() { p.empty { "No policy is violated, of those that could be judged. " a href="/sensor" { "Those that could not" } "." } }
        @else { (table("/posture", snapshot.postures.iter(), columns::POSTURES, ask, "finding")) }
    };
    frame(snapshot, "/posture", "Posture", &body)
}

pub(crate) fn callers(snapshot: &Snapshot, ask: &Ask) -> Markup {
    let body = html! {
        h1 { "Callers" }
        p.lead { "Who calls: users, keys and sessions, by what they prove. Names are tokens; " code { "tapwire show" } " takes them." }
        @if snapshot.is_collectors { (elsewhere::callers()) }
        @else if snapshot.callers.is_empty() { (nothing_seen()) }
        @else { (table("/callers", snapshot.callers.iter(), columns::CALLERS, ask, "caller")) }
    };
    frame(snapshot, "/callers", "Callers", &body)
}
