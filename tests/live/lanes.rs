//! Several lanes on one interface find what one lane finds, also where the kernel parts the directions of connections.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{PATIENCE, Sensor, Wire, ip, path, requests};

/// The server inside the tunnel.
const INNER: &str = "10.79.0.2";
const CONNECTIONS: usize = 40;
const CALLS: usize = 3;

impl Wire {
    /// Lays a VXLAN tunnel over the cable; false where the kernel has none.
    fn tunnel(&self) -> bool {
        let lay = |namespace: &str, below: &str, local: &str, remote: &str, inner: &str| {
            let tunnel: [&[&str]; 3] = [
                &[
                    "-n", namespace, "link", "add", "vx0", "type", "vxlan", "id", "42", "local", local,
                    "remote", remote, "dstport", "4789", "dev", below,
                ],
                &["-n", namespace, "addr", "add", inner, "dev", "vx0"],
                &["-n", namespace, "link", "set", "vx0", "up"],
            ];
            tunnel.iter().all(|step| ip(step))
        };
        lay(&self.client, "veth0", "10.77.0.1", "10.77.0.2", "10.79.0.1/24")
            && lay(&self.server, "veth1", "10.77.0.2", "10.77.0.1", "10.79.0.2/24")
    }

    /// Every call of the client is a connection with a port of its own.
    fn talk_to(&self, address: &str) {
        for connection in 0..CONNECTIONS {
            let paths: Vec<String> = (0..CALLS).map(|call| format!("/talk/{connection}/{call}")).collect();
            assert!(self.get_from(address, &requests(&paths)));
        }
    }
}

/// What a sensor found of the talk.
struct Found {
    /// Path, status and pairing.
    rows: BTreeSet<(String, u64, String)>,
    uids: usize,
    events: usize,
    capture: Value,
}

impl Sensor {
    /// Reads until all of the talk came, and ends it.
    fn end_after_talk(self) -> Found {
        let is_talk = |event: &Value| path(event).starts_with("/talk/");
        let mut events: Vec<Value> = Vec::new();
        while events.iter().filter(|event| is_talk(event)).count() < CONNECTIONS * CALLS {
            match self.events.recv_timeout(PATIENCE) {
                Ok(event) => events.push(event),
                Err(_) => break,
            }
        }
        let (_, _, stderr) = self.interrupt();
        let report = stderr.get(stderr.find('{').unwrap_or(0)..).unwrap_or_default();
        let report: Value = serde_json::from_str(report).unwrap_or_else(|error| panic!("{error}: {report}"));
        let uids: BTreeSet<_> =
            events.iter().filter_map(|event| event.pointer("/metadata/uid")?.as_str()).collect();
        Found {
            rows: events.iter().filter(|event| is_talk(event)).map(row).collect(),
            uids: uids.len(),
            events: events.len(),
            capture: report["stages"]["capture"].clone(),
        }
    }
}

fn row(event: &Value) -> (String, u64, String) {
    let status = event.pointer("/http_response/code").and_then(Value::as_u64).unwrap_or(0);
    let pairing = event.pointer("/unmapped/seen/pairing").and_then(Value::as_str).unwrap_or("none");
    (path(event), status, pairing.to_owned())
}

impl Found {
    fn counted(&self, name: &str) -> u64 {
        self.capture[name].as_u64().unwrap_or_else(|| panic!("no {name}: {}", self.capture))
    }

    /// Packets that each lane decoded.
    fn lanes(&self) -> Vec<u64> {
        self.capture["lanes"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
    }

    fn is_all_of_the_talk(&self) {
        assert_eq!(self.rows.len(), CONNECTIONS * CALLS, "{}", self.capture);
        for row in &self.rows {
            assert_eq!((row.1, row.2.as_str()), (200, "certain"), "{row:?}: {}", self.capture);
        }
        assert_eq!(self.uids, self.events, "each once");
        assert_eq!(self.counted("lane_full"), 0);
    }
}

/// One lane and two hear the same talk with the server of this address.
fn hear(wire: &Wire, address: &str) -> (Found, Found) {
    let sensor = |lanes: &str| {
        let set = format!("capture.lanes={lanes}");
        let mut sensor = Sensor::start(wire, &["-i", "veth1", "--json", "--set", &set]);
        sensor.wait_until_it_listens(wire);
        sensor
    };
    let (one, two) = (sensor("1"), sensor("2"));
    wire.talk_to(address);
    (one.end_after_talk(), two.end_after_talk())
}

#[test]
fn the_kernel_keeps_plain_connections_whole_on_their_lanes() {
    let Some(mut wire) = Wire::lay("plain") else { return };
    wire.serve();
    let (one, two) = hear(&wire, super::SERVER);
    one.is_all_of_the_talk();
    two.is_all_of_the_talk();
    assert_eq!(one.lanes().len(), 1);
    let lanes = two.lanes();
    assert!(lanes.len() == 2 && lanes.iter().all(|packets| *packets > 0), "one lane is idle: {lanes:?}");
    assert_eq!(two.counted("handed_over"), 0, "no plain packet changes lanes");
}

#[test]
fn what_the_kernel_parts_in_a_tunnel_comes_together_on_one_lane() {
    let Some(mut wire) = Wire::lay("lanes") else { return };
    if !wire.tunnel() {
        tapwire_testkit::peers::skipped("this kernel has no VXLAN");
        return;
    }
    wire.serve();
    wire.serve_on(INNER);
    let (one, two) = hear(&wire, INNER);
    one.is_all_of_the_talk();
    two.is_all_of_the_talk();
    assert_eq!((one.counted("handed_over"), one.lanes().len()), (0, 1));
    assert!(
        two.counted("handed_over") > 0,
        "the kernel parted nothing, so nothing was shown: {}",
        two.capture
    );
    assert!(two.lanes().iter().all(|packets| *packets > 0), "one lane is idle: {}", two.capture);
}
