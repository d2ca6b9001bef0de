//! The programs that run inside a managed guest, carried in this binary and written out once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use crate::languages::Family;

/// Every file: where, and what.
const FILES: &[(&str, &str)] = &[
    ("javascript/main.js", include_str!("../../../languages/javascript/main.js")),
    ("javascript/trace.js", include_str!("../../../languages/javascript/trace.js")),
    ("javascript/channel.js", include_str!("../../../languages/javascript/channel.js")),
    ("javascript/console.js", include_str!("../../../languages/javascript/console.js")),
    ("javascript/errors.js", include_str!("../../../languages/javascript/errors.js")),
    ("javascript/handler.js", include_str!("../../../languages/javascript/handler.js")),
    ("javascript/stream.js", include_str!("../../../languages/javascript/stream.js")),
    ("javascript/syntax.js", include_str!("../../../languages/javascript/syntax.js")),
    ("javascript/warm.mjs", include_str!("../../../languages/javascript/warm.mjs")),
    ("python/bootstrap.py", include_str!("../../../languages/python/bootstrap.py")),
    ("python/freehold_json.py", include_str!("../../../languages/python/freehold_json.py")),
    ("python/freehold_life.py", include_str!("../../../languages/python/freehold_life.py")),
    ("python/freehold_logging.py", include_str!("../../../languages/python/freehold_logging.py")),
];

/// Where they are on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Bootstraps {
    dir: PathBuf,
}

impl Bootstraps {
    /// Writes them below `dir`, under a name that changes when they do. Bytecode that lies there is removed: interpreters believe it
    /// unseen, and nobody knows whether all of it was on the disk when the machine stopped.
    pub(crate) fn write(dir: &Path) -> io::Result<Self> {
        let mut hash = digest::Context::new(&digest::SHA256);
        for (name, text) in FILES {
            hash.update(name.as_bytes());
            hash.update(text.as_bytes());
        }
        let dir = dir.join(&hex::encode(hash.finish())[..16]);
        forget_compiled(&dir.join("python"))?;
        for (name, text) in FILES {
            let path = dir.join(name);
            if fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
                fs::create_dir_all(path.parent().unwrap_or(&dir))?;
                fs::write(&path, text)?;
            }
        }
        let bootstraps = Self { dir };
        fs::create_dir_all(bootstraps.before_code().join("lib"))?;
        Ok(bootstraps)
    }

    /// What lies where the code will be: a folder `lib` and nothing else. A dynamic linker that looks for its folders once, when it
    /// starts, would never look into one that was not there.
    pub(crate) fn before_code(&self) -> PathBuf {
        self.dir.join("before-code")
    }

    /// What a Python guest imports of ours.
    pub(crate) fn modules(&self) -> impl Iterator<Item = PathBuf> {
        let names = FILES.iter().map(|(name, _)| *name);
        names.filter(|name| name.starts_with("python/freehold_")).map(|name| self.dir.join(name))
    }

    /// The folder of one family.
    pub(crate) fn folder(&self, family: Family) -> PathBuf {
        match family {
            Family::Javascript => self.dir.join("javascript"),
            Family::Python | Family::Provided | Family::Http => self.dir.join("python"),
        }
    }
}

/// What the marks begin with that say which interpreter has compiled these files.
pub(crate) const COMPILED: &str = ".compiled-";

fn forget_compiled(folder: &Path) -> io::Result<()> {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match fs::remove_dir_all(folder.join("__pycache__")) {
        Err(error) if !missing(&error) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let entries = match fs::read_dir(folder) {
        Err(error) if missing(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(COMPILED.as_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
