//! What machine an image is for, and which of several images fits this one.

use std::fmt;

/// An operating system and an architecture, in the words of image indexes: `linux/amd64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    /// `linux` for everything that can run here.
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// What kind of it: `v7`. Empty where that does not matter.
    pub variant: String,
}

impl Platform {
    /// This machine's.
    pub fn host() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", ""),
            "aarch64" => ("arm64", ""),
            "x86" => ("386", ""),
            // Rust's armv7 targets and its older ones have one name; whoever has an older machine says so.
            "arm" => ("arm", "v7"),
            "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", ""),
            "loongarch64" => ("loong64", ""),
            other => (other, ""),
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: variant.to_owned() }
    }

    /// From `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let (os, architecture) = (parts.next()?, parts.next()?);
        let variant = parts.next().unwrap_or_default();
        let whole = !os.is_empty() && !architecture.is_empty() && parts.next().is_none();
        whole.then_some(Self { os, architecture, variant })
    }

    /// How well an image for `offered` runs here; `None` if it does not. Of several, the largest is best.
    ///
    /// What an image does not say is no hindrance: images made by hand often leave it out.
    pub(crate) fn fit(&self, offered: &Self) -> Option<u32> {
        let same = |wanted: &str, offered: &str| offered.is_empty() || wanted == offered;
        if !same(&self.os, &offered.os) || !same(&self.architecture, &offered.architecture) {
            return None;
        }
        let grade = |variant: &str| variant.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
        // An architecture's first form is what an image without a variant is for.
        let plain = |variant: &str| match self.architecture.as_str() {
            "amd64" if variant.is_empty() => Some(1),
            "arm64" if variant.is_empty() => Some(8),
            "arm" if variant.is_empty() => Some(7),
            _ => grade(variant),
        };
        match (plain(&self.variant), plain(&offered.variant)) {
            // A newer machine runs what is for an older one.
            (Some(ours), Some(theirs)) => (theirs <= ours).then_some(theirs + 1),
            _ if self.variant == offered.variant => Some(1),
            _ => offered.variant.is_empty().then_some(0),
        }
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self::host()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_fit_is_taken() {
        for (wanted, offered, expected) in [
            ("linux/amd64", &["linux/arm64", "linux/amd64"][..], Some(1)),
            ("linux/amd64", &["linux/amd64/v3", "linux/amd64"], Some(1)),
            ("linux/amd64", &["linux/amd64/v2"], None),
            ("linux/amd64/v3", &["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], Some(1)),
            ("linux/arm64", &["linux/arm64/v8", "linux/amd64"], Some(0)),
            ("linux/arm/v7", &["linux/arm/v5", "linux/arm/v6", "linux/arm64"], Some(1)),
            ("linux/arm/v6", &["linux/arm/v7"], None),
            ("linux/amd64", &["windows/amd64", "unknown/unknown"], None),
            ("linux/riscv64", &["linux/riscv64/rva23", "linux/riscv64"], Some(1)),
        ] {
            let wanted = Platform::parse(wanted).unwrap();
            let fits = offered.iter().map(|one| wanted.fit(&Platform::parse(one).unwrap())).enumerate();
            let best = fits.filter_map(|(index, fit)| fit.map(|fit| (fit, index))).max();
            assert_eq!(best.map(|(_, index)| index), expected, "{wanted} of {offered:?}");
        }
    }

    #[test]
    fn platforms_are_read_as_they_are_written() {
        for text in ["linux/amd64", "linux/arm/v7"] {
            assert_eq!(Platform::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x"] {
            assert_eq!(Platform::parse(text), None, "{text}");
        }
        assert_eq!(Platform::parse(&Platform::host().to_string()), Some(Platform::host()));
    }
}
