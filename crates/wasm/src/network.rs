//! Whom a guest may talk to.
//!
//! A rule names a host as the guest writes it. Where it leads is looked at again when its name is resolved: a name that matched a
//! pattern must not lead to this machine or its link (there are other services, and clouds keep their keys at 169.254.169.254), unless a
//! rule names that very host. Whoever knows better which addresses those are says so with [`Network::World`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Whom a guest may talk to.
#[derive(Clone, Debug, Default)]
pub enum Network {
    /// Nobody.
    #[default]
    None,
    /// These, by outgoing HTTP.
    Http {
        /// One that matches is enough.
        hosts: Vec<HostRule>,
    },
    /// Everybody at an address that is allowed, by outgoing HTTP.
    World {
        /// These wherever they lead; a pattern is held to allowed addresses as well.
        besides: Vec<HostRule>,
        /// Asked for each address that a connection is to be made to. Must not block for long.
        allow: fn(SocketAddr) -> bool,
    },
}

/// Hosts that may be asked: `api.example.com`, `*.example.com`, `*`, `10.0.0.7`, `localhost:4566`; without a port, any port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRule {
    host: Pattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Any,
    /// With the dot that it begins with.
    Below(String),
    Exactly(String),
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{rule}' names no host: write example.com, *.example.com, *, or any of them with :PORT")]
pub struct HostRuleError {
    rule: String,
}

/// What came of a question.
#[derive(Clone, Copy)]
pub(crate) enum Leave {
    /// Wherever it leads.
    Anywhere,
    /// If it leads to an address that is allowed.
    If(fn(SocketAddr) -> bool),
    /// No.
    None,
}

impl Network {
    /// Whether a guest may ask `host` (as in a URL: IPv6 in brackets) at `port`.
    pub(crate) fn leave(&self, host: &str, port: u16) -> Leave {
        let (hosts, otherwise) = match self {
            Self::None => return Leave::None,
            Self::Http { hosts } => (hosts, Leave::None),
            Self::World { besides, allow } => (besides, Leave::If(*allow)),
        };
        let host = plain(host);
        let mut leave = otherwise;
        for rule in hosts.iter().filter(|rule| rule.port.is_none_or(|of_rule| of_rule == port)) {
            match &rule.host {
                Pattern::Exactly(name) if *name == host => return Leave::Anywhere,
                Pattern::Any => leave = leave.or_elsewhere(),
                Pattern::Below(end) if host.len() > end.len() && host.ends_with(end) => leave = leave.or_elsewhere(),
                Pattern::Exactly(_) | Pattern::Below(_) => {}
            }
        }
        leave
    }
}

impl Leave {
    /// Whether a connection to this address is allowed.
    pub(crate) fn covers(self, address: SocketAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::If(allow) => allow(address),
            Self::None => false,
        }
    }

    /// What a pattern that matches adds.
    fn or_elsewhere(self) -> Self {
        match self {
            Self::None => Self::If(|address| !is_near(address.ip())),
            Self::Anywhere | Self::If(_) => self,
        }
    }
}

impl fmt::Debug for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anywhere => "Anywhere",
            Self::If(_) => "If",
            Self::None => "None",
        })
    }
}

/// This machine, its link, or nobody in particular.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_near_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => is_near_v4(v4),
            None => v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local(),
        },
    }
}

fn is_near_v4(address: Ipv4Addr) -> bool {
    let this_network = address.octets()[0] == 0;
    address.is_loopback() || this_network || address.is_link_local() || address.is_multicast() || address.is_broadcast()
}

/// Addresses that lead to an IPv4 host: mapped, compatible and translated (64:ff9b::/96) ones.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let is_compatible = [a, b, c, d, e, f] == [0; 6] && high != 0;
    let is_mapped = [a, b, c, d, e, f] == [0, 0, 0, 0, 0, 0xffff];
    let is_translated = [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0];
    let [h1, h2] = high.to_be_bytes();
    let [l1, l2] = low.to_be_bytes();
    (is_compatible || is_mapped || is_translated).then(|| Ipv4Addr::new(h1, h2, l1, l2))
}

