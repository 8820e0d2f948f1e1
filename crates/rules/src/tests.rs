use crate::groups::Groups;
use crate::transcript::exchange;
use crate::{Judge, Loaded, RuleFile, load};
use tapwire_detect::{CallRules, Finding, HeldGroups, Outcome, Severity};
use tapwire_inspect::{Inspector, TokenKey};
use tapwire_inventory::{Call, Inventory};
use tapwire_wire::{Endpoint, FlowKey, Timestamp};

const KEY: TokenKey = TokenKey::new([7; 32]);

/// Calls of clients, a second apart.
struct Calls {
    inspector: Inspector,
    inventory: Inventory,
    number: u32,
    now: i64,
}

impl Calls {
    fn new() -> Self {
        Self {
            inspector: Inspector::new(tapwire_inspect::Config::new(KEY)),
            inventory: Inventory::new(tapwire_inventory::Config::new(KEY)),
            number: 0,
            now: 1_700_000_000,
        }
    }

    fn call(&mut self, client: u8, line: &str, status: u16) -> Call {
        self.answered(client, line, status, "{}")
    }

    fn answered(&mut self, client: u8, line: &str, status: u16, answer: &str) -> Call {
        let request =
            format!("{line} HTTP/1.1\r\nHost: shop:8080\r\nUser-Agent: ShopApp/4.2\r\nCookie: a=b\r\n\r\n");
        let length = answer.len();
        let response = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{answer}"
        );
        self.number += 1;
        self.now += 1;
        let mut exchange = exchange(self.number, request.as_bytes(), response.as_bytes());
        let (key, side) =
            FlowKey::new(Endpoint::v4([10, 1, client, 9], 40_000), Endpoint::v4([10, 200, 0, 80], 8080));
        (exchange.flow.key, exchange.flow.client) = (key, side);
        for half in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            (half.started, half.ended) =
                (Timestamp::from_parts(self.now, 0), Timestamp::from_parts(self.now, 0));
        }
        self.inventory.place(self.inspector.exchange(exchange))
    }
}

fn of(text: &str) -> Loaded {
    load(&[RuleFile { name: "a.yml".into(), text: text.into() }])
}

/// All of it applies.
fn judge(text: &str) -> Judge {
    let loaded = of(text);
    assert!(
        loaded.faults.is_empty() && loaded.skipped.is_empty(),
        "{:?} {:?}",
        loaded.faults,
        loaded.skipped
    );
    loaded.judge
}

fn found(judge: &mut Judge, call: &Call) -> Vec<Finding> {
    let mut out = Vec::new();
    judge.judge(call, &mut out);
    out
}

fn rule(category: &str, selection: &str) -> String {
    format!(
        "title: T\nid: t\nlogsource: {{category: {category}}}\ndetection:\n  selection:\n    {selection}\n  condition: selection\nlevel: high\nstatus: test\ntags: [attack.t1190, attack.initial-access]\n"
    )
}

/// Whether a rule of one selection holds for a request.
fn holds(category: &str, selection: &str, line: &str, status: u16) -> bool {
    !found(&mut judge(&rule(category, selection)), &Calls::new().call(1, line, status)).is_empty()
}

