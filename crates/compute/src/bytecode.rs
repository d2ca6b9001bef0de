//! The bytecode of Python's bootstrap: each interpreter that boots guests compiles it once, and its guests load what came of that.
//!
//! Python keeps bytecode beside its source, where guests may not write. Without it they work too, and each compiles for itself, which is
//! a sixth of what starting one costs. What is run here is the machine's own interpreter on our own text; no function's code is near.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use crate::booted::Recipe;
use crate::bootstraps::{Bootstraps, COMPILED};
use crate::languages::{self, Family};

/// The folder of the sources has another name when they change, and what an earlier run of the node left there is removed before this
/// one uses it: nothing has to be compared when bytecode is loaded.
const COMPILE: &str = "import py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for file in sys.argv[1:]:
    py_compile.compile(file, doraise=True, invalidation_mode=mode)
print('compiled')
";

/// Has the interpreter of a recipe compile the bootstrap, if it has one and did not try before. Blocks for some 50 ms then.
pub(crate) fn make_once(bootstraps: &Bootstraps, recipe: &Recipe) {
    let interpreter = &recipe.plan.program;
    if recipe.family != Family::Python || interpreter.as_os_str().is_empty() {
        return;
    }
    let Some(mark) = mark(bootstraps, interpreter).filter(|mark| !mark.exists()) else { return };
    // Before it is tried: one that hangs would be waited for after each boot. Where no mark can be left, nothing can be compiled.
    if let Err(error) = fs::write(mark, "") {
        tracing::debug!(%error, "the bootstrap is not compiled ahead");
        return;
    }
    let sources = bootstraps.modules();
    let arguments = ["-I", "-S", "-c", COMPILE].map(PathBuf::from).into_iter().chain(sources);
    if languages::answer(interpreter, arguments).is_none_or(|answer| answer.trim() != "compiled") {
        tracing::debug!(interpreter = %interpreter.display(), "the bootstrap is not compiled ahead");
    }
}

/// The file that says that it was tried, by this very program.
fn mark(bootstraps: &Bootstraps, interpreter: &Path) -> Option<PathBuf> {
    let about = fs::metadata(interpreter).ok()?;
    let told = format!("{} {} {}", interpreter.display(), about.mtime(), about.len());
    let hash = hex::encode(digest::digest(&digest::SHA256, told.as_bytes()));
    Some(bootstraps.folder(Family::Python).join(format!("{COMPILED}{}", &hash[..16])))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_interpreter_compiles_the_bootstrap_once() {
        let dir = tempfile::tempdir().unwrap();
        let bootstraps = Bootstraps::write(dir.path()).unwrap();
        let found = languages::installed(&dir.path().join("memory"));
        let Some((_, python)) = found.into_iter().find(|(family, _)| *family == Family::Python) else {
            return base::trial::skip("Python is not installed");
        };
        let recipe = |family, program: &Path| Recipe {
            family,
            plan: sandbox::Plan { program: program.to_owned(), ..sandbox::Plan::default() },
        };
        let folder = bootstraps.folder(Family::Python).join("__pycache__");

        make_once(&bootstraps, &recipe(Family::Http, &python.path));
        make_once(&bootstraps, &recipe(Family::Python, Path::new("")));
        make_once(&bootstraps, &recipe(Family::Python, Path::new("/bin/true")));
        assert!(!folder.exists());

        // What does not compile is not asked again.
        let (program, asked) = (dir.path().join("program"), dir.path().join("asked"));
        fs::write(&program, format!("#!/bin/sh\necho >> '{}'\n", asked.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for _ in 0..2 {
            make_once(&bootstraps, &recipe(Family::Python, &program));
        }
        assert_eq!(fs::read_to_string(&asked).unwrap(), "\n");

        make_once(&bootstraps, &recipe(Family::Python, &python.path));
        let mut names: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().split('.').next().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["freehold_json", "freehold_life", "freehold_logging"]);

        // What was done is not done again.
        fs::remove_dir_all(&folder).unwrap();
        make_once(&bootstraps, &recipe(Family::Python, &python.path));
        assert!(!folder.exists());

        // The next run of the node believes nothing that it finds.
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("freehold_json.cpython-313.pyc"), "torn").unwrap();
        let bootstraps = Bootstraps::write(dir.path()).unwrap();
        assert!(!folder.exists());
        make_once(&bootstraps, &recipe(Family::Python, &python.path));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    }
}
