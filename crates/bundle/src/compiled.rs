//! Folders with the source of a compiled language and nothing that runs yet, and what to do with them. A look at the names of files:
//! nothing is compiled here.

use std::path::Path;

use crate::Error;

/// What a folder's files are called.
struct Names(Vec<String>);

/// What has to be done before the folder is a function, as the end of a sentence; nothing if there is no source in it, or something
/// that was made of it.
pub(crate) fn advice(folder: &Path) -> Result<Option<&'static str>, Error> {
    let names = Names::of(folder)?;
    if names.is_java() {
        let made = names.ends(&[".class", ".jar"]) || lib_has_jars(folder)?;
        return Ok((!made).then_some(
            "Java must be compiled first: javac -d out *.java, with an executable bootstrap beside the classes that starts them \
             (or a run.sh and the runtime http); then deploy out",
        ));
    }
    if names.has("bootstrap") {
        return Ok(None);
    }
    Ok(if names.has("main.go") {
        Some("Go must be compiled first: CGO_ENABLED=0 go build -o out/bootstrap . and then deploy out")
    } else if names.ends(&[".csproj", ".fsproj"]) {
        Some(
            ".NET must be compiled first: dotnet publish -c Release -o out, with bootstrap as the assembly's name; then deploy out",
        )
    } else if names.has("Cargo.toml") && folder.join("src/main.rs").is_file() {
        Some(
            "Rust must be compiled first: cargo build --release, best for a musl target; then copy the program to out/bootstrap \
             and deploy out",
        )
    } else {
        None
    })
}

impl Names {
    fn of(folder: &Path) -> Result<Self, Error> {
        let wrong = |why| Error::Read { path: folder.to_owned(), why };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(wrong)? {
            names.push(entry.map_err(wrong)?.file_name().to_string_lossy().into_owned());
        }
        Ok(Self(names))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|one| one == name)
    }

    fn ends(&self, endings: &[&str]) -> bool {
        self.0.iter().any(|name| endings.iter().any(|ending| name.ends_with(ending)))
    }

    fn is_java(&self) -> bool {
        self.ends(&[".java"]) || ["pom.xml", "build.gradle", "build.gradle.kts"].iter().any(|name| self.has(name))
    }
}

/// Where Lambda, too, looks for what Java needs.
fn lib_has_jars(folder: &Path) -> Result<bool, Error> {
    let lib = folder.join("lib");
    Ok(lib.is_dir() && Names::of(&lib)?.ends(&[".jar"]))
}
