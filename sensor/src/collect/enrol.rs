//! `sensor`: who may send to a collector.

use super::files::{change_roll, counts, roll};
use super::{directory, now_ms};
use crate::cli::{SensorAction, SensorAddArgs};
use crate::failure::{Exit, Failure};
use crate::paper::{Paper, plain, print};
use crate::size::count;
use crate::summary::milliseconds;
use serde_json::json;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use tapwire_collect::{PATH, Place, Roll, Standing, Tally};
use tapwire_store::{Directories, TokenKey, token_key};

/// `tapwire sensor`.
pub(crate) fn sensor(action: SensorAction) -> Result<Exit, Failure> {
    match action {
        SensorAction::Add(args) => add(args),
        SensorAction::List { data, json } => {
            let data = directory(data)?;
            print(&list(&data, json)?, true)?;
            Ok(Exit::Done)
        }
        SensorAction::Revoke { name, data } => {
            let data = directory(data)?;
            let unfit = |unfit| Failure::new(format!("{name}: {unfit}"));
            change_roll(&data, |all| all.revoke(&name, now_ms()).map_err(unfit))?;
            print(&format!("{name} may send no more\n"), true)?;
            Ok(Exit::Done)
        }
    }
}

fn add(args: SensorAddArgs) -> Result<Exit, Failure> {
    let data = directory(args.data.clone())?;
    let url = url(&args.url)?;
    tapwire_store::prepare(&data)?;
    // Kept only when the sensor's secrets are written down somewhere.
    let text = change_roll(&data, |all| enrolled(&args, &data, &url, all))?;
    print(&text, true)?;
    Ok(Exit::Done)
}

/// Adds the sensor; what its operator is to do.
fn enrolled(args: &SensorAddArgs, data: &Path, url: &str, all: &mut Roll) -> Result<String, Failure> {
    let name = &args.name;
    let place = Place { name: name.clone(), site: args.site.clone(), tenant: args.tenant.clone() };
    let told = all.enrol(place, args.days, args.renew, now_ms());
    let enrolled = told.map_err(|unfit| Failure::new(format!("{name}: {unfit}")))?;
    let key = token_key(args.token_key.as_deref(), Some(data), &Directories::from_env())?;
    let until = milliseconds(enrolled.expires_ms);
    Ok(match &args.bundle {
        Some(folder) => {
            bundle(folder, &enrolled.token, &key)?;
            let folder = folder.display();
            format!(
                "{folder} is all that sensor {name} needs; take it there, and delete it here. Its token ends {until}. Run there:\n\n\
                 tapwire run -i IFACE --set sensor={name} --token-key {folder}/token.key --set sink.http.token_file={folder}/token \
                 --events {url}\n"
            )
        }
        None => format!(
            "The token of sensor {name} is in the line below, and is not shown again; it ends {until}. Copy {} there as token.key \
             (mode 0600), so that all sensors name one user alike, and run:\n\n\
             TAPWIRE_COLLECTOR_TOKEN={} tapwire run -i IFACE --set sensor={name} --token-key token.key --events {url}\n",
            key.path.display(),
            enrolled.token
        ),
    })
}

/// The address of batches.
fn url(text: &str) -> Result<String, Failure> {
    let bad = |why: &str| {
        Failure::new(format!("--url {text}: {why}; write it like https://collector.example:8471"))
    };
    let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let rest = rest.ok_or_else(|| bad("this is no http address"))?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    match rest.split_once('/') {
        Some((_, "")) | None if !rest.is_empty() && rest.trim_end_matches('/').bytes().all(fits) => {
            Ok(format!("{}{PATH}", text.trim_end_matches('/')))
        }
        _ => Err(bad("only a host and a port stand in it")),
    }
}

