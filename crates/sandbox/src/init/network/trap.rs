//! The trap for what a guest sends to the outside world. See the parent.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt::set_ipv6_v6only;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, netlink::NETFILTER, socket_with};

use super::netlink::{APPEND, Batch, CREATE, Message};
use super::{Failure, Step};
use crate::message::WaysOut;
use crate::sys;

/// The guest's own addresses: link-local and unique-local, so that they hide nobody whom a guest may want to reach. The first is also
/// where it finds a name server.
pub(crate) const OWN4: Ipv4Addr = Ipv4Addr::new(169, 254, 76, 1);
const OWN6: Ipv6Addr = Ipv6Addr::new(0xfd76, 0x6672, 0x6565, 0, 0, 0, 0, 1);
/// Where names are asked for.
pub(crate) const DNS: u16 = 53;
/// The trap's own port: one that no guest can listen on.
const PORT: u16 = 1;
/// As many connections as can wait to be accepted.
const BACKLOG: i32 = 256;
/// The number of the loopback in every network.
const LOOPBACK: u32 = 1;

/// Sets it. The sockets are, in this order: names by datagram and by connection, then datagrams and connections for each way out.
pub(super) fn set(ways: WaysOut) -> Result<Vec<OwnedFd>, Failure> {
    route(ways).step("routing the world to the loopback")?;
    let families: Vec<Family> =
        [ways.four.then_some(Family::Four), ways.six.then_some(Family::Six)].into_iter().flatten().collect();
    redirect(&families).step("setting the trap")?;
    let names = SocketAddr::from((OWN4, DNS));
    let datagrams = UdpSocket::bind(names).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    let connections = TcpListener::bind(names).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    let mut sockets: Vec<OwnedFd> =
        vec![datagrams.step("listening for names")?.into(), connections.step("listening for names")?.into()];
    for family in families {
        sockets.push(family.socket(SocketType::DGRAM).step("listening for datagrams")?);
        sockets.push(family.socket(SocketType::STREAM).step("listening for connections")?);
    }
    Ok(sockets)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Four,
    Six,
}

impl Family {
    /// `AF_…`, which is also the packet filter's number.
    fn number(self) -> u8 {
        match self {
            Self::Four => libc::AF_INET as u8,
            Self::Six => libc::AF_INET6 as u8,
        }
    }

