//! IPv4 subnets: arithmetic, and the choice of one that the host does not use yet.
//!
//! Pure; where the host's routes come from is the caller's business.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network in its normal form: no bit set behind the prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Subnet {
    network: u32,
    prefix: u8,
}

/// A text that is not an IPv4 subnet.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not an IPv4 subnet such as 172.20.0.0/16")]
pub struct InvalidSubnet(pub String);

impl Subnet {
    /// Returns the network that `address` lies in; `None` for a prefix above 32.
    #[must_use]
    pub fn containing(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        (prefix <= 32).then(|| Self { network: u32::from(address) & mask(prefix), prefix })
    }

    /// Returns the length of the prefix in bits.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Returns the address with all host bits zero.
    #[must_use]
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network)
    }

    /// Returns the netmask as an address.
    #[must_use]
    pub fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from(mask(self.prefix))
    }

    /// Returns the address with all host bits one.
    #[must_use]
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network | !mask(self.prefix))
    }

    /// Returns the first usable address, where Docker puts the gateway.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network.saturating_add(1))
    }

    /// Says whether the address lies in this network.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == self.network
    }

    /// Says whether the two networks share an address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = mask(self.prefix.min(other.prefix));
        self.network & shorter == other.network & shorter
    }

    /// Returns the addresses that a container may get, in ascending order.
    pub fn hosts(self) -> impl Iterator<Item = Ipv4Addr> {
        (self.network.saturating_add(1)..u32::from(self.broadcast())).map(Ipv4Addr::from)
    }

    /// Returns all its addresses, in ascending order.
    pub fn all(self) -> impl Iterator<Item = Ipv4Addr> {
        (self.network..=u32::from(self.broadcast())).map(Ipv4Addr::from)
    }

    /// Says whether all of `other` lies in this network.
    #[must_use]
    pub fn holds(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.network())
    }

    /// Returns the first network of the pool that overlaps nothing in `used`.
    ///
    /// The pool begins as Docker's does (172.17.0.0/16 to 172.31.0.0/16) and goes on with
    /// the 10.x networks, so that a host with both tools and a large office network still finds one.
    #[must_use]
    pub fn first_free(used: &[Self]) -> Option<Self> {
        let docker = (17..32).map(|second| Ipv4Addr::new(172, second, 0, 0));
        let private = (0..=255).map(|second| Ipv4Addr::new(10, second, 0, 0));
        docker
            .chain(private)
            .map(|address| Self { network: u32::from(address), prefix: 16 })
            .find(|candidate| !used.iter().any(|other| candidate.overlaps(*other)))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let invalid = || InvalidSubnet(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let address = address.parse().map_err(|_| invalid())?;
        let prefix = prefix.parse().map_err(|_| invalid())?;
        Self::containing(address, prefix).ok_or_else(invalid)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

#[cfg(test)]
mod tests;
