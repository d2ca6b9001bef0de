//! What a folder is: an application, a function, or a folder of functions; and which runtime and handler a function has that nobody
//! configured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use template::Node;

use crate::{Error, compiled, foreign, names, source};

/// The runtimes that are chosen where nobody says: the newest long-lived of each language.
const NODE: &str = "nodejs24.x";
const PYTHON: &str = "python3.13";
const PROVIDED: &str = "provided.al2023";
/// Any program that is a web server on `$PORT`.
const HTTP: &str = "http";
/// What a server that nobody configured may take: the customary values of platforms that run servers. A stream may last.
const SERVER_TIMEOUT_S: u32 = 300;
const SERVER_MEMORY_MB: u32 = 512;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A template's file.
    Application(PathBuf),
    /// One function, or those in the folders of a folder; and what to know of folders that were left out.
    Functions(Vec<Function>, Vec<String>),
}

/// A function that needs no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, made from the folder's.
    pub name: String,
    /// The folder, or the single file.
    pub path: PathBuf,
    /// Such as `nodejs24.x`.
    pub runtime: &'static str,
    /// Such as `index.handler`.
    pub handler: String,
}

/// Finds out what `path` is.
pub fn find(path: &Path) -> Result<Found, Error> {
    let is_dir = path.metadata().map_err(|_| Error::Missing { path: path.to_owned() })?.is_dir();
    if !is_dir {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ["yaml", "yml", "json"].contains(&ending) {
            return Ok(Found::Application(path.to_owned()));
        }
        let function = function_in_file(path)?.ok_or_else(|| Error::Nothing { path: path.to_owned(), hint: "" })?;
        return Ok(Found::Functions(vec![function], Vec::new()));
    }
    if let Some(template) = ["template.yaml", "template.yml", "template.json"]
        .map(|name| path.join(name))
        .into_iter()
        .find(|file| file.is_file())
    {
        return Ok(Found::Application(template));
    }
    if let Some(function) = function_in(path)? {
        return Ok(Found::Functions(vec![function], Vec::new()));
    }
    if let Some(advice) = advice(path)? {
        return Err(Error::Source { path: path.to_owned(), advice });
    }
    let mut functions: BTreeMap<String, Function> = BTreeMap::new();
    let mut left_out = Vec::new();
    for folder in folders_in(path)? {
        let Some(function) = function_in(&folder)? else {
            left_out.extend(advice(&folder)?.map(|advice| (folder, advice)));
            continue;
        };
        let id = names::logical_id(&function.name).to_ascii_lowercase();
        if let Some(other) = functions.get(&id) {
            let (first, second) = (other.path.clone(), function.path);
            return Err(Error::SameName { name: function.name, first, second });
        }
        functions.insert(id, function);
    }
    if functions.is_empty() {
        if let Some((path, advice)) = left_out.into_iter().next() {
            return Err(Error::Source { path, advice });
        }
        return Err(Error::Nothing { path: path.to_owned(), hint: hint_for(path) });
    }
    let left_out = left_out.iter().map(|(path, advice)| format!("{} is left out: {advice}.", path.display()));
    Ok(Found::Functions(functions.into_values().collect(), left_out.collect()))
}

/// What has to be done before a folder is a function.
fn advice(folder: &Path) -> Result<Option<&'static str>, Error> {
    Ok(foreign::advice(folder).or(compiled::advice(folder)?))
}

/// What is not run as it is, by how its files' names end, and what to do with it.
const HINTS: [(&[&str], &str); 3] = [
    (&[".ts", ".mts"], "; TypeScript must be compiled to JavaScript first"),
    (&[".rb", ".php"], "; an executable bootstrap or a Procfile must say what starts it, such as: web: ruby server.rb"),
    (
        &["Dockerfile", "Containerfile"],
        "; an image is built first, and a template names it: PackageType: Image, ImageUri: file:/PATH/image.tar",
    ),
];

/// What may help where a folder is nothing that can be run.
fn hint_for(folder: &Path) -> &'static str {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let is_there = |endings: &[&str]| names.iter().any(|name| endings.iter().any(|ending| name.ends_with(ending)));
    HINTS.iter().find(|(endings, _)| is_there(endings)).map_or("", |(_, hint)| hint)
}

/// The function that a folder is, if it is one.
pub(crate) fn function_in(folder: &Path) -> Result<Option<Function>, Error> {
    let function = |runtime: &'static str, handler: String| {
        Some(Function { name: names::function(folder), path: folder.to_owned(), runtime, handler })
    };
    let bootstrap = folder.join("bootstrap");
    if bootstrap.is_file() {
        if !is_executable(&bootstrap) && !is_wasm(&bootstrap)? {
            return Err(Error::NotExecutable { path: bootstrap });
        }
        // A script that starts what is not there.
        if compiled::advice(folder)?.is_some() {
            return Ok(None);
        }
        return Ok(function(PROVIDED, "bootstrap".to_owned()));
    }
    for file in ["Procfile", "server.py", "server.mjs", "server.js", "server.cjs"] {
        if folder.join(file).is_file() {
            return Ok(function(HTTP, file.to_owned()));
        }
    }
    if foreign::advice(folder).is_some() {
        return Ok(None);
    }
    let Package { main, has_start, is_served } = package_in(folder)?;
    if is_served {
        return Ok(function(HTTP, PACKAGE.to_owned()));
    }
    for file in main.iter().map(String::as_str).chain(["index.mjs", "index.js", "index.cjs"]) {
        if folder.join(file).is_file() {
            let text = text_of(&folder.join(file))?;
            if has_start && source::is_server(&text) {
                return Ok(function(HTTP, PACKAGE.to_owned()));
            }
            let name = source::javascript(&text);
            let module = file.rsplit_once('.').map_or(file, |(module, _)| module);
            return Ok(function(NODE, format!("{module}.{name}")));
        }
    }
    if has_start {
        return Ok(function(HTTP, PACKAGE.to_owned()));
    }
    for file in ["lambda_function.py", "app.py", "main.py", "handler.py"] {
        if folder.join(file).is_file() {
            let module = file.trim_end_matches(".py");
            let name = source::python(module, &text_of(&folder.join(file))?);
            return Ok(function(PYTHON, format!("{module}.{name}")));
        }
    }
    // Last, because functions of other languages may have such files for their own use.
    Ok(wasm_in(folder)?.and_then(|binary| function(PROVIDED, binary)))
}

