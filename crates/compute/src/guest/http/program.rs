//! What starts a function's server: the file of its package that the handler names.
//!
//! | handler | what runs |
//! |---|---|
//! | `server.py` | Python with that file |
//! | `server.js`, `.mjs`, `.cjs` | Node.js with that file |
//! | `package.json` | its `start` script, as `npm start` would |
//! | `Procfile` | its `web` line |
//! | anything else, such as `run.sh` or `bootstrap` | that file itself, which must be executable |
//!
//! A handler of Lambda has no spaces and is short, so that it cannot be a command line. Nothing outside the package is read: its
//! links lead nowhere else.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use crate::languages::{Family, Interpreter};

/// The longest file that a command is looked for in.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// The longest command: what it is handed over with has its own limit.
const COMMAND_BYTES_MAX: usize = 8 << 10;
/// What reads command lines.
const SHELL: &str = "/bin/sh";

/// What is executed, as the guest sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// Why there is nothing to execute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCommand {
    #[error(
        "Couldn't find '{handler}' in the package. The handler of a web server names the file that starts it: an executable such as \
         run.sh, a .py, .js, .mjs or .cjs file, Procfile, or package.json"
    )]
    Missing { handler: String },
    #[error("'{handler}' is not executable: run chmod +x on it before it is packed")]
    NotExecutable { handler: String },
    #[error("'{handler}' needs {family}, and none is installed on this machine")]
    NoInterpreter { handler: String, family: Family },
    #[error("{handler} has no line that begins with 'web:'")]
    NoWebLine { handler: String },
    #[error("{handler} is not JSON with a text in scripts.start")]
    NoStartScript { handler: String },
    #[error("{handler} is not text of at most {FILE_BYTES_MAX} bytes")]
    NotText { handler: String },
    #[error("the command in {handler} is longer than {COMMAND_BYTES_MAX} bytes")]
    TooLong { handler: String },
}

/// Reads what a handler means in the package at `code`, which the guest sees at `task_root`.
pub(crate) fn command(
    code: &Path,
    task_root: &Path,
    handler: &str,
    tools: &[(Family, Interpreter)],
) -> Result<Command, NoCommand> {
    let file = inside(code, handler).ok_or_else(|| NoCommand::Missing { handler: handler.to_owned() })?;
    let seen = task_root.join(handler);
    let (_, name) = handler.rsplit_once('/').unwrap_or(("", handler));
    let (_, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    match (name, ending) {
        ("Procfile", _) => shell(handler, web_line(&text_of(&file, handler)?, handler)?),
        ("package.json", _) => {
            let start = start_script(&text_of(&file, handler)?, handler)?;
            // What a package has installed comes first, as npm has it.
            shell(handler, format!("PATH=\"$PWD/node_modules/.bin:$PATH\"\n{start}"))
        }
        (_, "py") => interpreted(Family::Python, handler, &seen, tools),
        (_, "js" | "mjs" | "cjs") => interpreted(Family::Javascript, handler, &seen, tools),
        _ if is_executable(&file) => Ok(Command { program: seen, arguments: Vec::new() }),
        _ => Err(NoCommand::NotExecutable { handler: handler.to_owned() }),
    }
}

/// True for a file that can be executed.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Where a file of the package is, if it is one, links and all.
fn inside(code: &Path, handler: &str) -> Option<PathBuf> {
    let plain = Path::new(handler).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let file = code.join(handler).canonicalize().ok().filter(|_| plain && !handler.is_empty())?;
    (file.starts_with(code.canonicalize().ok()?) && file.is_file()).then_some(file)
}

fn interpreted(
    family: Family,
    handler: &str,
    seen: &Path,
    tools: &[(Family, Interpreter)],
) -> Result<Command, NoCommand> {
    let found = tools.iter().find(|(one, _)| *one == family);
    let (_, interpreter) = found.ok_or_else(|| NoCommand::NoInterpreter { handler: handler.to_owned(), family })?;
    Ok(Command { program: interpreter.path.clone(), arguments: vec![seen.to_string_lossy().into_owned()] })
}

fn shell(handler: &str, line: String) -> Result<Command, NoCommand> {
    if line.len() > COMMAND_BYTES_MAX {
        return Err(NoCommand::TooLong { handler: handler.to_owned() });
    }
    Ok(Command { program: PathBuf::from(SHELL), arguments: vec!["-c".to_owned(), line] })
}

fn text_of(file: &Path, handler: &str) -> Result<String, NoCommand> {
    let mut text = String::new();
    let read = fs::File::open(file).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        // A command is handed over as text that ends at its first zero.
        Ok(bytes) if bytes as u64 <= FILE_BYTES_MAX && !text.contains('\0') => Ok(text),
        Ok(_) | Err(_) => Err(NoCommand::NotText { handler: handler.to_owned() }),
    }
}

