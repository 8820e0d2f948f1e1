//! What relates calls survives: whose is what, what is usual, who handed tokens out.

use super::*;
use tapwire_wire::{Endpoint, FlowKey};

/// An unchecked token with these claims.
pub(super) fn jwt(claims: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut body = String::new();
    for three in claims.as_bytes().chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let letters = (0..=three.len()).map(|at| ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]);
        body.extend(letters.map(char::from));
    }
    format!("eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl")
}

/// The call of that number of a shop in which people see their own, some see others', and a few list, buy and log in.
fn call(sensor: &mut Sensor, number: u32) -> Call {
    let (user, turn) = (number % 40, number / 40 % 8);
    let other = (user + 1) % 40;
    let (line, body, answer) = match turn {
        0 | 4 => ("GET /me".to_owned(), String::new(), format!(r#"{{"profile_id":"p-{user}-00"}}"#)),
        1 => {
            let orders: Vec<String> = (0..6).map(|at| format!(r#"{{"id":{}}}"#, user * 100 + at)).collect();
            ("GET /orders".to_owned(), String::new(), format!("[{}]", orders.join(",")))
        }
        2 | 6 => {
            let owner = if user % 13 == 12 { other } else { user };
            let answer = format!(r#"{{"id":{},"customer_id":"user-{owner}"}}"#, owner * 100 + 1);
            (format!("GET /orders/{}", owner * 100 + 1), String::new(), answer)
        }
        3 => {
            let answer = format!(r#"{{"id":{number}}}"#);
            ("POST /orders".to_owned(), r#"{"sku":"a-1","count":2}"#.to_owned(), answer)
        }
        5 => {
            let body = format!(r#"{{"username":"user-{user}","password":"pw-{number}"}}"#);
            ("POST /login".to_owned(), body, format!(r#"{{"access_token":"{}"}}"#, bearer(user, number)))
        }
        _ => (format!("GET /users/user-{user}"), String::new(), format!(r#"{{"user_id":"user-{user}"}}"#)),
    };
    let bearer = bearer(user, number / 320 * 320);
    let request = format!(
        "{line} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json\r\n\r\n{body}"
    );
    sensor.place(
        number,
        &request,
        &format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{answer}"),
    )
}

fn bearer(user: u32, issued: u32) -> String {
    jwt(&format!(
        r#"{{"iss":"https://idp.example","sub":"user-{user}","iat":{issued},"roles":["customer"]}}"#
    ))
}

/// Calls of the shop; `tell` hears what relates each to the others.
pub(super) fn play(sensor: &mut Sensor, calls: std::ops::Range<u32>, mut tell: impl FnMut(String)) {
    for number in calls {
        let call = call(sensor, number);
        tell(format!("{number}: {:?} {:?}", call.relations, call.standing));
    }
}

/// The server asks another for what a value of a request names, while it answers that.
pub(super) fn fetch(sensor: &mut Sensor, number: u32) {
    let mut own =
        exchange(number, b"GET /x HTTP/1.1\r\nHost: 10.0.0.9\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n{}");
    let (server, other) = (Endpoint::v4([10, 0, 0, 80], 50_000), Endpoint::v4([10, 0, 0, 9], 80));
    (own.flow.key, own.flow.client) = FlowKey::new(server, other);
    sensor.inventory.place(sensor.inspector.exchange(own));
    let request = "GET /preview?url=http://10.0.0.9/x HTTP/1.1\r\nHost: shop\r\n\r\n";
    let call = sensor.place(number, request, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}");
    assert_ne!(call.relations.fetched, crate::Fetched::No);
}

/// Passwords are refused, by a status and with a form.
fn refuse(sensor: &mut Sensor, number: u32) {
    let basic = "GET /manager/ HTTP/1.1\r\nHost: shop\r\nAuthorization: Basic YWRtaW46MTIzNA==\r\n\r\n";
    let refused = sensor.place(number, basic, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    let form = "POST /wp-login.php HTTP/1.1\r\nHost: shop\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nlog=jane&pwd=1234";
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<form><input type='password' name='pwd'>";
    for call in [refused, sensor.place(number + 1, form, page)] {
        assert_eq!(call.relations.login.map(|login| login.result), Some(crate::Tried::Failed));
    }
}

/// Some of everything that is kept, in little.
pub(super) fn told_before() -> Sensor {
    let mut sensor = learned(1..120);
    play(&mut sensor, 100..700, |_| {});
    fetch(&mut sensor, 700);
    refuse(&mut sensor, 701);
    sensor
}

#[test]
fn what_relates_calls_goes_on_in_another_process() {
    let mut whole = Vec::new();
    play(&mut Sensor::empty(), 1..3_000, |told| whole.push(told));
    for owned in ["Own", "Foreign"] {
        assert!(whole.iter().any(|told| told.contains(&format!("owned: {owned}"))), "{owned}");
    }
    for cut in [2, 100, 777, 1_500, 2_999] {
        let (mut first, mut told) = (Sensor::empty(), Vec::new());
        play(&mut first, 1..cut, |line| told.push(line));
        play(&mut Sensor::new(reloaded(&first.inventory)), cut..3_000, |line| told.push(line));
        assert!(told == whole, "cut at {cut}: {:?}", told.iter().zip(&whole).find(|(is, was)| is != was));
    }
}

#[test]
fn every_table_that_relates_calls_is_written() {
    let mut tables: Vec<u8> = pieces(&told_before().inventory)
        .iter()
        .filter(|piece| piece[0] == Section::Relations as u8)
        .filter_map(|piece| piece.get(1).copied())
        .collect();
    tables.dedup();
    assert_eq!(tables, (0..28).collect::<Vec<u8>>());
}

#[test]
fn a_table_of_another_version_begins_anew_and_the_others_go_on() {
    let before = told_before();
    let mut all = pieces(&before.inventory);
    let section = |piece: &Vec<u8>| Section::of(piece[0]);
    let tables =
        all.iter().filter(|piece| section(piece) == Some(Section::Relations) && piece.len() > 1).count();
    for piece in &mut all {
        match section(piece) {
            Some(Section::Relations) if piece.get(1) == Some(&9) => piece[2] = 77,
            Some(Section::Probing) => piece[1] = 77,
            _ => {}
        }
    }
    let (inventory, restored) = load(Config::new(KEY), &all).unwrap();
    assert_eq!(restored, Restored { left_out: 0, outdated: 2 });
    let again = pieces(&inventory);
    assert_eq!(
        again.iter().filter(|piece| section(piece) == Some(Section::Relations) && piece.len() > 1).count(),
        tables - 1
    );
    assert_eq!(told(&inventory), told(&before.inventory));
}
