//! Who tries ports that are closed.

use crate::detector::{Case, Detector, DetectorInfo, Nature, Needs, Scope, StateKind};
use crate::tally::{Steps, Stretch, span, times};
use crate::{Finding, Outcome, Severity};
use tapwire_inventory::{Knocks, Ports};

pub(super) const INFO: DetectorInfo = DetectorInfo {
    name: "port-scan",
    title: "Ports are tried that are closed (port scan, reconnaissance)",
    summary: "From one address fifteen different ports and more were asked for a connection that refuse it or do not answer, or forty servers and \
              more, and at most a quarter as many ports or servers answer that address: it looks for what there is. What answered it before does not count when it is down, and the same port \
              asked again counts once, as health checks and clients ask that try again.",
    owasp: "API9:2023 Improper Inventory Management",
    cwe: "CWE-200",
    attack: ("T1046", "Network Service Discovery"),
    severity: "Low",
    scope: Scope::Address,
    warm_up: "none: 15 closed ports or 40 servers, without an hour in between",
    next_steps: &[
        "Look what the address did afterwards: the incident has its other findings.",
        "Close ports that answered and that nobody needs.",
    ],
    unjudged: "no request was seen",
    needs: Needs::NOTHING,
    nature: Nature { hears_knocks: true, ..Nature::USUAL },
    judges: |_| true,
    concerns: |call| matches!(call.knocks, Some(Knocks::Scan { .. })),
    state: StateKind::of::<PortScan>(),
};

const PORTS: u32 = 15;
/// More than ports: who looks after many servers meets many that are down.
const SERVERS: u32 = 40;
/// Ports or servers that answer, of so many that do not.
const OF: u32 = 4;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct PortScan {
    ports: Steps,
    servers: Steps,
    stretch: Stretch,
}

impl Detector for PortScan {
    fn judge(&mut self, case: &Case<'_>, out: &mut Vec<Finding>) {
        let Some(Knocks::Scan { closed, open, seconds }) = case.call.knocks else { return };
        if self.stretch.begins(case.call.observation.exchange.started(), 3_600, 86_400) {
            *self = Self { stretch: self.stretch, ..Self::default() };
        }
        let ports = closed.ports >= PORTS && closed.ports >= OF * open.ports;
        let servers = closed.servers >= SERVERS && closed.servers >= OF * open.servers;
        let tells = ports && self.ports.reaches(closed.ports.into(), PORTS.into())
            || servers && self.servers.reaches(closed.servers.into(), SERVERS.into());
        if tells {
            let reason = format!(
                "{} that refuse connections or do not answer were tried from one address within {} (port scan); {} answered.",
                words(closed),
                span(seconds),
                times(open.ports.into(), "port"),
            );
            let about = [u8::from(ports), u8::from(servers)];
            out.push(case.finding(&about, Severity::Low, Outcome::Attempted, 75, reason));
        }
    }
}

/// "20 different ports of 1 server"; what is counted in bits is told as that when it may be more.
fn words(closed: Ports) -> String {
    let few = closed.ports.max(closed.servers) < 200;
    let ports = times(closed.ports.into(), "different port");
    format!("{}{ports} of {}", if few { "" } else { "At least " }, times(closed.servers.into(), "server"))
}
