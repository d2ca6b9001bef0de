//! How much memory the machine has left.

/// In bytes, as the kernel estimates it; `None` where it does not tell.
pub(crate) fn available() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_read() {
        for (text, expected) in [
            ("MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   1234567 kB\n", Some(1_264_196_608)),
            ("MemTotal: 24000000 kB\n", None),
            ("MemAvailable: many kB\n", None),
            ("MemAvailable: 99999999999999999999 kB\n", None),
            ("MemAvailable: 18446744073709551615 kB\n", None),
            ("", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
