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
    ("python/freehold_logging.py", include_str!("../../../languages/python/freehold_logging.py")),
];

/// Where they are on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Bootstraps {
    dir: PathBuf,
}

impl Bootstraps {
    /// Writes them below `dir`, under a name that changes when they do.
    pub(crate) fn write(dir: &Path) -> io::Result<Self> {
        let mut hash = digest::Context::new(&digest::SHA256);
        for (name, text) in FILES {
            hash.update(name.as_bytes());
            hash.update(text.as_bytes());
        }
        let dir = dir.join(&hex::encode(hash.finish())[..16]);
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

    /// The folder of one family.
    pub(crate) fn folder(&self, family: Family) -> PathBuf {
        match family {
            Family::Javascript => self.dir.join("javascript"),
            Family::Python | Family::Provided | Family::Http => self.dir.join("python"),
        }
    }
}
