//! Messages to the kernel about interfaces, routes and packet rules, in its own binary form. Only what this crate needs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

/// `NLM_F_REQUEST` and `NLM_F_ACK`.
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
/// `NLM_F_CREATE`, `NLM_F_APPEND`.
pub(super) const CREATE: u16 = 0x400;
pub(super) const APPEND: u16 = 0x800;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
/// `NLMSG_ERROR`, which is also how success is told: with an error of zero.
const ERROR: u16 = 2;
/// The length of a message's head, and of an attribute's.
const HEAD: usize = 16;
const ATTRIBUTE_HEAD: usize = 4;

/// Messages that go out together.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    messages: u32,
    /// How many of them the kernel answers.
    expected: usize,
}

/// One message while it is being written.
pub(super) struct Message<'a> {
    batch: &'a mut Batch,
    start: usize,
}

impl Batch {
    /// Begins a message that the kernel acknowledges. `header` is what its kind has in front of the attributes.
    pub(super) fn message(&mut self, kind: u16, flags: u16, header: &[u8]) -> Message<'_> {
        self.expected += 1;
        self.begin(kind, REQUEST | ACKNOWLEDGE | flags, header)
    }

    /// Begins a message that is not acknowledged.
    pub(super) fn mark(&mut self, kind: u16, header: &[u8]) {
        drop(self.begin(kind, REQUEST, header));
    }

    fn begin(&mut self, kind: u16, flags: u16, header: &[u8]) -> Message<'_> {
        let start = self.bytes.len();
        self.messages += 1;
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(self.messages.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(header);
        Message { batch: self, start }
    }

    /// Sends all of them and waits for the kernel's word on each: the first error is the answer.
    pub(super) fn send(self, protocol: Option<Protocol>) -> io::Result<()> {
        let socket = open(protocol)?;
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&socket, &self.bytes, SendFlags::empty(), &kernel)?;
        let mut answers = 0;
        let mut buffer = vec![0; 16 << 10];
        while answers < self.expected {
            let (length, _) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
            answers += read_answers(&buffer[..length])?;
        }
        Ok(())
    }
}

fn open(protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
    bind(socket.as_fd(), &SocketAddrNetlink::new(0, 0))?;
    Ok(socket)
}

/// Counts the answers in one datagram.
fn read_answers(mut bytes: &[u8]) -> io::Result<usize> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer is cut short");
    let word = |bytes: &[u8], at: usize| bytes.get(at..at + 4).map(|four| [four[0], four[1], four[2], four[3]]);
    let mut answers = 0;
    while !bytes.is_empty() {
        let length = u32::from_ne_bytes(word(bytes, 0).ok_or_else(malformed)?) as usize;
        let kind = u16::from_ne_bytes([bytes[4], *bytes.get(5).ok_or_else(malformed)?]);
        if kind == ERROR {
            let error = i32::from_ne_bytes(word(bytes, HEAD).ok_or_else(malformed)?);
            if error != 0 {
                return Err(io::Error::from_raw_os_error(-error));
            }
            answers += 1;
        }
        bytes = bytes.get(length.next_multiple_of(4).max(HEAD)..).unwrap_or_default();
    }
    Ok(answers)
}

impl Message<'_> {
    /// Adds an attribute.
    pub(super) fn attribute(self, kind: u16, value: &[u8]) -> Self {
        let bytes = &mut self.batch.bytes;
        bytes.extend(((ATTRIBUTE_HEAD + value.len()) as u16).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Adds a name, with the zero at its end.
    pub(super) fn name(self, kind: u16, value: &str) -> Self {
        let bytes: Vec<u8> = value.bytes().chain([0]).collect();
        self.attribute(kind, &bytes)
    }

    /// Adds a number as packet rules have them.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// Adds an attribute made of attributes.
    pub(super) fn nested(self, kind: u16, inside: impl FnOnce(Self) -> Self) -> Self {
        let start = self.batch.bytes.len();
        let message = inside(self.attribute(kind | NESTED, &[]));
        let length = (message.batch.bytes.len() - start) as u16;
        message.batch.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        message
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        let length = (self.batch.bytes.len() - self.start) as u32;
        self.batch.bytes[self.start..self.start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_the_kernel_reads_them() {
        let mut batch = Batch::default();
        batch.mark(16, &[0, 0, 0, 10]);
        drop(batch.message(20, CREATE, &[2, 8]).name(1, "lo").nested(4, |one| one.number(2, 7)));
        assert_eq!((batch.messages, batch.expected), (2, 1));
        let second = &batch.bytes[20..];
        assert_eq!(u32::from_ne_bytes(second[..4].try_into().unwrap()) as usize, second.len());
        assert_eq!(&second[4..8], [20u16.to_ne_bytes(), (CREATE | REQUEST | ACKNOWLEDGE).to_ne_bytes()].concat());
        let nested = &second[second.len() - 12..];
        let expected = [12u16.to_ne_bytes(), (4 | NESTED).to_ne_bytes(), 8u16.to_ne_bytes(), 2u16.to_ne_bytes()];
        assert_eq!(nested, [expected.concat(), vec![0, 0, 0, 7]].concat());
    }

    #[test]
    fn answers_are_counted_and_errors_found() {
        let answer = |error: i32| {
            let head = [20u32.to_ne_bytes(), [2, 0, 0, 0], [0; 4], [0; 4]].concat();
            [head, error.to_ne_bytes().to_vec()].concat()
        };
        assert_eq!(read_answers(&[answer(0), answer(0)].concat()).unwrap(), 2);
        let error = read_answers(&[answer(0), answer(-libc::EPERM)].concat()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        for cut in [1, 5, 17] {
            assert!(read_answers(&answer(0)[..cut]).is_err(), "{cut}");
        }
    }
}