#[test]
fn fields_of_access_logs_hold_what_the_request_says() {
    for (category, selection, line, expected) in [
        ("webserver", "cs-method: GET", "GET /a", true),
        ("webserver", "cs-method: POST", "GET /a", false),
        ("webserver", "cs-uri-stem|endswith: /a.bak", "GET /x/a.bak?b=1", true),
        ("webserver", "cs-uri-stem|endswith: /a.bak", "GET /x/a%2ebak", true),
        ("webserver", "cs-uri-stem|contains: '%2e'", "GET /x/a%2ebak", true),
        ("webserver", "cs-uri-query|startswith: b=", "GET /x?b=1", true),
        ("webserver", "cs-uri-query|contains: '/../vpns/'", "GET /x/../vpns/y", true),
        ("webserver", "cs-host: shop", "GET /a", true),
        ("webserver", "cs-user-agent|contains: shopapp", "GET /a", true),
        ("webserver", "cs-cookie: a=b", "GET /a", true),
        ("webserver", "sc-status: 200", "GET /a", true),
        ("webserver", "sc-status: 404", "GET /a", false),
        ("webserver", "c-ip|cidr: 10.1.0.0/16", "GET /a", true),
        ("webserver", "c-ip|cidr: 10.2.0.0/16", "GET /a", false),
        ("webserver", "cs-referer: null", "GET /a", true),
        ("proxy", "c-uri|startswith: 'http://shop:8080/a'", "GET /a", true),
        ("proxy", "c-uri-extension: php", "GET /a/b.php?c=d.txt", true),
        ("proxy", "c-uri-extension: txt", "GET /a/b.php?c=d.txt", false),
        ("proxy", "c-uri-query|contains: /a", "GET /a?b", false),
        ("proxy", "c-useragent|re: '^ShopApp/\\d'", "GET /a", true),
        ("api", "template: /users/{userId}", "GET /users/17", true),
        ("api", "outcome: success", "GET /a", true),
        ("api", "authentication: cookie", "GET /a", false),
        ("webserver", "authentication: none", "GET /a", true),
    ] {
        assert_eq!(holds(category, selection, line, 200), expected, "{category} {selection} for {line}");
    }
}

#[test]
fn a_keyword_is_looked_for_in_what_a_log_line_says() {
    let text = rule("webserver", "").replace("  selection:\n    \n", "  selection: [nowhere, '=../']\n");
    let mut rules = judge(&text);
    let mut calls = Calls::new();
    assert_eq!(found(&mut rules, &calls.call(1, "GET /a?f=%2e%2fx", 200)).len(), 0);
    assert_eq!(found(&mut rules, &calls.call(1, "GET /a?f=..%2f", 200)).len(), 1);
    assert_eq!(found(&mut rules, &calls.call(1, "GET /nowhere", 200)).len(), 1);
}

