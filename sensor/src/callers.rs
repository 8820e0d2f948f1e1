//! `callers`: who calls the APIs of captures, and with which sessions.

use crate::cli::CallersArgs;
use crate::failure::{Exit, Failure};
use crate::learn::{Learned, learn};
use crate::paper::{Paper, fit, plain, print};
use crate::size;
use crate::summary::rfc3339;
use serde_json::{Value, json};
use tapwire_event::Redactor;
use tapwire_inspect::{Grants, Token, Word};
use tapwire_inventory::{AgentFamily, Inventory, KnownCaller, KnownSession, Principal};
use tapwire_wire::Timestamp;

/// Columns of a line, after the caller's name.
const HEAD: [&str; 7] = ["caller", "calls", "shows", "may", "services", "from", "with"];

/// A column is not wider than this.
const WIDEST: usize = 28;

/// `tapwire callers`.
pub(crate) fn callers(args: &CallersArgs) -> Result<Exit, Failure> {
    let mut learned = learn(&args.learn, args.json, |_| Ok(()))?;
    let Learned { report, redactor, .. } = &mut learned;
    if let Some(inventory) = &report.inventory {
        let text = match args.json {
            true => lines(inventory, args.sessions, redactor),
            false => page(inventory, args.sessions, redactor),
        };
        print(&text, true)?;
    }
    Ok(learned.exit())
}

/// A table of callers, and one of sessions where they were asked for.
fn page(inventory: &Inventory, sessions: bool, redactor: &mut Redactor) -> String {
    let mut paper = Paper::new(true);
    paper.heading("Callers");
    let callers = inventory.principals().callers();
    if callers.is_empty() {
        paper.line("  not seen");
    } else {
        let rows = callers.iter().map(|caller| row(inventory, caller, redactor)).collect();
        table(&HEAD, rows, &mut paper);
    }
    if sessions {
        paper.heading("Sessions");
        let rows = inventory.principals().sessions().iter().map(session_row).collect();
        table(&["credential", "whose", "uses", "renewed", "issued", "ended"], rows, &mut paper);
    }
    let (callers, sessions) = inventory.principals().evicted();
    if callers + sessions > 0 {
        paper.line(&format!(
            "  {} callers and {} sessions made room for others: give more --memory to keep them",
            size::count(callers),
            size::count(sessions)
        ));
    }
    paper.into_text()
}

