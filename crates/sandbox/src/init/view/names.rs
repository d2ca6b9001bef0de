//! How a guest in a network of its own finds names: it asks the node, and knows who it is itself.

use std::fs;

use crate::init::network::OWN4;

/// What is in the guest's files.
pub(super) struct Names {
    /// `/etc/resolv.conf`.
    pub(super) resolver: String,
    /// `/etc/hosts`.
    pub(super) hosts: String,
}

/// Made from what the host has. Call it before the host's root is gone.
pub(super) fn of_guest() -> Names {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    Names { resolver: resolver(&read("/etc/resolv.conf")), hosts: hosts(&read("/etc/hosts")) }
}

/// The node is the name server; how names are completed is as on the host.
fn resolver(host: &str) -> String {
    let kept = host.lines().filter(|line| {
        let word = line.split_whitespace().next().unwrap_or_default();
        matches!(word, "search" | "domain" | "options")
    });
    std::iter::once(format!("nameserver {OWN4}")).chain(kept.map(str::to_owned)).fold(String::new(), add_line)
}

/// The host's own names for itself are not the guest's; all others are.
fn hosts(host: &str) -> String {
    let kept = host.lines().filter(|line| {
        let address = line.split_whitespace().next().and_then(|word| word.parse::<std::net::IpAddr>().ok());
        address.is_some_and(|address| !address.is_loopback())
    });
    ["127.0.0.1 localhost sandbox", "::1 localhost ip6-localhost"]
        .into_iter()
        .chain(kept)
        .map(str::to_owned)
        .fold(String::new(), add_line)
}

fn add_line(text: String, line: String) -> String {
    text + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_how_names_are_completed_is_taken() {
        let host = "# made by\nnameserver 127.0.0.53\nsearch corp.example\noptions edns0 trust-ad\nsortlist x\n";
        assert_eq!(resolver(host), "nameserver 169.254.76.1\nsearch corp.example\noptions edns0 trust-ad\n");
    }

    #[test]
    fn others_are_known_by_the_hosts_names() {
        let host =
            "127.0.0.1 localhost\n127.0.1.1 box\n::1 ip6-localhost\n# x\n10.0.0.7 db.corp\nff02::1 ip6-allnodes\n";
        let own = "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost\n";
        assert_eq!(hosts(host), format!("{own}10.0.0.7 db.corp\nff02::1 ip6-allnodes\n"));
    }
}