/// The command of a Procfile's line for what serves the web.
fn web_line(text: &str, handler: &str) -> Result<String, NoCommand> {
    let line = text.lines().find_map(|line| line.strip_prefix("web:")).map(str::trim).filter(|line| !line.is_empty());
    line.map(str::to_owned).ok_or_else(|| NoCommand::NoWebLine { handler: handler.to_owned() })
}

fn start_script(text: &str, handler: &str) -> Result<String, NoCommand> {
    let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let start = document["scripts"]["start"].as_str().filter(|start| !start.contains('\0') && !start.trim().is_empty());
    start.map(str::to_owned).ok_or_else(|| NoCommand::NoStartScript { handler: handler.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_name_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        let code = dir.path().join("code");
        fs::create_dir_all(code.join("sub")).unwrap();
        fs::write(dir.path().join("secret"), "web: secret").unwrap();
        std::os::unix::fs::symlink("../secret", code.join("Linked")).unwrap();
        std::os::unix::fs::symlink("../../secret", code.join("sub/Procfile")).unwrap();
        for (name, text) in [
            ("Procfile", "# words\nworker: no\nweb:  python3 -m http.server $PORT \nweb: second\n".to_owned()),
            ("package.json", r#"{"scripts": {"start": "node app"}}"#.to_owned()),
            ("sub/package.json", r#"{"scripts": {"start": 7}}"#.to_owned()),
            ("run.sh", "#!/bin/sh\n".to_owned()),
            ("plain", String::new()),
            ("server.py", String::new()),
            ("server.mjs", String::new()),
        ] {
            fs::write(code.join(name), text).unwrap();
        }
        fs::set_permissions(code.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        let python = Interpreter { path: "/usr/bin/python3".into(), version: "3.11.7".to_owned(), needs: None };
        let tools = [(Family::Python, python)];
        let run = |program: &str, arguments: &[&str]| {
            let arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
            Ok(Command { program: program.into(), arguments })
        };
        let named = |handler: &str| handler.to_owned();
        for (handler, expected) in [
            ("Procfile", run("/bin/sh", &["-c", "python3 -m http.server $PORT"])),
            ("package.json", run("/bin/sh", &["-c", "PATH=\"$PWD/node_modules/.bin:$PATH\"\nnode app"])),
            ("run.sh", run("/var/task/run.sh", &[])),
            ("./run.sh", run("/var/task/run.sh", &[])),
            ("server.py", run("/usr/bin/python3", &["/var/task/server.py"])),
            ("server.mjs", Err(NoCommand::NoInterpreter { handler: named("server.mjs"), family: Family::Javascript })),
            ("plain", Err(NoCommand::NotExecutable { handler: named("plain") })),
            ("sub/package.json", Err(NoCommand::NoStartScript { handler: named("sub/package.json") })),
            ("sub/Procfile", Err(NoCommand::Missing { handler: named("sub/Procfile") })),
            ("Linked", Err(NoCommand::Missing { handler: named("Linked") })),
            ("sub", Err(NoCommand::Missing { handler: named("sub") })),
            ("", Err(NoCommand::Missing { handler: named("") })),
            ("../secret", Err(NoCommand::Missing { handler: named("../secret") })),
            ("/bin/sh", Err(NoCommand::Missing { handler: named("/bin/sh") })),
            ("index.handler", Err(NoCommand::Missing { handler: named("index.handler") })),
        ] {
            assert_eq!(command(&code, Path::new("/var/task"), handler, &tools), expected, "{handler}");
        }
    }

    #[test]
    fn commands_are_read_from_files_that_are_damaged_too() {
        for (text, expected) in
            [("", false), ("web:", false), ("web:   \n", false), (" web: x", false), ("web:x", true)]
        {
            assert_eq!(web_line(text, "Procfile").is_ok(), expected, "{text:?}");
        }
        for (text, expected) in [
            ("", false),
            ("[", false),
            ("[]", false),
            (r#"{"scripts": []}"#, false),
            (r#"{"scripts": {"start": " "}}"#, false),
            (r#"{"scripts": {"start": "a\u0000b"}}"#, false),
            (r#"{"scripts": {"start": "x"}}"#, true),
        ] {
            assert_eq!(start_script(text, "package.json").is_ok(), expected, "{text:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("Procfile");
        for (bytes, expected) in [
            (vec![0xFF, 0xFE], false),
            (b"web: a\0b".to_vec(), false),
            (vec![b'x'; 64 << 10], true),
            (vec![b'x'; (64 << 10) + 1], false),
        ] {
            fs::write(&file, &bytes).unwrap();
            assert_eq!(text_of(&file, "Procfile").is_ok(), expected, "{} bytes", bytes.len());
        }
        assert_eq!(
            shell("Procfile", "x".repeat(COMMAND_BYTES_MAX + 1)),
            Err(NoCommand::TooLong { handler: "Procfile".to_owned() })
        );
    }
}
