//! Answers and requests that differ by role, object or version, as they may.

use super::{Honest, Visit};
use crate::apis::{Auth, Kind};
use crate::exchange::Exchange;
use crate::values::mix;
use crate::views::extended;
use crate::world::{HOUR, Identity, MONDAY, World};

pub(super) const SCENES: &[Honest] = &[
    Honest {
        name: "staff-first",
        says: "a new field comes to staff first, then to one customer in ten, then with the release to all",
        weight: 1.5,
        each: 8.0,
        visit: staff_first,
    },
    Honest {
        name: "promotion",
        says: "customers become staff: their next token or login says so, and answers have more",
        weight: 1.0,
        each: 8.0,
        visit: promotion,
    },
    Honest {
        name: "optional-fields",
        says: "few things have more fields than others, whoever asks; staff mostly looks at those",
        weight: 1.5,
        each: 8.0,
        visit: optional_fields,
    },
    Honest {
        name: "cancellations",
        says: "staff sets a status with every change, customers only to cancel",
        weight: 1.0,
        each: 6.0,
        visit: cancellations,
    },
];

/// What staff sets.
const ALL: &[&str] = &["open", "packed", "sent", "closed"];
/// From then on some have what is new, and the first customers are staff.
const CHANGES: i64 = 24 * HOUR;

fn is_changed(world: &World) -> bool {
    world.now >= MONDAY + CHANGES
}

/// One visit in four is of staff.
fn comes(visit: &mut Visit) -> bool {
    let is_staff = visit.nth.is_multiple_of(4);
    if is_staff {
        visit.user = visit.stage.api.users + (visit.nth / 4) as u32 % visit.stage.api.staff;
        visit.client = visit.stage.office(visit.user);
    }
    is_staff
}

/// Reads goods; `more` says which have further members, and is asked before each.
fn reads(visit: &mut Visit, world: &mut World, fields: &[(&'static str, Kind)], more: impl Fn(u32) -> bool) {
    let (api, goods) = (visit.stage.api, visit.stage.goods_of_all());
    // Few look at all that is new.
    let count = if visit.random.chance(0.04) { 30 } else { 3 + visit.random.below(8) };
    for _ in 0..count {
        let object = visit.random.below(api.users as usize) as u32;
        let mut exchange = world.get(api, goods, object);
        if more(object) {
            exchange.answer =
                exchange.answer.take().map(|answer| extended(answer, fields, u64::from(object)));
        }
        visit.ask(world, &exchange);
    }
}

fn staff_first(visit: &mut Visit, world: &mut World) {
    let is_staff = comes(visit);
    visit.logs_in(world);
    let names = ["grade", "origin", "season", "badge", "batch", "carrier", "shelf", "popularity"];
    let fields = [(visit.stage.word(&names, 71), Kind::Title)];
    let on_trial = is_changed(world) && mix(u64::from(visit.user), 72).is_multiple_of(10);
    let has = is_staff || on_trial || world.released();
    reads(visit, world, &fields, |_| has);
}

fn promotion(visit: &mut Visit, world: &mut World) {
    let is_staff = comes(visit);
    let promoted = is_changed(world) && mix(u64::from(visit.user), 73).is_multiple_of(12);
    if promoted && !is_staff {
        let identity = as_staff(visit, world);
        let password = world.password(visit.stage.api, visit.user);
        let login = world.login(visit.stage.api, &identity.login, &password, Some(&identity));
        visit.say(world, &login);
        visit.client.identity = Some(identity);
    } else {
        visit.logs_in(world);
    }
    let names = ["costPrice", "internalCode", "supplier", "marginRate", "shelf", "reorderPoint"];
    let fields = [(visit.stage.word(&names, 74), Kind::Amount), ("checkedBy", Kind::Title)];
    reads(visit, world, &fields, |_| is_staff || promoted);
}

/// The visitor with the role of staff.
fn as_staff(visit: &Visit, world: &World) -> Identity {
    let api = visit.stage.api;
    let mut identity = world.identity(api, visit.user);
    identity.role = api.roles[1];
    if api.auth == Auth::Bearer {
        let token = world.token(api, visit.user, &identity.subject, identity.role, 3_600);
        identity.credential.1 = format!("Bearer {token}");
    }
    identity
}

fn optional_fields(visit: &mut Visit, world: &mut World) {
    let is_staff = comes(visit);
    visit.logs_in(world);
    let names = ["hazard", "customsCode", "deposit", "riskNotice", "warranty", "recallNote"];
    let fields = [(visit.stage.word(&names, 75), Kind::Sentence), ("returnUntil", Kind::Time)];
    let (api, goods) = (visit.stage.api, visit.stage.goods_of_all());
    reads(visit, world, &fields, |object| object % 20 == 7);
    for _ in 0..if is_staff { 6 } else { 0 } {
        let object = visit.random.below(api.users as usize / 20) as u32 * 20 + 7;
        let mut exchange = world.get(api, goods, object);
        exchange.answer = exchange.answer.take().map(|answer| extended(answer, &fields, u64::from(object)));
        visit.ask(world, &exchange);
    }
}

fn cancellations(visit: &mut Visit, world: &mut World) {
    let is_staff = comes(visit);
    visit.logs_in(world);
    let (api, things) = (visit.stage.api, visit.stage.things_of_users());
    for _ in 0..2 + visit.random.below(3) {
        let owner = if is_staff { visit.random.below(api.users as usize) as u32 } else { visit.user };
        let object = api.object_of(things, owner, visit.random.below(6) as u32);
        let seen = world.get(api, things, object);
        visit.ask(world, &seen);
        let cancels = visit.random.chance(0.2);
        let set: &[_] = match (is_staff, cancels) {
            (true, _) => &[("status", Kind::Status(ALL))],
            (false, true) => &[("status", Kind::Status(&["cancelled"]))],
            (false, false) => &[],
        };
        let change = world.update(api, things, object);
        let hash = visit.hash();
        let with = |body: Option<_>| body.map(|body| extended(body, set, hash));
        let change =
            Exchange { body: with(change.body.clone()), answer: with(change.answer.clone()), ..change };
        visit.ask(world, &change);
    }
}
