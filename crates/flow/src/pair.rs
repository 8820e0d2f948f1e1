//! Two of a kind, one for each side of a connection.

use tapwire_wire::Side;

/// One value a side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pair<V> {
    lower: V,
    upper: V,
}

impl<V> Pair<V> {
    pub(crate) const fn get(&self, side: Side) -> &V {
        match side {
            Side::Lower => &self.lower,
            Side::Upper => &self.upper,
        }
    }

    pub(crate) const fn get_mut(&mut self, side: Side) -> &mut V {
        match side {
            Side::Lower => &mut self.lower,
            Side::Upper => &mut self.upper,
        }
    }

    /// The value of that side to change, and that of its peer.
    pub(crate) const fn split(&mut self, side: Side) -> (&mut V, &V) {
        match side {
            Side::Lower => (&mut self.lower, &self.upper),
            Side::Upper => (&mut self.upper, &self.lower),
        }
    }
}
