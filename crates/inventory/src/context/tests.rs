use super::*;

const KEY: TokenKey = TokenKey::new([7; 32]);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn context(sections: &str, assets: &str) -> (Context, Vec<(usize, String)>) {
    let mut reading = Reading::new(KEY);
    let mut troubles = reading.sections(sections);
    troubles.extend(reading.assets(assets));
    (reading.finish(), troubles.into_iter().map(|trouble| (trouble.line, trouble.what)).collect())
}

#[test]
fn networks_assets_and_lists() {
    let (context, troubles) = context(
        "[networks]\ninternal = [\"10.0.0.0/8\"]\npartner = [\"10.9.0.0/16\"]\nproxies = [\"10.0.0.5\"]\ngateways = [\"10.0.0.6\"]\n\
         [lists]\naddresses = [\"203.0.113.0/24\"]\nja4 = [\"t13d1516h2_8daaf6152771_b186095e22b6\"]\ndomains = [\"*.Example.com\"]\nusers = [\"alice\"]\n",
        "network,name,owner,zone,criticality\n10.1.0.0/16,\"Shop, cluster\",payments,dmz,high\npay.example,Payments,fin,,\n",
    );
    assert_eq!(troubles, []);
    assert_eq!(context.zone(address("10.9.1.1")), Some(Zone::Partner));
    assert!(context.is_proxy(address("10.0.0.5")) && !context.is_proxy(address("10.0.0.6")));
    assert!(context.is_gateway(address("10.0.0.6")));
    let placed = context.place(address("10.1.2.3"), Some("shop.example:8080"));
    let asset = placed.asset.expect("an asset");
    assert_eq!((asset.name.as_deref(), asset.owner.as_deref()), (Some("Shop, cluster"), Some("payments")));
    assert_eq!((placed.zone.as_deref(), asset.criticality.as_deref()), (Some("dmz"), Some("high")));
    let placed = context.place(address("10.2.2.3"), Some("pay.example:443"));
    assert_eq!(placed.zone.as_deref(), Some("internal"));
    assert_eq!(placed.asset.and_then(|asset| asset.owner.clone()).as_deref(), Some("fin"));
    let alice = KEY.token(Domain::Identity, b"alice");
    let hits = context.hits(
        address("203.0.113.9"),
        Some("t13d1516h2_8daaf6152771_b186095e22b6"),
        Some("api.eu.example.com:80"),
        &[alice],
    );
    assert_eq!(hits.iter().map(List::name).collect::<Vec<_>>(), ["addresses", "ja4", "domains", "users"]);
    let none = context.hits(address("198.51.100.1"), None, Some("badexample.com"), &[]);
    assert!(none.is_empty());
}

#[test]
fn a_broken_line_is_named_and_the_others_stay() {
    let (context, troubles) = context(
        "[networks]\ninternal = [\"10.0.0.0/8\", \"10.0.0.0/99\"]\nintern = [\"192.168.0.0/16\"]\n[list]\nusers = [\"a\"]\n",
        "10.1.0.0/16,a,b,c,d,e\n10.2.0.0/16,Two,b\n10.0.0.0/xx,Three\n\"10.3.0.0/16,a\n",
    );
    let lines: Vec<usize> = troubles.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 5, 1, 3, 4], "{troubles:?}");
    assert!(troubles[0].1.contains("'10.0.0.0/99'"), "{troubles:?}");
    assert!(troubles[1].1.contains("'intern'") && troubles[1].1.contains("internal"), "{troubles:?}");
    assert_eq!(context.zone(address("10.1.1.1")), Some(Zone::Internal));
    let two = context.place(address("10.2.0.1"), None).asset.expect("an asset");
    assert_eq!(two.name.as_deref(), Some("Two"));
}

#[test]
fn an_empty_context_says_nothing() {
    assert!(context("", "").0.is_empty());
    assert!(context("# nothing\n\n", "network,name,owner\n").0.is_empty());
}
