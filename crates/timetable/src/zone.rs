//! A time zone by its IANA name, from the database inside the binary.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::Error;

/// A zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    zone: TimeZone,
}

impl Zone {
    /// Coordinated universal time: what rules are always in, and schedules that name no zone.
    pub const UTC: Self = Self { zone: TimeZone::UTC };

    /// The zone of this name. Names are compared without regard to case, as the database itself does.
    pub fn parse(name: &str) -> Result<Self, Error> {
        if matches!(name, "UTC" | "Etc/UTC") {
            return Ok(Self::UTC);
        }
        // "Etc/Unknown" is the library's word for a zone that nobody knows.
        let known = !name.eq_ignore_ascii_case("Etc/Unknown");
        match TimeZoneDatabase::bundled().get(name) {
            Ok(zone) if known => Ok(Self { zone }),
            Ok(_) | Err(_) => Err(Error::Zone { name: name.into() }),
        }
    }

    pub(crate) fn inner(&self) -> &TimeZone {
        &self.zone
    }
}
