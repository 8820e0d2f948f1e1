//! Property 11: link layers, VLAN tags, tunnels and fragments change nothing.

use std::collections::BTreeSet;

use super::{Base, bases, fixture, for_each_base, scripted};
use tapwire_testkit::mutate::{self, Link, Route, Wrapping};
use tapwire_testkit::{Capture, Sending, sense};

/// Bytes of IP payload of a fragment: a usual MTU, and one that splits every head.
const SIZES: [usize; 2] = [1_480, 104];

fn through(base: &Base, route: &Route) -> bool {
    let Some(changed) = mutate::carry(&base.capture, route) else { return false };
    assert!(!changed.packets.is_empty(), "{}: {route:?}: nothing left", base.name);
    base.same(&format!("{route:?}"), &changed);
    true
}

#[test]
fn property_11_the_link_layer_changes_nothing() {
    for_each_base(|base| {
        for link in Link::ALL {
            base.same(&format!("{link:?}"), &mutate::encapsulate(&base.capture, link));
        }
    });
}

#[test]
fn property_11_the_wrapped_fixture_says_what_the_bare_one_says() {
    let base = Base::new("basic-rest".to_owned(), fixture("basic-rest"));
    base.same("wrapped by another program", &fixture("tunnels"));
    let uids = |name| sense(&fixture(name)).rows.iter().map(|row| row.uid).collect::<BTreeSet<_>>();
    assert_eq!(uids("tunnels"), uids("basic-rest"));
}

#[test]
fn what_the_kernel_wraps_is_seen_whole() {
    let sensed = sense(&fixture("vxlan"));
    assert!(sensed.wrong().is_empty() && sensed.rows.len() > 30);
    assert_eq!(sensed.certain().count(), sensed.rows.len());
}

#[test]
fn property_11_no_tunnel_changes_anything() {
    for_each_base(|base| {
        for wrapping in Wrapping::ALL {
            for outer_v6 in [false, true] {
                let route = Route { wrapping: Some(wrapping), outer_v6, ..Route::plain(Link::Ethernet) };
                assert!(through(base, &route));
            }
        }
    });
}

#[test]
fn property_11_no_fragments_change_anything() {
    for_each_base(|base| {
        for size in SIZES {
            let plain = Route::plain(Link::Ethernet);
            assert!(through(base, &Route { inner_fragments: Some(size), ..plain }));
            let tunnel = Route { wrapping: Some(Wrapping::Vxlan), ..plain };
            assert!(through(base, &Route { inner_fragments: Some(size), ..tunnel }));
            assert!(through(base, &Route { outer_fragments: Some(size), ..tunnel }));
        }
    });
}

/// Every tunnel in every link layer, over both versions of IP, with fragments outside, inside, and both.
#[test]
fn property_11_every_combination() {
    let small = Base::new("scripted".to_owned(), scripted(Sending::AfterAnswer, 12, 8));
    let mut combinations = 0;
    for base in [small, Base::new("ipv6".to_owned(), fixture("ipv6"))] {
        for wrapping in [None].into_iter().chain(Wrapping::ALL.map(Some)) {
            for link in Link::ALL {
                for outer_v6 in [false, true] {
                    for inner_fragments in [None, Some(200)] {
                        for outer_fragments in [None, Some(496)] {
                            let route = Route { inner_fragments, wrapping, outer_v6, outer_fragments, link };
                            combinations += usize::from(through(&base, &route));
                        }
                    }
                }
            }
        }
    }
    println!("{combinations} combinations");
    assert!(combinations > 3_000);
}

#[test]
fn fragments_are_all_accounted_for_when_some_are_lost_or_come_twice() {
    for base in bases().iter().filter(|base| !super::rolls(&base.name)) {
        let route = Route {
            inner_fragments: Some(96),
            wrapping: Some(Wrapping::GeneveVxlan),
            outer_fragments: Some(104),
            ..Route::plain(Link::Vlan(7))
        };
        let changed = mutate::carry(&base.capture, &route).expect("Ethernet carries everything");
        let every_hundredth = |(at, packet): (usize, &_)| (at % 100 != 99).then(|| Clone::clone(packet));
        let lossy: Capture = changed.packets.iter().enumerate().filter_map(every_hundredth).collect();
        let twice = mutate::duplicate(&changed, 0, 3);
        let permuted = mutate::permute(&changed, 3, 9);
        for (name, changed) in [("lossy", lossy), ("twice", twice), ("permuted", permuted)] {
            let sensed = sense(&changed);
            let fragments = sensed.fragments;
            assert!(fragments.conserved() && fragments.fragments > 0, "{} {name}: {fragments:?}", base.name);
            assert!(sensed.wrong().is_empty(), "{} {name}: {:?}", base.name, sensed.wrong());
        }
    }
}
