//! A folder, ready to be sent: its template with the code packages that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;

use crate::omit::omit;
use crate::problem::Problem;

/// How a folder is to be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// What to call the application, if not like the folder.
    pub(crate) name: Option<String>,
    /// Values for the template's parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Languages that the node cannot run, each with the reason: functions in them are left out.
    pub(crate) unusable: Vec<(String, String)>,
}

/// A code package.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// The SHA-256 of the bytes, in hex.
    pub(crate) sha256: String,
    /// A zip archive.
    pub(crate) zip: Bytes,
}

/// What goes to the node.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// The application's name.
    pub(crate) name: String,
    /// The folder, as a person wrote it.
    pub(crate) origin: String,
    /// The template, in which code is named by its hash.
    pub(crate) template: Value,
    /// Values for its parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The code.
    pub(crate) assets: Vec<Asset>,
    /// What was left out, and why.
    pub(crate) warnings: Vec<String>,
    /// The files and folders that it was made from.
    pub(crate) sources: Vec<PathBuf>,
    /// The template that a person wrote; else it was made up from what is in the folder.
    pub(crate) written: Option<Written>,
}

/// A template as a person wrote it: what is sent has no lines any more.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// Its file.
    file: PathBuf,
    lines: bundle::Node,
}

impl Written {
    /// `line 7 of FILE`, where a member of a resource (`Properties.Code`) lies, or the nearest place above it whose line is known.
    pub(crate) fn place(&self, resource: &str, path: &str) -> Option<String> {
        let whole = format!("Resources.{resource}.{path}");
        let least = "Resources.".len() + resource.len();
        let mut ends: Vec<usize> =
            whole.match_indices(['.', '[']).map(|(at, _)| at).filter(|at| *at >= least).collect();
        ends.push(whole.len());
        let mut lines = ends.into_iter().filter_map(|end| self.lines.at(&whole[..end])).map(|node| node.line);
        let line = lines.rfind(|line| *line > 0)?;
        Some(format!("line {line} of {}", self.file.display()))
    }
}

impl Package {
    /// Reads a folder. Reading and compressing is blocking work, so it is done elsewhere.
    pub(crate) async fn read(folder: &Path, options: &Options) -> Result<Self, Problem> {
        let (path, options): (PathBuf, Options) = (folder.to_owned(), options.clone());
        let read = tokio::task::spawn_blocking(move || Self::of_folder(&path, &options)).await;
        read.unwrap_or_else(|error| Err(Problem::new(format!("Reading {} broke off: {error}.", folder.display()))))
    }

    fn of_folder(folder: &Path, options: &Options) -> Result<Self, Problem> {
        let bundle = bundle::bundle(folder).map_err(|error| unreadable(&error))?;
        let mut template = bundle.template.to_json();
        let written = bundle.file.map(|file| Written { file: shown(file), lines: bundle.template });
        let mut warnings = bundle.warnings;
        warnings.extend(omit(&mut template, &options.unusable));
        let used = template.to_string();
        // The code of what was left out stays here.
        let assets = bundle.assets.into_iter().filter(|asset| used.contains(&asset.sha256));
        Ok(Self {
            name: options.name.clone().unwrap_or(bundle.name),
            origin: folder.display().to_string(),
            template,
            parameters: options.parameters.clone(),
            assets: assets.map(|asset| Asset { sha256: asset.sha256, zip: asset.bytes }).collect(),
            warnings,
            written,
            sources: bundle.sources,
        })
    }

    /// Whether there is something in the folder that could be deployed.
    pub(crate) fn is_application(folder: &Path) -> bool {
        bundle::find(folder).is_ok()
    }

    /// The same for the same template, parameters and code.
    pub(crate) fn fingerprint(&self) -> String {
        // Code is in the template by its hash.
        serde_json::json!([self.name, self.template, self.parameters]).to_string()
    }

    #[cfg(test)]
    pub(crate) fn fixture(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            origin: name.to_owned(),
            template: Value::Null,
            parameters: BTreeMap::new(),
            assets: Vec::new(),
            warnings: Vec::new(),
            sources: Vec::new(),
            written: None,
        }
    }
}

