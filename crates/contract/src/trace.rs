//! The thread that ties a call to the calls it causes: W3C's `traceparent`, and AWS's `X-Amzn-Trace-Id`, which are two
//! spellings of the same 128-bit trace id and 64-bit parent.

use std::fmt;

use base::{Clock, Random};

/// Where a call stands in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    span: u64,
    sampled: bool,
    hops: u8,
}

impl Trace {
    /// A new trace. Its first 32 bits are the time in seconds, as X-Ray wants them.
    pub fn start(clock: &Clock, random: &Random) -> Self {
        let seconds = clock.now().as_second() as u32;
        let mut rest = [0; 16];
        random.fill(&mut rest);
        let id = (u128::from(seconds) << 96) | (u128::from_be_bytes(rest) >> 32);
        Self { id, span: random.u64() | 1, sampled: true, hops: 0 }
    }

    /// The same trace, one step further in.
    #[must_use]
    pub fn child(self, random: &Random) -> Self {
        Self { span: random.u64() | 1, ..self }
    }

    /// Reads `00-<32 hex>-<16 hex>-<2 hex>`; nothing if any part is malformed or all zeros.
    pub fn from_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version.len() != 2 || version == "ff" || id.len() != 32 || span.len() != 16 || flags.len() != 2 {
            return None;
        }
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Self::checked(hex_u128(id)?, u64::try_from(hex_u128(span)?).ok()?, sampled)
    }

    /// Reads `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0|1`; parent and sampled may be missing.
    pub fn from_amzn(text: &str, random: &Random) -> Option<Self> {
        let mut trace = Self { id: 0, span: 0, sampled: true, hops: 0 };
        for field in text.split(';') {
            match field.trim().split_once('=') {
                Some(("Root", root)) => {
                    let mut parts = root.split('-');
                    let (version, time, rest) = (parts.next()?, parts.next()?, parts.next()?);
                    if version != "1" || time.len() != 8 || rest.len() != 24 {
                        return None;
                    }
                    trace.id = (hex_u128(time)? << 96) | hex_u128(rest)?;
                }
                Some(("Parent", parent)) if parent.len() == 16 => trace.span = u64::try_from(hex_u128(parent)?).ok()?,
                Some(("Sampled", sampled)) => trace.sampled = sampled != "0",
                // As AWS's SDKs hand it on out of functions. Nobody gains by lying: a longer chain only ends sooner.
                Some(("Lineage", lineage)) => {
                    trace.hops = lineage.split(':').next().and_then(|hops| hops.parse().ok()).unwrap_or(0);
                }
                // Self= and whatever comes later are other people's.
                Some(_) | None => {}
            }
        }
        if trace.span == 0 {
            trace.span = random.u64() | 1;
        }
        Self::checked(trace.id, trace.span, trace.sampled).map(|checked| Self { hops: trace.hops, ..checked })
    }

    fn checked(id: u128, span: u64, sampled: bool) -> Option<Self> {
        (id != 0 && span != 0).then_some(Self { id, span, sampled, hops: 0 })
    }

    /// How many calls inside a node led to whoever sent the trace, as its `Lineage` says.
    pub fn hops(&self) -> u8 {
        self.hops
    }

    /// The value of an `X-Amzn-Trace-Id` header for a function's event: who hands it on is known to be so many hops in, and a loop
    /// through the function's own calls ends.
    pub fn amzn_after(&self, hops: u8) -> String {
        format!("{};Lineage={hops}:{:08x}:0", self.amzn(), (self.id >> 64) as u32)
    }

    /// The value of a `traceparent` header.
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.id, self.span, u8::from(self.sampled))
    }

    /// The value of an `X-Amzn-Trace-Id` header.
    pub fn amzn(&self) -> String {
        let mut text = String::with_capacity(74);
        self.write_amzn(&mut text).expect("a String takes everything");
        text
    }

    /// The same, written to where it is wanted.
    pub fn write_amzn(&self, to: &mut impl fmt::Write) -> fmt::Result {
        let (time, rest) = ((self.id >> 96) as u32, self.id & ((1 << 96) - 1));
        write!(to, "Root=1-{time:08x}-{rest:024x};Parent={:016x};Sampled={}", self.span, u8::from(self.sampled))
    }
}

/// The 32 hex digits of the trace id, for logs.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.id)
    }
}

fn hex_u128(text: &str) -> Option<u128> {
    // `from_str_radix` would take a sign.
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_spellings_are_one_trace() {
        let random = Random::seeded(3);
        let trace = Trace::start(&Clock::system(), &random);
        assert_eq!(Trace::from_traceparent(&trace.traceparent()), Some(trace));
        assert_eq!(Trace::from_amzn(&trace.amzn(), &random), Some(trace));
    }

    #[test]
    fn hops_travel_through_functions() {
        let random = Random::seeded(3);
        let trace = Trace::start(&Clock::system(), &random);
        let read = Trace::from_amzn(&trace.amzn_after(7), &random).unwrap();
        assert_eq!((read.hops(), read.to_string()), (7, trace.to_string()));
        for strange in ["Lineage=", "Lineage=x:y", "Lineage=-1:a:0", "Lineage=999:a:0"] {
            let read = Trace::from_amzn(&format!("{};{strange}", trace.amzn()), &random).unwrap();
            assert_eq!(read.hops(), 0, "{strange}");
        }
    }

    #[test]
    fn what_is_malformed_is_no_trace() {
        for text in [
            "",
            "00-abc-def-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::from_traceparent(text), None, "{text}");
        }
        for text in ["", "Root=", "Root=1-xyz", "Root=2-67891233-abcdef012345678912345678", "Parent=53995c3f42cd8ad8"] {
            assert_eq!(Trace::from_amzn(text, &Random::seeded(1)), None, "{text}");
        }
    }
}