    /// A socket that takes what is sent to anybody.
    fn socket(self, kind: SocketType) -> io::Result<OwnedFd> {
        let (family, anybody) = match self {
            Self::Four => (AddressFamily::INET, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Self::Six => (AddressFamily::INET6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        };
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        if self == Self::Six {
            set_ipv6_v6only(&socket, true)?;
        }
        sys::set_transparent(socket.as_fd(), self == Self::Six)?;
        bind(&socket, &SocketAddr::new(anybody, PORT))?;
        if kind == SocketType::STREAM {
            listen(&socket, BACKLOG)?;
        } else {
            sys::tell_destinations(socket.as_fd(), self == Self::Six)?;
        }
        Ok(socket)
    }
}

/// Gives the guest an address and makes every other one local.
fn route(ways: WaysOut) -> io::Result<()> {
    const NEW_ADDRESS: u16 = 20;
    const NEW_ROUTE: u16 = 24;
    // Attributes of addresses, then of routes.
    const LOCAL: u16 = 2;
    const OUT: u16 = 4;
    const SOURCE: u16 = 7;
    /// Nobody else could have it, so nobody is asked first.
    const AT_ONCE: u8 = 2;
    /// The table of what is local, who made the entry, how far it goes, that it is local.
    const TABLE: [u8; 4] = [255, 4, 254, 2];
    let mut batch = Batch::default();
    // Names are asked for over the older family even where the host knows no way out by it.
    for (family, own, is_way) in
        [(Family::Four, OWN4.octets().to_vec(), ways.four), (Family::Six, OWN6.octets().to_vec(), ways.six)]
    {
        let number = family.number();
        if is_way || family == Family::Four {
            let address = [&[number, own.len() as u8 * 8, AT_ONCE, 254][..], &LOOPBACK.to_ne_bytes()].concat();
            drop(batch.message(NEW_ADDRESS, CREATE, &address).attribute(LOCAL, &own));
        }
        if is_way {
            let [table, protocol, scope, kind] = TABLE;
            let route = [number, 0, 0, 0, table, protocol, scope, kind, 0, 0, 0, 0];
            let message = batch.message(NEW_ROUTE, CREATE, &route).attribute(OUT, &LOOPBACK.to_ne_bytes());
            drop(message.attribute(SOURCE, &own));
        }
    }
    // Protocol zero is that of routes.
    batch.send(None)
}

/// The numbers of `nf_tables.h`.
mod nft {
    pub const SUBSYSTEM: u16 = 10 << 8;
    pub const BATCH_BEGIN: u16 = 16;
    pub const BATCH_END: u16 = 17;
    pub const NEW_TABLE: u16 = SUBSYSTEM;
    pub const NEW_CHAIN: u16 = SUBSYSTEM | 3;
    pub const NEW_RULE: u16 = SUBSYSTEM | 6;
    /// The first register, of 16 bytes.
    pub const REGISTER: u32 = 1;
    /// The name of the table and of the chain.
    pub const NAME: &str = "freehold";
}

/// Hands every packet that comes in over the loopback and is for somebody else to the trap's sockets.
fn redirect(families: &[Family]) -> io::Result<()> {
    let head = |family: u8| [family, 0, 0, 0];
    // The subsystem again, in the network's byte order.
    let subsystem = [0, 0, 0, 10];
    let mut batch = Batch::default();
    batch.mark(nft::BATCH_BEGIN, &subsystem);
    for family in families {
        let head = head(family.number());
        drop(batch.message(nft::NEW_TABLE, CREATE, &head).name(1, nft::NAME));
        let chain = batch.message(nft::NEW_CHAIN, CREATE, &head).name(1, nft::NAME).name(3, nft::NAME);
        // Before routing, where packets are changed.
        drop(chain.nested(4, |hook| hook.number(1, 0).number(2, (-150i32) as u32)).name(7, "filter"));
        let rule = batch.message(nft::NEW_RULE, CREATE | APPEND, &head).name(1, nft::NAME).name(2, nft::NAME);
        drop(rule.nested(4, |rule| family.rule(rule)));
    }
    batch.mark(nft::BATCH_END, &subsystem);
    batch.send(Some(NETFILTER))
}

impl Family {
    /// Not to the loopback, not to the guest's own address: to the trap.
    fn rule(self, rule: Message<'_>) -> Message<'_> {
        /// Where the destination lies in a packet's head.
        const DESTINATION4: u32 = 16;
        const DESTINATION6: u32 = 24;
        let rule = match self {
            Self::Four => not_to(not_to(rule, DESTINATION4, &[127]), DESTINATION4, &OWN4.octets()),
            Self::Six => {
                let rule = not_to(rule, DESTINATION6, &Ipv6Addr::LOCALHOST.octets());
                not_to(rule, DESTINATION6, &OWN6.octets())
            }
        };
        let rule = expression(rule, "immediate", |one| {
            one.number(1, nft::REGISTER).nested(2, |data| data.attribute(1, &PORT.to_be_bytes()))
        });
        expression(rule, "tproxy", |one| one.number(1, self.number().into()).number(3, nft::REGISTER))
    }
}

/// Goes on only if these bytes of the network's head are not those.
fn not_to<'a>(rule: Message<'a>, at: u32, bytes: &[u8]) -> Message<'a> {
    const NETWORK_HEAD: u32 = 1;
    const NOT_EQUAL: u32 = 1;
    let rule = expression(rule, "payload", |one| {
        one.number(1, nft::REGISTER).number(2, NETWORK_HEAD).number(3, at).number(4, bytes.len() as u32)
    });
    expression(rule, "cmp", |one| {
        one.number(1, nft::REGISTER).number(2, NOT_EQUAL).nested(3, |data| data.attribute(1, bytes))
    })
}

fn expression<'a>(rule: Message<'a>, name: &str, data: impl FnOnce(Message<'a>) -> Message<'a>) -> Message<'a> {
    rule.nested(1, |element| element.name(1, name).nested(2, data))
}