/// One way to write a host: lower case, no brackets, no dot at its end.
fn plain(host: &str) -> String {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(rule: &str) -> Result<Self, HostRuleError> {
        let wrong = || HostRuleError { rule: rule.to_owned() };
        let (host, port) = split_port(rule).ok_or_else(wrong)?;
        let host = match host.strip_prefix("*.") {
            _ if host == "*" => Pattern::Any,
            Some(name) if is_name(name) => Pattern::Below(format!(".{}", plain(name))),
            None if is_name(host) || plain(host).parse::<IpAddr>().is_ok() => Pattern::Exactly(plain(host)),
            Some(_) | None => return Err(wrong()),
        };
        Ok(Self { host, port })
    }
}

/// `host:port`, `[v6]:port`, `host`, `v6`.
fn split_port(rule: &str) -> Option<(&str, Option<u16>)> {
    if rule.parse::<IpAddr>().is_ok() {
        return Some((rule, None));
    }
    match rule.rsplit_once(':') {
        Some((_, port)) if port.ends_with(']') => Some((rule, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((rule, None)),
    }
}

fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(of_a_name)
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    host.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(rules: &str) -> Network {
        Network::Http { hosts: rules.split_whitespace().map(|rule| rule.parse().unwrap()).collect() }
    }

    #[test]
    fn rules_are_read_and_refused() {
        let check = |rule: &str, expected: bool| assert_eq!(rule.parse::<HostRule>().is_ok(), expected, "{rule}");
        for rule in [
            "example.com",
            "Example.COM.",
            "*.example.com",
            "*",
            "*:443",
            "10.0.0.7",
            "10.0.0.7:80",
            "::1",
            "[::1]",
            "[::1]:80",
            "localhost:4566",
            "a_b.example",
        ] {
            check(rule, true);
        }
        for rule in [
            "",
            ":80",
            "example.com:",
            "example.com:70000",
            "a..b",
            "*example.com",
            "*.*.com",
            "http://example.com",
            "a b",
            "*.",
            "example.com/x",
            "[::1",
            "a,b",
        ] {
            check(rule, false);
        }
    }

    #[test]
    fn hosts_match_as_they_are_written() {
        let check = |rules: &str, host: &str, port: u16, expected: &str| {
            assert_eq!(format!("{:?}", network(rules).leave(host, port)), expected, "{rules}: {host}:{port}");
        };
        check("example.com", "example.com", 80, "Anywhere");
        check("example.com", "EXAMPLE.com.", 8080, "Anywhere");
        check("example.com", "www.example.com", 80, "None");
        check("example.com:80", "example.com", 81, "None");
        check("*.example.com", "www.example.com", 80, "If");
        check("*.example.com", "a.b.example.com", 80, "If");
        check("*.example.com", "example.com", 80, "None");
        check("*.example.com", ".example.com", 80, "None");
        check("*.example.com", "badexample.com", 80, "None");
        check("*", "anything", 1, "If");
        check("* localhost:80", "localhost", 80, "Anywhere");
        check("* localhost:80", "localhost", 81, "If");
        check("::1", "[::1]", 80, "Anywhere");
        check("[0:0::1]:80", "[::1]", 80, "Anywhere");
        assert!(matches!(Network::None.leave("example.com", 80), Leave::None));
    }

    #[test]
    fn the_world_is_as_large_as_it_is_said_to_be() {
        let besides = vec!["localhost:4566".parse().unwrap()];
        let world = Network::World { besides, allow: |to| to.port() == 443 };
        let check = |host: &str, port: u16, address: &str, expected: bool| {
            assert_eq!(world.leave(host, port).covers(address.parse().unwrap()), expected, "{host}:{port}");
        };
        check("example.com", 443, "127.0.0.1:443", true);
        check("example.com", 80, "93.184.216.34:80", false);
        check("localhost", 4566, "127.0.0.1:4566", true);
        check("localhost", 4567, "127.0.0.1:4567", false);
    }

    #[test]
    fn patterns_do_not_lead_home() {
        let check = |address: &str, expected: bool| {
            let to = SocketAddr::new(address.parse().unwrap(), 80);
            assert_eq!(Leave::None.or_elsewhere().covers(to), expected, "{address}");
            assert!(Leave::Anywhere.covers(to));
            assert!(!Leave::None.covers(to));
        };
        for near in [
            "127.0.0.1",
            "127.8.9.1",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "::127.0.0.1",
        ] {
            check(near, false);
        }
        for far in ["93.184.216.34", "10.0.0.1", "192.168.1.1", "2606:2800:220:1::1", "::ffff:10.0.0.1", "fd00::1"] {
            check(far, true);
        }
    }
}
