//! Conservation laws that every target holds the layers to.

use tapwire_protocol::{Anomalies, Anomaly, Counters};

/// Every stream byte is counted once, and every exchange is one of three kinds.
pub(crate) fn protocol(counters: &Counters, of_flow: u64) {
    let fates = counters.head_bytes
        + counters.body_bytes
        + counters.framing_bytes
        + counters.blank_bytes
        + counters.tunnel_bytes
        + counters.lost_bytes
        + counters.opaque_bytes;
    assert_eq!(counters.bytes_in, fates, "in = heads + bodies + … {counters:?}");
    assert_eq!(counters.bytes_in, of_flow, "what flow delivers, protocol takes");
    assert_eq!(counters.bytes_in, counters.flow_bytes.iter().sum::<u64>(), "by kind {counters:?}");
    let kinds = counters.paired + counters.requests_alone + counters.responses_alone + counters.children;
    assert_eq!(counters.exchanges, kinds, "{counters:?}");
    assert!(counters.uncertain <= counters.exchanges, "{counters:?}");
}

/// The same for the flow table when it has been finished.
pub(crate) fn flow(counters: &tapwire_flow::Counters) {
    assert!(counters.conserved(), "{counters:?}");
    let closed: u64 = counters.flow_fates().iter().map(|(_, count)| count).sum();
    assert_eq!(counters.flows_opened, closed, "{counters:?}");
    assert_eq!((counters.held_bytes, counters.out_of_order_memory, counters.memory), (0, 0, 0));
}

/// Anomalies by name, but for that of heads in tiny pieces, which is one of splits.
pub(crate) fn anomalies(anomalies: Anomalies) -> Vec<Anomaly> {
    let kept = |anomaly: &Anomaly| anomalies.contains(*anomaly) && *anomaly != Anomaly::TinySegments;
    Anomaly::ALL.iter().copied().filter(kept).collect()
}