/// What a sensor is to be given, for the owner only.
fn bundle(folder: &Path, token: &str, key: &TokenKey) -> Result<(), Failure> {
    let failed = |path: &Path, error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    DirBuilder::new().mode(0o700).create(folder).map_err(|error| failed(folder, error))?;
    let digits: String = key.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    for (name, text) in [("token", token), ("token.key", &digits)] {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| writeln!(file, "{text}"));
        written.map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

fn list(data: &Path, as_json: bool) -> Result<String, Failure> {
    let (all, mut counts) = (roll(data)?, counts(data));
    let now = now_ms();
    let rows = all.iter(now).map(|(place, standing, until)| {
        let tally = counts.remove(&place.name).unwrap_or_default();
        (place, standing, until, tally)
    });
    let rows: Vec<_> = rows.collect();
    if as_json {
        return Ok(rows
            .iter()
            .map(|(place, standing, until, tally)| line(place, *standing, *until, tally))
            .collect());
    }
    if rows.is_empty() {
        return Ok("No sensors: `tapwire sensor add NAME` lets one send.\n".into());
    }
    let mut paper = Paper::new(true);
    let header = ["sensor", "site", "tenant", "last heard (UTC)", "events", "duplicates", "refused", "state"];
    paper.line(&columns(&header.map(String::from)));
    for (place, standing, until, tally) in &rows {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
        let heard = if tally.last_ms > 0 { milliseconds(tally.last_ms) } else { "never".into() };
        paper.line(&columns(&[
            place.name.clone(),
            or_none(&place.site),
            or_none(&place.tenant),
            heard,
            count(tally.events),
            count(tally.duplicates),
            count(tally.refused),
            state(*standing, *until).replace("NAME", &place.name),
        ]));
        if !tally.reason.is_empty() {
            paper.line(&format!("    last refused{}: {}", when(tally), plain(&tally.reason)));
        }
    }
    Ok(paper.into_text())
}

/// When a batch was refused last, and whether others were taken since.
fn when(tally: &Tally) -> String {
    let since = if tally.last_ms > tally.refused_ms { ", others were taken since" } else { "" };
    match tally.refused_ms {
        0 => String::new(),
        at => format!(" {}{since}", milliseconds(at)),
    }
}

fn columns(cells: &[String; 8]) -> String {
    let [name, site, tenant, heard, events, duplicates, refused, state] = cells;
    format!(
        "{name:<16} {site:<12} {tenant:<12} {heard:<24} {events:>12} {duplicates:>10} {refused:>7}  {state}"
    )
}

/// How a sensor stands, in words.
pub(super) fn state(standing: Standing, until_ms: i64) -> String {
    let until = milliseconds(until_ms);
    let day = until.split('T').next().unwrap_or_default();
    match standing {
        Standing::Good => format!("may send until {day}"),
        Standing::Ends(0) => "its token ends today: tapwire sensor add NAME --renew".into(),
        Standing::Ends(days) => {
            format!(
                "its token ends in {}, {day}: tapwire sensor add NAME --renew",
                crate::size::counted(days.unsigned_abs(), "day")
            )
        }
        Standing::Expired => format!("its token ended {day}: tapwire sensor add NAME --renew"),
        Standing::Revoked => "revoked".into(),
    }
}

fn line(place: &Place, standing: Standing, until_ms: i64, tally: &Tally) -> String {
    let word = match standing {
        Standing::Good => "good",
        Standing::Ends(_) => "ends",
        Standing::Expired => "expired",
        Standing::Revoked => "revoked",
    };
    let heard = (tally.last_ms > 0).then(|| milliseconds(tally.last_ms));
    let reason = (!tally.reason.is_empty()).then_some(&tally.reason);
    let value = json!({
        "sensor": place.name, "site": place.site, "tenant": place.tenant, "state": word,
        "token_until": milliseconds(until_ms), "last_heard": heard, "events": tally.events,
        "duplicates": tally.duplicates, "refused_batches": tally.refused, "postponed_batches": tally.later,
        "last_refused": reason, "last_refused_at": (tally.refused_ms > 0).then(|| milliseconds(tally.refused_ms)),
    });
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for good in
            ["https://c:8471", "https://c:8471/", "http://127.0.0.1:1", "https://[::1]:8471", "https://c"]
        {
            assert!(
                url(good).is_ok_and(|url| url.ends_with("/v1/events") && !url.contains("//v1")),
                "{good}"
            );
        }
        for bad in [
            "c:8471",
            "ftp://c",
            "https://",
            "https://c/path",
            "https://u@c",
            "https://c:1/?x",
            "https://c d",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