/// Aligned columns; on a narrow screen the last ones go.
fn table(head: &[&str], rows: Vec<Vec<String>>, paper: &mut Paper) {
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(&rows).collect();
    let width = |column: usize| {
        let texts = all.iter().filter_map(|row| row.get(column));
        texts.map(|text| console::measure_text_width(text)).max().unwrap_or(0).min(WIDEST)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for (index, row) in all.into_iter().enumerate() {
        let mut line = String::from("  ");
        for (text, width) in row.iter().zip(&widths) {
            if console::measure_text_width(&line) + width > paper.width() {
                break;
            }
            line.push_str(&console::pad_str(&fit(text, *width), *width, console::Alignment::Left, None));
            line.push_str("  ");
        }
        let line = if index == 0 { paper.faint(line.trim_end()) } else { line };
        paper.line(&line);
    }
}

fn row(inventory: &Inventory, caller: &KnownCaller, redactor: &mut Redactor) -> Vec<String> {
    let (services, more) = services(inventory, caller, redactor);
    let networks = caller.networks.0.iter().map(ToString::to_string).collect();
    vec![
        name(&caller.principal),
        size::count(caller.calls.into()),
        some(caller.credentials.iter().map(|kind| (*kind).to_owned()).collect(), false),
        caller.grants.as_ref().map_or("-".into(), |grants| some(grant_words(grants, redactor), false)),
        some(services, more),
        some(networks, caller.networks.1),
        some(agents(&caller.agents), false),
    ]
}

fn session_row(session: &KnownSession) -> Vec<String> {
    let ended = match (session.ended, session.superseded, session.expires) {
        (Some(at), ..) => format!("ended {}", to_second(at)),
        (None, Some(at), _) => format!("replaced {}", to_second(at)),
        (None, None, Some(at)) => format!("expires {}", to_second(at)),
        _ => "-".into(),
    };
    vec![
        digits(session.token),
        session.owner.as_ref().map_or("-".into(), name),
        session.used.map_or("0".into(), |(_, _, calls)| size::count(calls.into())),
        session.renewals.to_string(),
        session.issued.map_or("not seen".into(), |(_, at)| to_second(at)),
        ended,
    ]
}

/// To the second, which is as exact as most of it is kept.
fn to_second(time: Timestamp) -> String {
    rfc3339(time).split('.').next().map_or_else(String::new, |text| format!("{text}Z"))
}

fn some(texts: Vec<String>, more: bool) -> String {
    match texts.is_empty() {
        true => "-".into(),
        false => texts.join(", ") + if more { ", …" } else { "" },
    }
}

fn services(inventory: &Inventory, caller: &KnownCaller, redactor: &mut Redactor) -> (Vec<String>, bool) {
    let known = caller.services.0.iter().filter_map(|index| inventory.service_at(*index));
    (known.map(|service| plain(&redactor.shown_host(&service.name))).collect(), caller.services.1)
}

fn grant_words(grants: &Grants, redactor: &mut Redactor) -> Vec<String> {
    let words = grants.roles.iter().chain(&grants.scopes);
    words.map(|word| plain(&redactor.shown_operation(word.as_str()))).collect()
}

fn agents(families: &[AgentFamily]) -> Vec<String> {
    families.iter().map(|family| family.name().to_owned()).collect()
}

/// As `--where principal == …` takes it.
pub(crate) fn name(principal: &Principal) -> String {
    format!("{}~{}", principal.kind.name(), digits(principal.token))
}

fn digits(token: Token) -> String {
    token.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// An object a line: callers, who calls most first, then sessions.
fn lines(inventory: &Inventory, sessions: bool, redactor: &mut Redactor) -> String {
    let callers = inventory.principals().callers();
    let mut text: String =
        callers.iter().map(|caller| format!("{}\n", object(inventory, caller, redactor))).collect();
    if sessions {
        let sessions = inventory.principals().sessions();
        text.extend(sessions.iter().map(|session| format!("{}\n", session_object(session))));
    }
    text
}

pub(crate) fn object(inventory: &Inventory, caller: &KnownCaller, redactor: &mut Redactor) -> Value {
    let (services, more_services) = services(inventory, caller, redactor);
    let mut words = |words: &[Word]| -> Vec<String> {
        words.iter().map(|word| redactor.shown_operation(word.as_str())).collect()
    };
    let grants = caller.grants.as_deref();
    json!({
        "principal": name(&caller.principal),
        "kind": caller.principal.kind.name(),
        "first_seen": rfc3339(caller.first_seen),
        "last_seen": rfc3339(caller.last_seen),
        "calls": caller.calls,
        "credentials": caller.credentials,
        "roles": words(grants.map_or(&[], |grants| &grants.roles)),
        "scopes": words(grants.map_or(&[], |grants| &grants.scopes)),
        "services": services,
        "more_services": more_services,
        "networks": caller.networks.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "more_networks": caller.networks.1,
        "fingerprints": caller.fingerprints.0,
        "agents": agents(&caller.agents),
        "sessions": caller.sessions,
    })
}

pub(crate) fn session_object(session: &KnownSession) -> Value {
    let time = |at: Option<Timestamp>| at.map(rfc3339);
    json!({
        "session": digits(session.token),
        "principal": session.owner.as_ref().map(name),
        "login": session.login.map(digits),
        "issued_in": session.issued.map(|(uid, _)| uid.to_string()),
        "issued": time(session.issued.map(|(_, at)| at)),
        "parent": session.parent.map(digits),
        "renewals": session.renewals,
        "uses": session.used.map_or(0, |(_, _, calls)| calls),
        "first_used": time(session.used.map(|(first, ..)| first)),
        "last_used": time(session.used.map(|(_, last, _)| last)),
        "networks": session.networks.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "agents": agents(&session.agents),
        "expires": time(session.expires),
        "ended": time(session.ended),
        "superseded": time(session.superseded),
    })
}
