//! What a binary is, from its outermost imports and exports: read before anything is compiled, so that what cannot be run is refused
//! at once, with names.
//!
//! This is no validation: compiling does that, and checks that types are as WASI has them.

use wasmparser::{Encoding, ExternalKind, Parser, Payload};

use crate::failure::PrepareError;

/// How many names an error lists, and how much of each.
const NAMES_MAX: usize = 20;
const NAME_BYTES_MAX: usize = 120;

/// What a binary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inspection {
    Component {
        entry: Entry,
        /// It uses WASI 0.3 somewhere, and needs the runtime that knows it.
        is_concurrent: bool,
    },
    /// A core module with `_start`.
    Module,
}

/// What is to be called of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// `wasi:http/incoming-handler@0.2`.
    Http2,
    /// `wasi:http/handler@0.3`.
    Http3,
    /// `wasi:cli/run@0.2`.
    Run2,
    /// `wasi:cli/run@0.3`.
    Run3,
}

/// Interfaces of WASI 0.2 that are served, without their version.
const SERVED_2: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// The same of WASI 0.3.
const SERVED_3: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/types",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:clocks/types",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/client",
    "wasi:http/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/types",
];

/// What core modules import from.
const PREVIEW_1: &str = "wasi_snapshot_preview1.";

/// Finds out what `bytes` are.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Inspection, PrepareError> {
    let outline = Outline::read(bytes).map_err(|error| PrepareError::NotWasm { reason: error.to_string() })?;
    let Some(encoding) = outline.encoding else {
        return Err(PrepareError::NotWasm { reason: "it is empty".to_owned() });
    };
    match encoding {
        Encoding::Component => component(&outline),
        Encoding::Module => module(&outline),
    }
}

fn component(outline: &Outline) -> Result<Inspection, PrepareError> {
    let exports = |interface: &str, version: Version| {
        outline.exports.iter().any(|name| split(name) == Some((interface, version)))
    };
    // Who answers requests is not asked to run as a command.
    let entry = if exports("wasi:http/handler", Version::Three) {
        Entry::Http3
    } else if exports("wasi:http/incoming-handler", Version::Two) {
        Entry::Http2
    } else if exports("wasi:cli/run", Version::Three) {
        Entry::Run3
    } else if exports("wasi:cli/run", Version::Two) {
        Entry::Run2
    } else {
        return Err(PrepareError::NoEntry { exports: some(&outline.exports) });
    };
    let is_served = |name: &&String| match split(name) {
        Some((interface, Version::Two)) => SERVED_2.contains(&interface),
        Some((interface, Version::Three)) => SERVED_3.contains(&interface),
        None => false,
    };
    refuse(outline.imports.iter().filter(|name| !is_served(name)))?;
    let of_three = |name: &String| split(name).is_some_and(|(_, version)| version == Version::Three);
    Ok(Inspection::Component { entry, is_concurrent: outline.exports.iter().chain(&outline.imports).any(of_three) })
}

fn module(outline: &Outline) -> Result<Inspection, PrepareError> {
    if !outline.exports.iter().any(|name| name == "_start") {
        return Err(PrepareError::NoEntry { exports: some(&outline.exports) });
    }
    refuse(outline.imports.iter().filter(|name| !name.starts_with(PREVIEW_1)))?;
    Ok(Inspection::Module)
}

/// Nothing is refused if nothing is missing.
fn refuse<'a>(missing: impl Iterator<Item = &'a String>) -> Result<(), PrepareError> {
    let missing: Vec<String> = missing.cloned().collect();
    if missing.is_empty() { Ok(()) } else { Err(PrepareError::NotServed { imports: some(&missing) }) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Two,
    Three,
}

/// The interface and its version. Patches of a version are served by each other, release candidates by nobody.
fn split(name: &str) -> Option<(&str, Version)> {
    let (interface, version) = name.split_once('@')?;
    let patch = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if version.strip_prefix("0.2.").is_some_and(patch) {
        return Some((interface, Version::Two));
    }
    version.strip_prefix("0.3.").is_some_and(patch).then_some((interface, Version::Three))
}

/// Names for an error.
fn some(names: &[String]) -> Vec<String> {
    let mut names: Vec<String> = names.to_vec();
    names.dedup();
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names
}

/// The outermost names.
#[derive(Default)]
struct Outline {
    encoding: Option<Encoding>,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outline {
    fn read(bytes: &[u8]) -> wasmparser::Result<Self> {
        let mut outline = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding, .. } => {
                    depth += 1;
                    if depth == 1 {
                        outline.encoding = Some(encoding);
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                payload if depth == 1 => outline.note(payload)?,
                // What lies inside is the component's own affair.
                _ => {}
            }
        }
        Ok(outline)
    }

    fn note(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    self.imports.push(short(import?.name.name));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    self.exports.push(short(export?.name.name));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let name = format!("{}.{}", import.module, import.name);
                    self.imports.push(short(&name));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        self.exports.push(short(export.name));
                    }
                }
            }
            // Sections without names, and sections that this crate's version may learn of later.
            _ => {}
        }
        Ok(())
    }
}