#[test]
fn what_only_tapwire_sees_is_there_too() {
    let text = rule("api", "response_fields|contains: '$.card.number'\n    response_data_classes: card");
    let mut rules = judge(&text);
    let call = Calls::new().answered(1, "GET /pay", 200, r#"{"card":{"number":"4532015112830366"}}"#);
    assert_eq!(found(&mut rules, &call).len(), 1);
}

#[test]
fn a_finding_says_what_its_rule_says() {
    let mut rules = judge(&rule("webserver", "cs-uri-stem: /admin"));
    let call = Calls::new().call(1, "GET /admin", 403);
    let [finding] = found(&mut rules, &call).try_into().unwrap();
    assert_eq!(
        (finding.severity, finding.confidence, finding.outcome),
        (Severity::High, 60, Outcome::Blocked)
    );
    assert_eq!(finding.reason, "rule T: cs-uri-stem is as it says");
    assert_eq!(finding.rule.unwrap().techniques, ["T1190"]);
    assert_eq!(finding.exchanges, [call.observation.exchange.uid()]);
    let described = |words: &str| {
        let text = rule("webserver", "cs-uri-stem: /admin")
            + &format!("description: |\n  Nobody is there,\n  {words}\n");
        found(&mut judge(&text), &call).remove(0).reason
    };
    assert_eq!(described("ever"), "rule T: cs-uri-stem is as it says. Nobody is there, ever");
    let long = described(&"é".repeat(400));
    assert!(long.len() < 400 && long.ends_with('…'), "{long}");
}

/// Three calls of `/x` and a correlation over them.
fn correlated(kind: &str, rest: &str) -> String {
    format!(
        "{}---\ntitle: Two\nid: u\nname: two\nlogsource: {{category: webserver}}\ndetection:\n  s: {{cs-uri-stem: /u}}\n  condition: s\n---\ntitle: C\nid: c\ncorrelation:\n  type: {kind}\n  timespan: 10s\n  group-by: [c-ip]\n{rest}level: high\n",
        rule("webserver", "cs-uri-stem: /t")
    )
}

/// The numbers of the calls that raise a finding.
fn raised(text: &str, calls: &[(u8, &str)]) -> Vec<usize> {
    let (mut rules, mut made) = (judge(text), Calls::new());
    let mut at = Vec::new();
    for (index, (client, line)) in calls.iter().enumerate() {
        let call = made.call(*client, line, 200);
        at.extend(found(&mut rules, &call).iter().map(|_| index));
    }
    at
}

#[test]
fn all_types_of_correlation_are_reckoned() {
    let t = (1, "GET /t?n=1");
    let gte = |n: u32| format!("  rules: [t]\n  condition: {{gte: {n}}}\n");
    let of_field = |field: &str, n: u32| format!("  rules: [t]\n  condition: {{gte: {n}, field: {field}}}\n");
    for (kind, rest, calls, expected) in [
        ("event_count", gte(3), vec![t, (2, "GET /t"), t, t], vec![3]),
        ("event_count", gte(3), vec![t, t, (2, "GET /t")], vec![]),
        ("value_count", of_field("cs-uri-query", 2), vec![t, t, (1, "GET /t?n=2")], vec![2]),
        ("temporal", "  rules: [t, two]\n".into(), vec![(1, "GET /u"), (2, "GET /t"), t], vec![2]),
        ("temporal_ordered", "  rules: [t, two]\n".into(), vec![(1, "GET /u"), t], vec![]),
        ("temporal_ordered", "  rules: [t, two]\n".into(), vec![t, (1, "GET /u")], vec![1]),
        ("value_sum", of_field("sc-status", 500), vec![t, t, t], vec![2]),
        ("value_avg", of_field("sc-status", 200), vec![t], vec![0]),
        ("value_percentile", of_field("sc-status", 200), vec![t], vec![0]),
        ("value_percentile", of_field("sc-status", 201), vec![t, t], vec![]),
        ("value_percentile", of_field("sc-status", 200), vec![t, t, (2, "GET /t")], vec![0, 2]),
        ("value_median", of_field("sc-status", 201), vec![t, t], vec![]),
    ] {
        // The rules are there to be counted: what only one of them is found by says nothing of its own.
        let text = correlated(kind, &rest);
        let text =
            if kind.starts_with("temporal") { text } else { text.replace("rules: [t]", "rules: [t, u]") };
        assert_eq!(raised(&text, &calls), expected, "{kind} {rest}");
    }
}

#[test]
fn a_window_is_one_of_packet_time_and_a_finding_names_its_calls() {
    let text = correlated("event_count", "  rules: [t, u]\n  condition: {gte: 2}\n");
    let (mut rules, mut calls) = (judge(&text), Calls::new());
    let first = calls.call(1, "GET /t", 200);
    assert!(found(&mut rules, &first).is_empty());
    calls.now += 11;
    let late = calls.call(1, "GET /t", 200);
    assert!(found(&mut rules, &late).is_empty(), "the first is over");
    let next = calls.call(1, "GET /t", 200);
    let [finding] = found(&mut rules, &next).try_into().unwrap();
    assert_eq!(finding.exchanges, [late.observation.exchange.uid(), next.observation.exchange.uid()]);
    assert_eq!(finding.reason, "rule C: event_count is 2 within 10 s for one c-ip");
    assert!(found(&mut rules, &calls.call(1, "GET /t", 200)).is_empty(), "it was told once");
}

#[test]
fn the_stalest_groups_make_room_and_are_counted() {
    let text = correlated("event_count", "  rules: [t, u]\n  condition: {gte: 2}\n").replace("10s", "1d");
    let (mut rules, mut calls) = (judge(&text), Calls::new());
    rules.groups = Groups::of(16);
    for client in 0..40 {
        assert!(found(&mut rules, &calls.call(client, "GET /t", 200)).is_empty());
    }
    let counters = rules.counters();
    assert!(counters.groups <= 16 && counters.groups + counters.evicted_groups == 40, "{counters:?}");
    assert_eq!(found(&mut rules, &calls.call(39, "GET /t", 200)).len(), 1, "the freshest stayed");
    assert_eq!(found(&mut rules, &calls.call(0, "GET /t", 200)).len(), 0, "the stalest went");
}

#[test]
fn groups_go_on_when_rules_are_read_again_unless_they_reckon_otherwise() {
    let text = correlated("event_count", "  rules: [t, u]\n  condition: {gte: 2}\n");
    for (later, expected) in
        [(text.clone(), 1), (text.replace("gte: 2", "gte: 1"), 1), (text.replace("10s", "1h"), 0)]
    {
        let (mut before, mut calls) = (judge(&text), Calls::new());
        assert!(found(&mut before, &calls.call(1, "GET /t", 200)).is_empty());
        let mut rules = judge(&later);
        rules.take_over(before.hand_over().unwrap(), before.counters());
        assert_eq!(found(&mut rules, &calls.call(1, "GET /t", 200)).len(), expected, "{later}");
        assert_eq!(rules.counters().judged, 2);
    }
}

/// The groups of rules as a checkpoint has them, and a run after.
fn restarted(before: &Judge, text: &str) -> (Judge, Vec<Vec<u8>>) {
    let pieces: Vec<Vec<u8>> = before.pieces(&KEY).collect();
    let mut held = HeldGroups::default();
    pieces.iter().for_each(|piece| held.take(piece, &KEY).unwrap());
    let (held, _) = held.finish().unwrap();
    let mut rules = judge(text);
    rules.set_key(&KEY);
    rules.restore(&held);
    (rules, pieces)
}

#[test]
fn groups_outlive_a_run_without_a_text_of_traffic() {
    let counted = "  rules: [t, u]\n  condition: {gte: 2}\n";
    let valued = "  rules: [t]\n  condition: {gte: 2, field: cs-uri-query}\n";
    let percentile = "  rules: [t, u]\n  condition: {gte: 200, field: sc-status, percentile: 90}\n";
    for (kind, rest, first, second, expected) in [
        ("event_count", counted, "GET /t", "GET /t", 1),
        ("value_count", valued, "GET /t?card=4111", "GET /t?card=5", 1),
        ("temporal", "  rules: [t, u]\n", "GET /t", "GET /u", 1),
        ("value_percentile", percentile, "GET /t", "GET /t", 0),
    ] {
        let text = correlated(kind, rest).replace("[c-ip]", "[c-ip, c-useragent]");
        let (mut before, mut calls) = (judge(&text), Calls::new());
        before.set_key(&KEY);
        let told = found(&mut before, &calls.call(1, first, 200)).len();
        assert_eq!(told, usize::from(kind == "value_percentile"), "{kind}: a percentile holds at once");
        let (mut rules, pieces) = restarted(&before, &text);
        assert_eq!(rules.counters().groups, before.counters().groups, "{kind}");
        assert_eq!(found(&mut rules, &calls.call(1, second, 200)).len(), expected, "{kind}");
        let kept = pieces.concat();
        for secret in ["ShopApp", "10.1.1.9", "card", "4111"] {
            assert!(!kept.windows(secret.len()).any(|part| part == secret.as_bytes()), "{kind}: {secret}");
        }
    }
}

#[test]
fn groups_of_a_run_before_whose_rule_reckons_otherwise_are_left_out_and_counted() {
    let text = correlated("event_count", "  rules: [t, u]\n  condition: {gte: 2}\n");
    let (mut before, mut calls) = (judge(&text), Calls::new());
    before.set_key(&KEY);
    assert!(found(&mut before, &calls.call(1, "GET /t", 200)).is_empty());
    let (mut rules, _) = restarted(&before, &text.replace("10s", "1h"));
    assert_eq!((rules.counters().groups, rules.counters().groups_left_out), (0, 1));
    assert!(found(&mut rules, &calls.call(1, "GET /t", 200)).is_empty());
    let mut held = HeldGroups::default();
    let first = before.pieces(&KEY).next().unwrap();
    assert!(held.take(&first, &TokenKey::new([8; 32])).is_err(), "under another key nothing would meet");
}

/// The piece with the number of that place (from the first digit on) replaced, in each of its entries.
fn with_number(piece: &[u8], place: usize, by: &str) -> Option<Vec<u8>> {
    let mut out = HeldGroups::preface(&KEY).to_vec();
    let mut found = false;
    tapwire_inventory::state::take_all(piece, |entry: Vec<u8>| {
        let text = String::from_utf8(entry).unwrap();
        let is_digit = |letter: char| letter.is_ascii_digit();
        let begins = text.match_indices(is_digit).map(|(at, _)| at);
        let begins: Vec<usize> =
            begins.filter(|at| *at == 0 || !text.as_bytes()[at - 1].is_ascii_digit()).collect();
        let changed = begins.get(place).map(|begin| {
            let end = text[*begin..]
                .find(|letter: char| !letter.is_ascii_digit())
                .map_or(text.len(), |to| begin + to);
            found = true;
            format!("{}{by}{}", &text[..*begin], &text[end..])
        });
        tapwire_inventory::state::put(&changed.unwrap_or(text).into_bytes(), &mut out);
        true
    })
    .unwrap();
    found.then_some(out)
}

#[test]
fn groups_that_somebody_else_wrote_break_nothing() {
    let counted = "  rules: [t, u]\n  condition: {gte: 2}\n";
    let valued = "  rules: [t]\n  condition: {gte: 2, field: cs-uri-query}\n";
    let percentile = "  rules: [t, u]\n  condition: {gte: 200, field: sc-status, percentile: 90}\n";
    let mut tried = 0;
    for (kind, rest) in [
        ("event_count", counted),
        ("value_count", valued),
        ("temporal", "  rules: [t, u]\n"),
        ("value_percentile", percentile),
    ] {
        let text = correlated(kind, rest);
        let (mut before, mut calls) = (judge(&text), Calls::new());
        before.set_key(&KEY);
        found(&mut before, &calls.call(1, "GET /t?a", 200));
        let piece = before.pieces(&KEY).collect::<Vec<_>>().concat();
        let piece = piece.strip_prefix(&HeldGroups::preface(&KEY)[..]).unwrap();
        for number in
            [i64::MAX.to_string(), i64::MIN.to_string(), u64::MAX.to_string(), "-1".into(), "1e300".into()]
        {
            for changed in (0..).map_while(|place| with_number(piece, place, &number)) {
                let mut held = HeldGroups::default();
                held.take(&changed, &KEY).unwrap();
                let mut rules = judge(&text);
                rules.set_key(&KEY);
                rules.restore(&held.finish().unwrap().0);
                for line in ["GET /t?b", "GET /u"] {
                    found(&mut rules, &calls.call(1, line, 200));
                }
                let _pieces = rules.pieces(&KEY).count();
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

/// `cargo test -p tapwire-rules --features sigma pieces_of_full -- --nocapture` prints how long calls wait for a piece.
#[test]
fn pieces_of_full_groups_are_many_and_short() {
    let text = correlated("event_count", "  rules: [t, u]\n  condition: {gte: 20}\n")
        .replace("10s", "1d")
        .replace("[c-ip]", "[cs-uri-query]");
    let (mut rules, mut calls) = (judge(&text), Calls::new());
    for number in 0..17_000 {
        found(&mut rules, &calls.call(1, &format!("GET /t?{number}"), 200));
    }
    let (mut longest, mut sizes) = (std::time::Duration::ZERO, Vec::new());
    let began = std::time::Instant::now();
    let pieces = rules.pieces(&KEY);
    let mut last = began.elapsed();
    longest = longest.max(last);
    for piece in pieces {
        sizes.push(piece.len());
        longest = longest.max(began.elapsed() - last);
        last = began.elapsed();
    }
    println!("{} pieces, {} bytes, {longest:?} at most", sizes.len(), sizes.iter().sum::<usize>());
    assert!(sizes.len() > 4 && sizes.iter().all(|size| *size < 2 << 20), "{sizes:?}");
}

#[test]
fn a_broken_rule_is_named_with_its_line_and_the_others_stay() {
    let good = rule("webserver", "cs-method: GET");
    for (text, line, what) in [
        (format!("# a comment\n{good}---\ntitle: Broken\nlogsource: {{category: proxy}}\n"), 13, "detection"),
        (
            format!(
                "{good}---\n{}",
                good.replace("cs-method:", "cs-method|containz:").replace("id: t", "id: v")
            ),
            17,
            "containz",
        ),
        (
            format!(
                "{good}---\n{}",
                good.replace("condition: selection", "condition: selection and").replace("id: t", "id: v")
            ),
            18,
            "ondition",
        ),
        (
            format!(
                "{good}---\n{}",
                good.replace("condition: selection", "condition: other").replace("id: t", "id: v")
            ),
            18,
            "other",
        ),
        (format!("{good}---\n{good}"), 12, "taken by a.yml:1"),
        (format!("{good}---\ntitle: [a\n"), 13, "YAML"),
        (
            format!(
                "{good}---\n{}",
                good.replace("cs-method: GET", "cs-method|re: '('").replace("id: t", "id: v")
            ),
            12,
            "regex",
        ),
    ] {
        let loaded = of(&text);
        assert_eq!(loaded.applied.len(), 1, "{text}");
        let [fault] = <[_; 1]>::try_from(loaded.faults).unwrap();
        assert!(fault.what.contains(what), "{}", fault.what);
        assert_eq!(fault.line, line, "{} in\n{text}", fault.what);
    }
}

#[test]
fn what_does_not_apply_says_why() {
    for (text, why) in [
        (
            rule("process_creation", "Image: a"),
            "its log source (category process_creation) is nothing that HTTP traffic shows",
        ),
        (
            rule("webserver", "cs-username: a"),
            "the field cs-username, which webserver has not (names of users are kept as tokens",
        ),
        (rule("webserver", "cs-metod: a"), "did it mean cs-method?"),
        (rule("proxy", "cs-uri-stem: a\n    x-y: b"), "the fields cs-uri-stem, x-y, which proxy has not"),
        (
            rule("webserver", "cs-method: a").replace("status: test", "status: deprecated"),
            "its status is deprecated",
        ),
        (
            rule("webserver", "cs-method: a")
                .replace("{category: webserver}", "{product: apache, service: error}"),
            "product apache, service error",
        ),
    ] {
        let loaded = of(&text);
        assert!(loaded.applied.is_empty() && loaded.faults.is_empty(), "{:?}", loaded.faults);
        assert!(loaded.skipped[0].reason.contains(why), "{}", loaded.skipped[0].reason);
    }
}

#[test]
fn a_correlation_over_what_is_not_judged_is_not_judged_and_neither_is_what_it_alone_counts() {
    let text = correlated("event_count", "  rules: [t, missing]\n  condition: {gte: 2}\n");
    let loaded = of(&text);
    let reasons: Vec<&str> = loaded.skipped.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "it counts missing, which is no rule that is judged",
            "the correlation that counts it is not judged"
        ]
    );
    assert_eq!(loaded.applied.len(), 1);
    let loop_of_two = "title: A\nid: a\ncorrelation: {type: temporal, rules: [b], timespan: 1h}\n---\ntitle: B\nid: b\ncorrelation: {type: temporal, rules: [a], timespan: 1h}\n";
    assert_eq!(of(loop_of_two).skipped.len(), 2);
}

#[test]
fn a_filter_takes_out_what_it_names() {
    let filter = "---\ntitle: F\nlogsource: {category: webserver}\nfilter:\n  rules: [t]\n  own: {c-ip: 10.1.2.9}\n  condition: not own\n";
    let mut rules = judge(&(rule("webserver", "cs-method: GET") + filter));
    let mut calls = Calls::new();
    assert_eq!(found(&mut rules, &calls.call(1, "GET /a", 200)).len(), 1);
    assert_eq!(found(&mut rules, &calls.call(2, "GET /a", 200)).len(), 0);
}

#[test]
fn a_long_text_is_cut_and_counted() {
    let mut rules = judge(&rule("webserver", "cs-uri-stem|endswith: z"));
    let call = Calls::new().call(1, &format!("GET /{}z", "a".repeat(20_000)), 200);
    assert!(found(&mut rules, &call).is_empty());
    assert!(rules.counters().cut_texts > 0);
}

#[test]
fn a_name_is_of_one_rule_alone() {
    let rule = |id: &str, name: &str| {
        rule("webserver", "cs-method: GET").replace("id: t\n", &format!("id: {id}\nname: {name}\n"))
    };
    for (id, name, taken) in [
        ("second", "one", "the name one is taken by a.yml:1"),
        ("second", "first", "the name first is taken by a.yml:1"),
        ("one", "second", "the id one is taken by a.yml:1"),
    ] {
        let loaded = of(&format!("{}---\n{}", rule("first", "one"), rule(id, name)));
        let told: Vec<&str> = loaded.faults.iter().map(|fault| fault.what.as_str()).collect();
        assert_eq!(told, [taken]);
        assert_eq!(loaded.faults[0].file, "a.yml");
    }
}
