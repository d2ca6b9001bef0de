//! `Fn::Cidr`: a block of addresses cut into smaller ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first `count` blocks with `host_bits` free bits each (default: 8 of IPv4, 64 of IPv6) in `block`.
pub(crate) fn split(block: &str, count: u32, host_bits: Option<u32>) -> Result<Vec<String>, String> {
    let wrong = || format!("'{block}' is not an address block such as 10.0.0.0/16");
    let (address, prefix) = block.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let prefix: u32 = prefix.parse().map_err(|_| wrong())?;
    let (first, width) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let host_bits = host_bits.unwrap_or(if width == 32 { 8 } else { 64 });
    if prefix > width {
        return Err(wrong());
    }
    if !(1..=256).contains(&count) {
        return Err(format!("the count is {count}"));
    }
    if host_bits == 0 || host_bits > width - prefix {
        return Err(format!("{host_bits} subnet bits do not fit into {block}"));
    }
    let room_bits = width - prefix - host_bits;
    if room_bits < 32 && u64::from(count) > 1 << room_bits {
        return Err(format!("{block} has no room for {count} blocks with {host_bits} subnet bits"));
    }
    // The part of the address under the prefix does not count; a prefix of 0 leaves nothing of it.
    let network = first.checked_shr(width - prefix).unwrap_or(0).checked_shl(width - prefix).unwrap_or(0);
    let step = 1u128.checked_shl(host_bits).unwrap_or(0);
    Ok((0..u128::from(count))
        .map(|index| {
            let address = network + index * step;
            let address = match u32::try_from(address) {
                Ok(short) if width == 32 => IpAddr::V4(Ipv4Addr::from(short)),
                Ok(_) | Err(_) => IpAddr::V6(Ipv6Addr::from(address)),
            };
            format!("{address}/{}", width - host_bits)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut() {
        for (block, count, bits, expected) in [
            ("10.0.0.0/16", 2, Some(8), Ok(vec!["10.0.0.0/24", "10.0.1.0/24"])),
            ("192.168.7.9/24", 3, Some(5), Ok(vec!["192.168.7.0/27", "192.168.7.32/27", "192.168.7.64/27"])),
            ("10.0.0.0/24", 1, None, Ok(vec!["10.0.0.0/24"])),
            ("fd00::/56", 2, Some(64), Ok(vec!["fd00::/64", "fd00:0:0:1::/64"])),
            ("0.0.0.0/0", 1, Some(32), Ok(vec!["0.0.0.0/0"])),
            ("::/0", 1, Some(128), Ok(vec!["::/0"])),
            ("10.0.0.0/24", 3, Some(7), Err("10.0.0.0/24 has no room for 3 blocks with 7 subnet bits")),
            ("10.0.0.0/24", 1, Some(9), Err("9 subnet bits do not fit into 10.0.0.0/24")),
            ("10.0.0.0/16", 257, Some(8), Err("the count is 257")),
            ("10.0.0.0/33", 1, Some(8), Err("'10.0.0.0/33' is not an address block such as 10.0.0.0/16")),
            ("ten", 1, Some(8), Err("'ten' is not an address block such as 10.0.0.0/16")),
        ] {
            let got = split(block, count, bits);
            let expected =
                expected.map(|blocks| blocks.into_iter().map(str::to_owned).collect()).map_err(str::to_owned);
            assert_eq!(got, expected, "{block}");
        }
    }
}