/// A path as a person would write it who is where we are.
fn shown(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).map(Path::to_path_buf).ok()).unwrap_or(path)
}

/// The folder's reader says what to do; a path that is not there is a slip of the command line.
fn unreadable(error: &bundle::Error) -> Problem {
    let text = format!("{}.", error.to_string().trim_end_matches('.'));
    match error {
        bundle::Error::Missing { .. } => Problem::usage(text),
        bundle::Error::Nothing { .. } => Problem::new(text).advise("What may be in a folder: freehold deploy --help"),
        bundle::Error::AssetMissing { .. }
        | bundle::Error::ImageToBuild { .. }
        | bundle::Error::NotExecutable { .. }
        | bundle::Error::Source { .. }
        | bundle::Error::Template { .. }
        | bundle::Error::TooLarge { .. }
        | bundle::Error::TooManyFiles { .. }
        | bundle::Error::Circle { .. }
        | bundle::Error::TooDeep { .. }
        | bundle::Error::Name { .. }
        | bundle::Error::SameName { .. }
        | bundle::Error::Read { .. }
        | bundle::Error::Pack { .. } => Problem::new(text).advise("Nothing was changed."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_becomes_a_package_with_its_code() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("greet");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("app.py"), "def handler(event, context):\n    return event\n").unwrap();
        let package = Package::read(&folder, &Options::default()).await.unwrap();
        assert_eq!((package.name.as_str(), package.assets.len(), package.written.is_none()), ("greet", 1, true));
        assert!(package.template.to_string().contains(&package.assets[0].sha256));
        assert!(Package::is_application(&folder));

        let fingerprint = package.fingerprint();
        assert_eq!(Package::read(&folder, &Options::default()).await.unwrap().fingerprint(), fingerprint);
        std::fs::write(folder.join("app.py"), "def handler(event, context):\n    return 1\n").unwrap();
        assert_ne!(Package::read(&folder, &Options::default()).await.unwrap().fingerprint(), fingerprint);

        let resource = r#"{ "Type": "AWS::Serverless::Function", "Properties": { "CodeUri": "greet" } }"#;
        std::fs::write(above.path().join("template.json"), format!(r#"{{ "Resources": {{ "Greet": {resource} }} }}"#))
            .unwrap();
        assert!(Package::read(above.path(), &Options::default()).await.unwrap().written.is_some());

        // What cannot run here stays here, code and all.
        let unusable = vec![("python3.13".to_owned(), "Python is not installed".to_owned())];
        let package = Package::read(&folder, &Options { unusable, ..Options::default() }).await.unwrap();
        assert_eq!((package.assets.len(), package.warnings.len()), (0, 1));
    }

    #[tokio::test]
    async fn places_in_a_template_have_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("template.yaml");
        let template = "\
Resources:
  Greet:
    Type: AWS::Lambda::Function
    Properties:
      Handlr: x
      Tags:
        - Key: a
          Valu: b
  Other: {Type: T}
";
        std::fs::write(&file, template).unwrap();
        let written = Package::read(folder.path(), &Options::default()).await.unwrap().written.unwrap();
        for (resource, path, expected) in [
            ("Greet", "Properties.Handlr", Some(5)),
            ("Greet", "Properties.Tags[0].Valu", Some(8)),
            ("Greet", "Properties.Tags[0].Nothing", Some(7)),
            ("Greet", "Properties.Role", Some(5)),
            ("Greet", "Type", Some(3)),
            ("Other", "Properties.Role", Some(9)),
            ("GreetUrl", "Properties.AuthType", None),
        ] {
            let expected = expected.map(|line| format!("line {line} of {}", file.display()));
            assert_eq!(written.place(resource, path), expected, "{resource} {path}");
        }
    }

    #[tokio::test]
    async fn what_is_no_application_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!Package::is_application(folder.path()));
        let problem = Package::read(folder.path(), &Options::default()).await.unwrap_err();
        assert!(problem.to_string().contains("index.mjs"), "{problem}");
        let problem = Package::read(&folder.path().join("missing"), &Options::default()).await.unwrap_err();
        assert_eq!(problem.exit(), crate::problem::Exit::Usage);
    }
}
