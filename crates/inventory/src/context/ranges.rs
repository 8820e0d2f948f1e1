//! Networks as sorted ranges: the most specific one that holds an address, by one search.

use std::net::IpAddr;

/// An IP network such as `10.0.0.0/8`; an address alone is a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// Both families in one space: IPv4 as RFC 4291, 2.5.5.2 maps it.
    first: u128,
    last: u128,
}

impl Network {
    /// The network that such text names; bits behind the prefix count for nothing.
    ///
    /// # Errors
    /// What is wrong with it, in words for who wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let wrong = || format!("'{text}' is no network; write it like 10.0.0.0/8 or 2001:db8::/32");
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (bits, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let length = match length {
            Some(length) => length.parse::<u32>().ok().filter(|length| *length <= bits).ok_or_else(wrong)?,
            None => bits,
        };
        let host = u128::MAX.checked_shr(before + length).unwrap_or(0);
        let number = number(address);
        Ok(Self { first: number & !host, last: number | host })
    }

    /// Whether it holds that address.
    pub fn contains(&self, address: IpAddr) -> bool {
        (self.first..=self.last).contains(&number(address))
    }
}

/// An address in the space of both families.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Values by network.
#[derive(Debug, Clone)]
pub struct Ranges<T> {
    /// Where each stretch begins, with the value of the most specific network that holds it.
    stretches: Vec<(u128, Option<T>)>,
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self { stretches: Vec::new() }
    }
}

impl<T: Copy> Ranges<T> {
    /// Of networks that may lie in one another; of two that are equal the last counts.
    pub fn new(networks: impl IntoIterator<Item = (Network, T)>) -> Self {
        let mut sorted: Vec<(Network, T)> = networks.into_iter().collect();
        // Wide ones before what lies in them.
        sorted.sort_by_key(|(network, _)| (network.first, std::cmp::Reverse(network.last)));
        let mut ranges = Self::default();
        let mut open: Vec<(u128, T)> = Vec::new();
        for (network, value) in sorted {
            ranges.close(&mut open, Some(network.first));
            ranges.begin(network.first, Some(value));
            open.push((network.last, value));
        }
        ranges.close(&mut open, None);
        ranges
    }

    /// Ends the open networks that end before `until`: what is around them goes on.
    fn close(&mut self, open: &mut Vec<(u128, T)>, until: Option<u128>) {
        while let Some(&(last, _)) = open.last().filter(|(last, _)| until.is_none_or(|until| *last < until)) {
            open.pop();
            if let Some(next) = last.checked_add(1) {
                self.begin(next, open.last().map(|(_, value)| *value));
            }
        }
    }

    fn begin(&mut self, at: u128, value: Option<T>) {
        match self.stretches.last_mut() {
            Some(last) if last.0 == at => last.1 = value,
            _ => self.stretches.push((at, value)),
        }
    }

    /// The value of the most specific network that holds the address.
    pub fn get(&self, address: IpAddr) -> Option<T> {
        let number = number(address);
        let after = self.stretches.partition_point(|(first, _)| *first <= number);
        self.stretches.get(after.checked_sub(1)?)?.1
    }

    /// Whether no network was given.
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    #[test]
    fn the_most_specific_network_counts() {
        let ranges = Ranges::new([
            (network("10.0.0.0/8"), 1),
            (network("10.1.0.0/16"), 2),
            (network("10.1.2.3"), 3),
            (network("2001:db8::/32"), 4),
            (network("0.0.0.0/0"), 5),
        ]);
        for (address, wanted) in [
            ("10.0.0.1", Some(1)),
            ("10.1.9.9", Some(2)),
            ("10.1.2.3", Some(3)),
            ("10.1.2.4", Some(2)),
            ("10.2.0.0", Some(1)),
            ("11.0.0.0", Some(5)),
            ("255.255.255.255", Some(5)),
            ("2001:db8::9", Some(4)),
            ("2001:db9::", None),
            ("::1", None),
        ] {
            assert_eq!(ranges.get(address.parse().unwrap()), wanted, "{address}");
        }
    }

    #[test]
    fn what_is_no_network_is_said() {
        for text in ["10.0.0.0/33", "10.0.0/8", "", "shop", "2001:db8::/129", "10.0.0.0/-1"] {
            let error = Network::parse(text).unwrap_err();
            assert!(error.contains(&format!("'{text}'")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_search_finds_what_looking_at_all_finds(
            networks in prop::collection::vec((0_u32..64, 24_u32..=32), 0..12),
            address in 0_u32..80,
        ) {
            let of = |number: u32| IpAddr::V4(number.into());
            let networks: Vec<Network> = networks
                .iter()
                .map(|(first, length)| network(&format!("{}/{length}", of(*first))))
                .collect();
            let ranges = Ranges::new(networks.iter().copied().zip(0..));
            let holding = networks.iter().zip(0..).filter(|(network, _)| network.contains(of(address)));
            let best = holding.max_by_key(|(network, index)| (u128::MAX - (network.last - network.first), *index));
            prop_assert_eq!(ranges.get(of(address)), best.map(|(_, index)| index));
        }
    }
}
