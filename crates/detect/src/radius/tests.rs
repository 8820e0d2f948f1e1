use super::*;
use crate::transcript::exchange;
use tapwire_inspect::{Inspector, TokenKey};

const KEY: TokenKey = TokenKey::new([7; 32]);

/// A radius with the stages in front of it.
struct World {
    inspector: Inspector,
    inventory: Inventory,
    radius: Radius,
    number: u32,
}

impl World {
    fn new() -> Self {
        let mut config = tapwire_inspect::Config::new(KEY);
        config.max_ids = MAX_IDS;
        Self {
            inspector: Inspector::new(config),
            inventory: Inventory::new(tapwire_inventory::Config::new(KEY)),
            radius: Radius::default(),
            number: 0,
        }
    }

    /// A call of a key; the first that calls is who is looked at.
    fn get(&mut self, key: &str, path: &str, status: u16, answer: &str) {
        self.answer(key, path, status, "application/json", answer);
    }

    fn answer(&mut self, key: &str, path: &str, status: u16, media: &str, answer: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: clinic\r\nX-Api-Key: {key}\r\n\r\n");
        let response = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        self.number += 1;
        let exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
        let call = self.inventory.place(self.inspector.exchange(exchange));
        if self.radius.target.callers.is_empty() {
            self.radius.target.callers.push(call.principal.unwrap().token);
        }
        self.radius.hear(&call);
    }

    /// Persons of all endpoints together.
    fn persons(&self) -> (u64, bool) {
        let mut all = Persons::new();
        self.radius.reached(&self.inventory).iter().for_each(|(_, reached)| all.join(&reached.persons));
        all.count()
    }
}

