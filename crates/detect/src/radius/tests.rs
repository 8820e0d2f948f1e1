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
        // A path may begin with the host.
        let (host, path) = path.split_at(path.find('/').unwrap());
        let host = if host.is_empty() { "clinic" } else { host };
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {key}\r\n\r\n");
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

fn list(row: impl Fn(u32) -> String) -> String {
    format!(r#"{{"rows":[{}]}}"#, rows(0..40, row))
}

#[test]
fn who_works_on_records_is_not_whom_they_are_about() {
    let agents =
        list(|n| format!(r#"{{"customerId":{n},"ssn":"{}","agentEmail":"agent7@corp.example"}}"#, ssn(n)));
    assert_eq!(told(&agents), (40, false, "customerId".into()));
    let clerks = list(|n| {
        let (clerk, rep) = ("clerk@corp.example", n % 5);
        format!(
            r#"{{"email":"c{n}@ex.example","createdByEmail":"{clerk}","salesRepEmail":"rep{rep}@corp.example"}}"#
        )
    });
    assert_eq!(told(&clerks), (40, false, "email".into()));
    let alone = list(|n| format!(r#"{{"id":{n},"agent_email":"agent{}@corp.example"}}"#, n % 5));
    assert_eq!(told(&alone), (5, false, "agent_email".into()));
}

#[test]
fn what_most_records_share_is_no_key_of_persons() {
    let shared = list(|n| format!(r#"{{"ssn":"{}","mailbox":"us@corp.example"}}"#, ssn(n)));
    assert_eq!(told(&shared), (1, true, "mailbox".into()));
    let beside = list(|n| {
        let team = n % 5;
        format!(r#"{{"memberId":{n},"ssn":"{}","mailbox":"u{team}@ex.example"}}"#, ssn(n))
    });
    assert_eq!(told(&beside), (40, false, "memberId".into()));
    let template = list(|n| format!(r#"{{"memberId":{n},"ssn":"{}","emailTemplateId":3}}"#, ssn(n)));
    assert_eq!(told(&template), (40, false, "memberId".into()));
    let app = list(|n| format!(r#"{{"orderId":{n},"client":"ios","total":3}}"#));
    assert_eq!(told(&app), (0, false, String::new()));
}

#[test]
fn an_address_that_many_share_one_answer_each_is_not_called_all() {
    let mut world = World::new();
    for n in 0..10 {
        let one = format!(r#"{{"customerId":{n},"ssn":"{}","mailbox":"us@corp.example"}}"#, ssn(n));
        world.get("thief", &format!("/customers/{}", 700 + n), 200, &one);
    }
    assert_eq!(world.persons().0, 1);
    assert!(world.radius.reached(&world.inventory).iter().any(|(_, reached)| reached.has_more()));
}

#[test]
fn one_number_of_two_services_or_of_two_things_is_two_persons() {
    let mut world = World::new();
    let row = |word: &'static str| move |n| format!(r#"{{"{word}":{n},"ssn":"{}"}}"#, ssn(n));
    let all = |word| format!(r#"{{"rows":[{}]}}"#, rows(1..51, row(word)));
    world.get("thief", "bank.example/v1/customers", 200, &all("customerId"));
    world.get("thief", "clinic.example/v1/patients", 200, &all("patientId"));
    assert_eq!(world.persons().0, 100);
    world.get("thief", "bank.example/pay", 200, &all("id"));
    world.get("thief", "bank.example/hr", 200, &all("id"));
    assert_eq!(world.persons().0, 200);
    // The customers of the same service are the same customers.
    world.get("thief", "bank.example/v2/customers", 200, &all("id"));
    assert_eq!(world.persons().0, 200);
}

#[test]
fn values_in_many_fields_are_compared_together() {
    let staff = rows(0..100, |n| format!(r#""a{}":{{"ssn":"{}"}}"#, letters(n), ssn(n)));
    let answer = format!(r#"{{"viewer":{{"email":"boss@corp.example"}},"staff":{{{staff}}}}}"#);
    assert_eq!(told(&answer), (1, true, "email".into()));
    let phones = rows(0..30, |n| format!(r#""a{}":{{"phone":"+1 202 555 01{n:02}"}}"#, letters(n)));
    let answer = format!(r#"{{"viewer":{{"email":"boss@corp.example"}},"staff":{{{phones}}}}}"#);
    assert_eq!(told(&answer), (1, true, "email".into()));
    let two = format!(
        r#"{{"managers":[{}],"staff":[{}]}}"#,
        rows(0..100, |n| format!(r#"{{"email":"m{n}@ex.example"}}"#)),
        rows(0..50, |n| format!(r#"{{"ssn":"{}"}}"#, ssn(n)))
    );
    assert_eq!(told(&two), (100, true, "email".into()));
}

/// A number without digits.
fn letters(number: u32) -> String {
    format!("{:02}", number % 100).bytes().map(|digit| char::from(digit - b'0' + b'k')).collect()
}

#[test]
fn names_that_are_keys_of_a_map_are_not_told() {
    let users = rows(0..20, |n| format!(r#""user{}":"u{n}@ex.example""#, letters(n)));
    assert_eq!(told(&format!(r#"{{"dir":{{{users}}}}}"#)), (20, false, "values".into()));
}

#[test]
fn numbers_of_which_a_person_may_have_several_are_said_to_be() {
    let orders = list(|n| format!(r#"{{"id":{n},"phone":"+1 202 555 01{n:02}"}}"#));
    for (path, several) in [("/orders", 1), ("/patients", 0)] {
        let mut world = World::new();
        world.get("thief", path, 200, &orders);
        let reached = &world.radius.reached(&world.inventory)[0].1;
        assert_eq!((reached.persons.count().0, reached.several), (40, several), "{path}");
    }
}