/// A binary may have names of any length.
fn short(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wat: &str, expected: Result<Inspection, &str>) {
        let bytes = wat::parse_str(wat).unwrap();
        let found = inspect(&bytes);
        match expected {
            Ok(expected) => assert_eq!(found, Ok(expected), "{wat}"),
            Err(words) => assert_eq!(found.unwrap_err().to_string(), words, "{wat}"),
        }
    }

    /// A component that exports an empty instance and imports empty instances.
    fn names(export: &str, imports: &[&str]) -> String {
        let imports: String = imports.iter().map(|name| format!(r#"(import "{name}" (instance))"#)).collect();
        format!(r#"(component {imports} (instance $empty) (export "{export}" (instance $empty)))"#)
    }

    #[test]
    fn entries_are_found() {
        let component = |entry, is_concurrent| Ok(Inspection::Component { entry, is_concurrent });
        check(&names("wasi:http/incoming-handler@0.2.0", &[]), component(Entry::Http2, false));
        check(&names("wasi:http/incoming-handler@0.2.99", &["wasi:http/types@0.2.7"]), component(Entry::Http2, false));
        check(&names("wasi:http/incoming-handler@0.2.3", &["wasi:random/random@0.3.0"]), component(Entry::Http2, true));
        check(&names("wasi:http/handler@0.3.0", &["wasi:io/poll@0.2.0"]), component(Entry::Http3, true));
        check(&names("wasi:cli/run@0.2.0", &[]), component(Entry::Run2, false));
        check(&names("wasi:cli/run@0.3.1", &[]), component(Entry::Run3, true));
        check(r#"(module (func (export "_start")))"#, Ok(Inspection::Module));
        check(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (func (export "_start")))"#,
            Ok(Inspection::Module),
        );
    }

    #[test]
    fn what_cannot_be_called_is_refused_with_names() {
        let wanted = "it exports nothing that can be called: wanted is wasi:http/incoming-handler@0.2, wasi:http/handler@0.3 or \
                      wasi:cli/run of a component, or _start of a module; it exports ";
        check("(component)", Err(&format!("{wanted}nothing")));
        check("(module)", Err(&format!("{wanted}nothing")));
        check(r#"(module (memory (export "_start") 1))"#, Err(&format!("{wanted}nothing")));
        check(r#"(module (func (export "run")) (func (export "x")))"#, Err(&format!("{wanted}run, x")));
        let name = "wasi:http/handler@0.3.0-rc-2026-01-06";
        check(&names(name, &[]), Err(&format!("{wanted}{name}")));
        check(&names("wasi:http/handler@0.2.0", &[]), Err(&format!("{wanted}wasi:http/handler@0.2.0")));
    }

    #[test]
    fn what_is_not_served_is_refused_with_names() {
        check(
            &names("wasi:cli/run@0.2.0", &["wasi:io/poll@0.2.1", "wasi:keyvalue/store@0.2.0", "acme:x/y"]),
            Err("it imports what is not served here: wasi:keyvalue/store@0.2.0, acme:x/y"),
        );
        check(
            r#"(module (import "env" "f" (func)) (import "env" "g" (func)) (func (export "_start")))"#,
            Err("it imports what is not served here: env.f, env.g"),
        );
        let many: String = (0..25).map(|n| format!(r#"(import "env" "f{n}" (func))"#)).collect();
        let bytes = wat::parse_str(format!(r#"(module {many} (func (export "_start")))"#)).unwrap();
        let Err(PrepareError::NotServed { imports }) = inspect(&bytes) else { panic!("imports are missing") };
        assert_eq!((imports.len(), imports.last().unwrap().as_str()), (NAMES_MAX + 1, "and 5 more"));
    }

    #[test]
    fn what_is_no_wasm_is_refused() {
        for bytes in [&b""[..], b"\0", b"hello", b"\0asm", b"\0asm\x01\0\0\0\x05", b"\x7fELF\x02\x01\x01"] {
            assert!(matches!(inspect(bytes), Err(PrepareError::NotWasm { .. })), "{bytes:?}");
        }
    }
}