fn page(numbers: std::ops::Range<u32>) -> String {
    let one = |number: u32| {
        format!(
            r#"{{"id":{number},"email":"patient{number}@example.org","ward":{},"orders":[{{"id":{}}}]}}"#,
            number % 7,
            number + 5_000_000
        )
    };
    format!(r#"{{"patients":[{}]}}"#, numbers.map(one).collect::<Vec<_>>().join(","))
}

#[test]
fn planted_leaks_are_counted_exactly_up_to_ten_thousand_and_closely_beyond() {
    for planted in [100_u32, 9_999, 10_000, 100_000] {
        let mut world = World::new();
        for begin in (0..planted).step_by(700) {
            let numbers = begin..planted.min(begin + 700);
            world.get("thief", &format!("/patients?page={}", begin / 700), 200, &page(numbers.clone()));
            // Who is told again is told once; what others get is nothing of it.
            world.get("thief", "/patients?page=again", 200, &page(numbers.start..numbers.start + 1));
            world.get(
                "doctor",
                "/patients?page=x",
                200,
                &page(numbers.start + 900_000..numbers.end + 900_000),
            );
        }
        let (count, exact) = world.persons();
        assert_eq!(exact, planted <= 10_000);
        let near = u64::from(planted).abs_diff(count) * 100 <= 2 * u64::from(planted);
        assert!(if exact { count == u64::from(planted) } else { near }, "{count} of {planted}");
    }
}

#[test]
fn one_by_one_and_all_at_once_are_the_same_persons() {
    let mut world = World::new();
    world.get("thief", "/patients", 200, &page(0..5_000));
    for number in 0..300 {
        let one = format!(r#"{{"id":{number},"email":"Patient{number}@example.org"}}"#);
        world.get("thief", &format!("/patients/{number}"), 200, &one);
    }
    world.get("thief", "/patients/9", 403, r#"{"email":"nobody@example.org"}"#);
    assert_eq!(world.persons(), (5_000, true));
    assert_eq!(world.radius.refused, 1);
    let all = world.radius.reached(&world.inventory);
    assert_eq!(all.iter().map(|(_, reached)| reached.calls).sum::<u64>(), 301);
    assert!(all.iter().all(|(_, reached)| reached.told_by.contains("email") && reached.unread == 0));
}

#[test]
fn things_are_no_persons_and_numbers_of_persons_are() {
    let mut world = World::new();
    world.get("thief", "/products", 200, r#"[{"id":1,"price":3},{"id":2,"price":4}]"#);
    assert_eq!(world.persons(), (0, true));
    world.get(
        "thief",
        "/orders",
        200,
        r#"[{"id":1,"customerId":7},{"id":2,"customerId":8},{"id":3,"customerId":7}]"#,
    );
    assert_eq!(world.persons(), (2, true));
}

#[test]
fn an_address_tells_whatever_its_field_is_called() {
    let mut world = World::new();
    let answer = r#"[{"id":1,"contact":"ann@example.org"},{"id":2,"contact":"bob@example.org"},{"id":3,"contact":"ann@example.org"}]"#;
    world.get("thief", "/orders", 200, answer);
    assert_eq!(world.persons(), (2, true));
}

#[test]
fn what_was_not_read_is_said() {
    let mut world = World::new();
    world.get("thief", "/patients", 200, &page(0..10));
    let cut = page(0..10);
    world.get("thief", "/patients", 200, &cut[..cut.len() / 2]);
    let request = b"GET /patients HTTP/1.1\r\nHost: clinic\r\nX-Api-Key: thief\r\n\r\n";
    let mut unanswered = exchange(99, request, b"");
    unanswered.response = None;
    let call = world.inventory.place(world.inspector.exchange(unanswered));
    world.radius.hear(&call);
    let all = world.radius.reached(&world.inventory);
    let reached = &all[0].1;
    assert_eq!((reached.calls, reached.unread, reached.unknown_length), (3, 2, 1));
    assert_eq!(reached.unread_bytes, cut.len() as u64 / 2);
}

/// Persons of one answer, whether more are in it than those, and by what they are told.
fn told(answer: &str) -> (u64, bool, String) {
    let mut world = World::new();
    world.get("thief", "/it", 200, answer);
    let all = world.radius.reached(&world.inventory);
    let reached = &all[0].1;
    let by: Vec<&str> = reached.told_by.iter().map(|name| &**name).collect();
    (reached.persons.count().0, reached.too_few > 0, by.join(" "))
}

fn rows(numbers: std::ops::Range<u32>, row: impl Fn(u32) -> String) -> String {
    numbers.map(row).collect::<Vec<_>>().join(",")
}

fn ssn(number: u32) -> String {
    format!("536-22-{:04}", 1000 + number)
}

#[test]
fn an_address_in_the_envelope_is_not_that_of_those_in_the_list() {
    let list = rows(0..40, |n| format!(r#"{{"customerId":{n},"ssn":"{}"}}"#, ssn(n)));
    let answer = format!(r#"{{"support_email":"help@corp.example","customers":[{list}]}}"#);
    assert_eq!(told(&answer), (40, false, "customerId".into()));
    let owner = format!(r#"{{"email":"boss@corp.example","customers":[{list}]}}"#);
    assert_eq!(told(&owner), (41, false, "customerId email".into()));
}

#[test]
fn who_has_no_address_in_a_list_is_told_by_number() {
    let list = rows(0..50, |n| {
        let email = if n == 0 { r#","email":"only@ex.example""# } else { "" };
        format!(r#"{{"personId":{n},"ssn":"{}"{email}}}"#, ssn(n))
    });
    assert_eq!(told(&format!(r#"{{"people":[{list}]}}"#)), (50, false, "email personId".into()));
}

#[test]
fn keys_of_a_map_and_elements_without_a_name_tell_persons() {
    let addresses = rows(0..50, |n| format!(r#""y{n}@ex.example":{{"ssn":"{}"}}"#, ssn(n)));
    assert_eq!(told(&format!("{{{addresses}}}")), (50, false, "keys".into()));
    let again = rows(0..50, |n| format!(r#""y{n}@ex.example":{{"id":{n},"ssn":"{}"}}"#, ssn(n)));
    assert_eq!(told(&format!("{{{again}}}")), (50, false, "keys".into()));
    let numbers = rows(0..50, |n| format!(r#""{}":{{"ssn":"{}"}}"#, 70_000 + n, ssn(n)));
    assert_eq!(told(&format!(r#"{{"people":{{{numbers}}}}}"#)), (50, false, "keys".into()));
    let years = rows(2_000..2_020, |n| format!(r#""{n}":{{"sold":{n}}}"#));
    assert_eq!(told(&format!("{{{years}}}")), (0, false, String::new()));
    let staff = rows(0..20, |n| format!(r#""jane{n}@corp.example":"boss{n}@corp.example""#));
    assert_eq!(told(&format!("{{{staff}}}")), (40, false, "keys values".into()));
    let bare = rows(0..50, |n| format!(r#""z{n}@ex.example""#));
    assert_eq!(told(&format!("[{bare}]")), (50, false, "elements".into()));
}

#[test]
fn a_name_that_is_made_of_a_number_is_not_told() {
    let answer = r#"{"email_4111111111111111":"ann@ex.example","email_2":"bob@ex.example"}"#;
    assert_eq!(told(answer), (2, false, "a name with digits email_2".into()));
}

#[test]
fn more_entries_than_fields_are_counted_and_not_called_all() {
    let addresses = rows(0..900, |n| format!(r#""y{n}@ex.example":{{"ssn":"{}"}}"#, ssn(n)));
    assert_eq!(told(&format!("{{{addresses}}}")), (900, true, "keys".into()));
}

#[test]
fn what_a_person_has_is_no_further_person() {
    let list = rows(0..30, |n| {
        let visit = format!(r#"{{"id":{},"patientId":{n},"phone":"+1 202 555 0147"}}"#, 900 + n);
        format!(r#"{{"id":{n},"email":"p{n}@ex.example","visits":[{visit},{visit}]}}"#)
    });
    assert_eq!(told(&format!(r#"{{"patients":[{list}]}}"#)), (30, false, "email".into()));
}

#[test]
fn values_of_which_nobody_knows_whose_they_are_are_said() {
    let numbers = rows(0..50, |n| format!(r#"{{"ssn":"{}"}}"#, ssn(n)));
    assert_eq!(told(&format!(r#"{{"rows":[{numbers}]}}"#)), (0, true, String::new()));
    let team = format!(r#"{{"teams":[{{"email":"lead@ex.example","members":[{numbers}]}}]}}"#);
    assert_eq!(told(&team), (1, true, "email".into()));
    let one =
        r#"{"email":"ann@ex.example","ssn":"536-22-1001","phones":["+1 202 555 0147","+1 202 555 0148"]}"#;
    assert_eq!(told(one), (1, false, "email".into()));
}

#[test]
fn children_of_xml_that_come_again_are_records() {
    let one = |n: u32| {
        let email = if n == 0 { "<email>only@ex.example</email>" } else { "" };
        format!("<customer><customerId>{n}</customerId><ssn>{}</ssn>{email}</customer>", ssn(n))
    };
    let body: String = (0..20).map(one).collect();
    let body = format!("<all><email>help@ex.example</email>{body}</all>");
    let mut world = World::new();
    world.answer("thief", "/it", 200, "application/xml", &body);
    assert_eq!(world.persons(), (21, true));
}
