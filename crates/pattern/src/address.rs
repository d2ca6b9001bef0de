//! Addresses of the Internet, as values and as ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::malformed::Why;

/// An address; version 4 and version 6 never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) is_v6: bool,
    pub(crate) bits: u128,
}

impl Address {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The longest address has 45 characters; most text is told apart by its first.
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_hexdigit() || byte == b':');
        if text.len() > 45 || !begins {
            return None;
        }
        match text.parse().ok()? {
            IpAddr::V4(address) => Some(address.into()),
            IpAddr::V6(address) => Some(address.into()),
        }
    }
}

impl From<Ipv4Addr> for Address {
    fn from(address: Ipv4Addr) -> Self {
        Self { is_v6: false, bits: u128::from(address.to_bits()) }
    }
}

impl From<Ipv6Addr> for Address {
    fn from(address: Ipv6Addr) -> Self {
        Self { is_v6: true, bits: address.to_bits() }
    }
}

/// From the address that the text names, which need not be a network's first, to the network's last; so AWS has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) is_v6: bool,
    pub(crate) first: u128,
    pub(crate) last: u128,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Result<Self, Why> {
        let (address, mask) = text.split_once('/').ok_or(Why::CidrSlash)?;
        if mask.contains('/') || mask.is_empty() || address.is_empty() && mask.is_empty() {
            return Err(Why::CidrSlash);
        }
        let mask: i32 = mask.parse().map_err(|_| Why::CidrMask)?;
        let mask = u32::try_from(mask).map_err(|_| Why::CidrMaskNegative)?;
        let address = Address::parse(address).ok_or_else(|| Why::CidrAddress(address.to_owned()))?;
        let (family, bits) = if address.is_v6 { ("IPv6", 128) } else { ("IPv4", 32) };
        if mask >= u32::from(bits) {
            return Err(Why::CidrMaskTooLong { family, bits });
        }
        let hosts = u128::MAX.checked_shr(128 - u32::from(bits) + mask).unwrap_or(0);
        Ok(Self { is_v6: address.is_v6, first: address.bits, last: address.bits | hosts })
    }

    pub(crate) fn contains(&self, address: Address) -> bool {
        self.is_v6 == address.is_v6 && (self.first..=self.last).contains(&address.bits)
    }
}
