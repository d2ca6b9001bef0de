//! Whom a guest may reach: everybody but the machine that it runs on, and those who serve that machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Which addresses outside a guest may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Reachable though they would be refused: an address of the node's own on which it serves the public, say.
    pub allowed: Vec<SocketAddr>,
}

/// Clouds tell machines their secrets at these addresses, and what is link-local.
const METADATA: [IpAddr; 4] = [
    // Azure, Alibaba
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // AWS, Google
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

impl Rules {
    /// True if a guest may reach it.
    pub fn allow(&self, to: SocketAddr) -> bool {
        let plain = plain(to.ip());
        self.allowed.contains(&to) || !(is_special(plain) || is_own(plain) || is_own(to.ip()))
    }
}

/// An older address that is written as a newer one is still the older one.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    // 64:ff9b::/96, by which networks without the older kind reach it.
    let translated = six.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    match six.to_ipv4_mapped() {
        Some(four) => four.into(),
        None if translated => Ipv4Addr::from(six.to_bits() as u32).into(),
        None => address,
    }
}

/// Addresses that mean something else on each machine.
fn is_special(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(four) => {
            four.is_loopback()
                || four.is_link_local()
                || four.is_multicast()
                || four.is_broadcast()
                // "This network": on Linux, the machine itself.
                || four.octets()[0] == 0
        }
        IpAddr::V6(six) => {
            six.is_loopback()
                || six.is_unspecified()
                || six.is_multicast()
                || six.is_unicast_link_local()
                // The deprecated compatible form, and what some stacks take for the older kind.
                || six.segments()[..6] == [0; 6]
        }
    };
    special || METADATA.contains(&address)
}

/// True if it is one of this machine's own addresses: then the kernel would answer from that address itself. What the kernel does not
/// tell, because it has no descriptor or no port left, is taken as one.
fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = || {
        let socket = UdpSocket::bind((any, 0))?;
        // Sends nothing; any port will do.
        socket.connect((address, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    source().map_or_else(|error| !leads_nowhere(&error), |source| source == address)
}

/// True if no way leads there: to the machine itself there always is one.
fn leads_nowhere(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let nowhere = [
        Errno::NETUNREACH,
        Errno::HOSTUNREACH,
        Errno::NETDOWN,
        Errno::ADDRNOTAVAIL,
        Errno::AFNOSUPPORT,
        // A rule of the machine's own against that address.
        Errno::ACCESS,
        Errno::PERM,
    ];
    error.raw_os_error().is_some_and(|number| nowhere.iter().any(|errno| errno.raw_os_error() == number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_is_open_and_the_machine_is_not() {
        let rules = Rules::default();
        for (address, expected) in [
            ("1.1.1.1:443", true),
            ("10.1.2.3:5432", true),
            ("[2001:4860:4860::8888]:443", true),
            ("127.0.0.1:4566", false),
            ("127.9.9.9:80", false),
            ("0.0.0.0:80", false),
            ("0.1.2.3:80", false),
            ("169.254.169.254:80", false),
            ("169.254.170.2:80", false),
            ("168.63.129.16:80", false),
            ("100.100.100.200:80", false),
            ("224.0.0.1:5353", false),
            ("255.255.255.255:9", false),
            ("[::1]:80", false),
            ("[::]:80", false),
            ("[::127.0.0.1]:80", false),
            ("[::ffff:127.0.0.1]:80", false),
            ("[::ffff:169.254.169.254]:80", false),
            ("[64:ff9b::169.254.169.254]:80", false),
            ("[64:ff9b::1.1.1.1]:80", true),
            ("[fe80::1]:80", false),
            ("[ff02::1]:80", false),
            ("[fd00:ec2::254]:80", false),
        ] {
            assert_eq!(rules.allow(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn what_is_allowed_by_name_is_reached() {
        let rules = Rules { allowed: vec!["127.0.0.1:8080".parse().unwrap()] };
        assert!(rules.allow("127.0.0.1:8080".parse().unwrap()));
        assert!(!rules.allow("127.0.0.1:8081".parse().unwrap()));
    }

    #[test]
    fn the_machines_own_address_has_no_other_form() {
        // Asks for a route; nothing is sent.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let Ok(IpAddr::V4(own)) =
            socket.connect("198.41.0.4:53").and_then(|()| socket.local_addr()).map(|own| own.ip())
        else {
            return println!("skipped: this machine has no network");
        };
        let [a, b, c, d] = own.octets();
        for form in [
            IpAddr::V4(own),
            IpAddr::V6(own.to_ipv6_mapped()),
            // By way of a translator, which would send it back here.
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])).into(),
        ] {
            assert!(!Rules::default().allow((form, 80).into()), "{form}");
        }
    }

    #[test]
    fn own_addresses_are_known() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("198.51.100.7".parse().unwrap()));
    }
}
