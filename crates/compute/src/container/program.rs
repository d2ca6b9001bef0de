//! What of a container image is run: its entry point and command, found as its own shell would find them.

use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;

use super::Container;
use super::inside::look;
use crate::guest::http::Command;

/// Where programs are looked for, if the image does not say.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The most folders of a path that are looked into.
const FOLDERS_MAX: usize = 100;

/// The working directory.
pub(crate) fn directory(container: &Container) -> PathBuf {
    Path::new("/").join(container.directory.as_deref().unwrap_or("/"))
}

/// The program, as a guest sees it, and its arguments; or why there is none. `path` is what `PATH` says. Blocks.
pub(crate) fn command(root: &Path, container: &Container, path: Option<&str>) -> Result<Command, String> {
    let mut words = container.entrypoint.iter().chain(&container.command);
    let Some(name) = words.next().filter(|name| !name.is_empty()) else {
        return Err("the image has neither an ENTRYPOINT nor a CMD, and ImageConfig says none".to_owned());
    };
    let arguments: Vec<String> = words.cloned().collect();
    let directory = directory(container);
    let is_tmp = directory.components().nth(1) == Some(Component::Normal("tmp".as_ref()));
    if !is_tmp && look(root, &directory).is_none_or(|(kind, _)| kind != FileType::Directory) {
        return Err(format!("the working directory {} is not in the image", directory.display()));
    }
    let can_run = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        look(root, path).is_some_and(|(kind, found)| kind == FileType::RegularFile && found.mode() & 0o111 != 0)
    };
    if name.contains('/') {
        let program = directory.join(name);
        return match can_run(&program) {
            true => Ok(Command { program, arguments }),
            false => Err(format!("{} is no program of the image", program.display())),
        };
    }
    let folders = path.unwrap_or(PATH).split(':').take(FOLDERS_MAX).map(|folder| directory.join(folder).join(name));
    match folders.into_iter().find(|program| can_run(program)) {
        Some(program) => Ok(Command { program, arguments }),
        None => Err(format!("'{name}' is in none of the folders that the image's PATH names")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::CodeId;

    fn image(entrypoint: &[&str], command: &[&str], directory: Option<&str>) -> Container {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Container {
            digest: CodeId::of(b""),
            source: String::new(),
            layers: Vec::new(),
            entrypoint: words(entrypoint),
            command: words(command),
            environment: Vec::new(),
            directory: directory.map(str::to_owned),
            adapted: false,
        }
    }

    #[test]
    fn programs_are_found_as_inside() {
        let root = tempfile::tempdir().unwrap();
        for (file, mode) in [("usr/bin/run", 0o755), ("app/main", 0o755), ("app/text", 0o644), ("own/run", 0o755)] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("usr/bin", root.path().join("bin")).unwrap();
        symlink("/app/main", root.path().join("entry")).unwrap();
        symlink("/bin/sh", root.path().join("outside")).unwrap();
        let none: &[&str] = &[];
        for (image, path, expected) in [
            (image(&["/app/main"], &["a", "b"], None), None, Ok(("/app/main", &["a", "b"][..]))),
            (image(&[], &["/app/main", "a"], None), None, Ok(("/app/main", &["a"][..]))),
            (image(&["main"], none, Some("/app")), None, Err("none of the folders")),
            (image(&["./main"], none, Some("/app")), None, Ok(("/app/./main", none))),
            (image(&["./main"], none, Some("app")), None, Ok(("/app/./main", none))),
            (image(&["run"], none, None), None, Ok(("/usr/bin/run", none))),
            (image(&["run"], none, None), Some("/own:/usr/bin"), Ok(("/own/run", none))),
            (image(&["run"], none, None), Some(""), Err("none of the folders")),
            (image(&["/entry"], none, Some("/tmp/made/later")), None, Ok(("/entry", none))),
            (image(&["/app/text"], none, None), None, Err("is no program of the image")),
            (image(&["/outside"], none, None), None, Err("is no program of the image")),
            (image(&["/app"], none, None), None, Err("is no program of the image")),
            (image(&["/app/main"], none, Some("/nowhere")), None, Err("the working directory /nowhere")),
            (image(&[], &[], None), None, Err("neither an ENTRYPOINT nor a CMD")),
            (image(&[""], &[], None), None, Err("neither an ENTRYPOINT nor a CMD")),
        ] {
            match (command(root.path(), &image, path), expected) {
                (Ok(found), Ok((program, arguments))) => {
                    assert_eq!(found.program, PathBuf::from(program));
                    assert_eq!(found.arguments, arguments);
                }
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }
}
