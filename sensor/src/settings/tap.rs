//! What belongs to a tap.

use serde::{Deserialize, Serialize};

/// `[capture]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Capture {
    /// Capture threads; more than one where one core does not keep up. More than one keep no packets, and do not follow an
    /// interface that is made anew.
    pub(crate) lanes: usize,
    /// Ring between kernel and sensor, for each interface and lane.
    pub(crate) ring: String,
    /// The user to become after interfaces are open.
    pub(crate) user: String,
}

impl Default for Capture {
    fn default() -> Self {
        Self { lanes: 1, ring: "64MiB".into(), user: "nobody".into() }
    }
}

/// `[heartbeat]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Heartbeat {
    /// Seconds between two `sensor.heartbeat` of a tap; 0: none.
    pub(crate) every: u32,
    /// Seconds without a packet after which a tap says `sensor.silent`; 0: never.
    pub(crate) silent_after: u32,
    /// Seconds in which a service's traffic must have been steady before `service.silent` judges it; 0: it judges none.
    pub(crate) service_window: u32,
    /// Exchanges in every 15th of that window that make it steady.
    pub(crate) service_least: u32,
    /// Seconds without an exchange after which a service is silent, at the least: five of its longest pauses count, too.
    pub(crate) service_after: u32,
}

impl Default for Heartbeat {
    fn default() -> Self {
        let tapwire_inventory::Silence { window, least, after } = tapwire_inventory::Silence::USUAL;
        Self {
            every: 60,
            silent_after: 300,
            service_window: window,
            service_least: least,
            service_after: after,
        }
    }
}

impl Heartbeat {
    pub(crate) fn pulse(&self) -> tapwire_pipeline::Heartbeat {
        let seconds = |seconds: u32| std::time::Duration::from_secs(seconds.into());
        tapwire_pipeline::Heartbeat { every: seconds(self.every), silent_after: seconds(self.silent_after) }
    }

    pub(crate) const fn silence(&self) -> tapwire_inventory::Silence {
        tapwire_inventory::Silence {
            window: self.service_window,
            least: self.service_least,
            after: self.service_after,
        }
    }
}