/// The WebAssembly binary of a folder: of one of the usual names, or the only one there is.
fn wasm_in(folder: &Path) -> Result<Option<String>, Error> {
    let usual = ["app.wasm", "main.wasm"].into_iter().find(|name| folder.join(name).is_file());
    if let Some(name) = usual {
        return Ok(Some(name.to_owned()));
    }
    let wrong = |why| Error::Read { path: folder.to_owned(), why };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let name = entry.map_err(wrong)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".wasm") && folder.join(&name).is_file() {
            found.push(name);
        }
    }
    Ok(found.pop().filter(|_| found.is_empty()))
}

/// A template for functions that have none: each with a URL that anybody may call.
pub(crate) fn template_for(functions: &[Function]) -> Node {
    let (mut resources, mut outputs) = (Map::new(), Map::new());
    for function in functions {
        let id = names::logical_id(&function.name);
        let mut properties = json!({
            "FunctionName": function.name,
            "CodeUri": function.path.to_string_lossy(),
            "Runtime": function.runtime,
            "Handler": function.handler,
            "FunctionUrlConfig": { "AuthType": "NONE" },
        });
        if function.runtime == HTTP {
            properties["Timeout"] = SERVER_TIMEOUT_S.into();
            properties["MemorySize"] = SERVER_MEMORY_MB.into();
        }
        outputs.insert(format!("{id}Url"), json!({ "Value": { "Fn::GetAtt": [format!("{id}Url"), "FunctionUrl"] } }));
        resources.insert(id, json!({ "Type": "AWS::Serverless::Function", "Properties": properties }));
    }
    let document = json!({ "Transform": "AWS::Serverless-2016-10-31", "Resources": resources, "Outputs": outputs });
    Node::from_json(&document, 0)
}

fn function_in_file(file: &Path) -> Result<Option<Function>, Error> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let name = names::function(file);
    let ending = file.extension().and_then(|ending| ending.to_str());
    if let ("server", Some(ending @ ("py" | "mjs" | "js" | "cjs"))) = (stem.as_str(), ending) {
        let handler = format!("{stem}.{ending}");
        return Ok(Some(Function { name, path: file.to_owned(), runtime: HTTP, handler }));
    }
    let (runtime, handler) = match ending {
        Some("mjs" | "js" | "cjs") => (NODE, source::javascript(&text_of(file)?)),
        Some("py") => (PYTHON, source::python(&stem, &text_of(file)?)),
        Some("wasm") => (PROVIDED, "wasm".to_owned()),
        Some(_) | None => return Ok(None),
    };
    Ok(Some(Function { name, path: file.to_owned(), runtime, handler: format!("{stem}.{handler}") }))
}

/// The file in which packages of JavaScript say what they are.
const PACKAGE: &str = "package.json";

/// What a `package.json` says.
#[derive(Default)]
struct Package {
    /// Its `main`, if that leads to a file.
    main: Option<String>,
    /// Whether it has a `start` script.
    has_start: bool,
    /// Whether that starts another cloud's server around its functions: alone they are none of ours.
    is_served: bool,
}

fn package_in(folder: &Path) -> Result<Package, Error> {
    let package = folder.join(PACKAGE);
    if !package.is_file() {
        return Ok(Package::default());
    }
    // A package file that is broken is the function's own trouble when it runs; here it only says nothing.
    let document: Value = serde_json::from_str(&text_of(&package)?).unwrap_or_default();
    let start = document["scripts"]["start"].as_str().unwrap_or_default();
    let has_start = !start.trim().is_empty();
    let is_served = start.split_whitespace().any(|word| word.rsplit('/').next() == Some("functions-framework"));
    let main = document["main"].as_str().unwrap_or_default().trim_start_matches("./");
    let inside = !main.is_empty() && !main.starts_with('/') && !main.split('/').any(|part| part == "..");
    let endings = ["", ".js", ".mjs", ".cjs", "/index.js"];
    let mut files = endings.iter().map(|ending| format!("{main}{ending}"));
    Ok(Package { main: files.find(|file| inside && folder.join(file).is_file()), has_start, is_served })
}

fn folders_in(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let wrong = |why| Error::Read { path: path.to_owned(), why };
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.') || entry.file_name() == "node_modules";
        if !hidden && entry.path().is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// The text of a file; what is no text in it does not matter here.
fn text_of(path: &Path) -> Result<String, Error> {
    let bytes = std::fs::read(path).map_err(|why| Error::Read { path: path.to_owned(), why })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a file begins as WebAssembly binaries do.
fn is_wasm(path: &Path) -> Result<bool, Error> {
    use std::io::Read;
    let mut first = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4).read_to_end(&mut first));
    read.map_err(|why| Error::Read { path: path.to_owned(), why })?;
    Ok(first == b"\0asm")
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}
