//! Names for stacks, functions and resources, made from the names of folders.

use std::path::Path;

/// A stack's name: letters, digits and hyphens, a letter first.
pub(crate) fn stack(path: &Path) -> String {
    let name = cut(words(&stem(path), "-"), 100);
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name
    } else {
        format!("app-{name}").trim_end_matches('-').to_owned()
    }
}

/// A function's name: letters, digits, hyphens and underscores.
pub(crate) fn function(path: &Path) -> String {
    let kept =
        stem(path).chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect::<String>();
    let name = cut(kept.trim_matches('-').to_owned(), 64);
    if name.is_empty() { "function".to_owned() } else { name }
}

/// A logical id: letters and digits only, each word with a capital.
pub(crate) fn logical_id(name: &str) -> String {
    let mut id = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    if id.is_empty() { "Function".to_owned() } else { id }
}

/// The last part of a path, without the ending of a file of code.
fn stem(path: &Path) -> String {
    let name = if path.is_file() { path.file_stem() } else { path.file_name() };
    let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // A template's own name says nothing of what it is about; its folder's does.
    match (name.as_str(), path.is_file(), path.parent()) {
        ("template", true, Some(parent)) => stem(parent),
        _ => name,
    }
}

fn words(text: &str, between: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(between)
}

fn cut(mut text: String, length: usize) -> String {
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_from_folders() {
        for (folder, expected_stack, expected_function, expected_id) in [
            ("/x/hello-node", "hello-node", "hello-node", "HelloNode"),
            ("/x/my_app 2", "my-app-2", "my_app-2", "MyApp2"),
            ("/x/2fast", "app-2fast", "2fast", "2fast"),
            ("/x/.hidden", "hidden", "hidden", "Hidden"),
            ("/x/ünïcode", "n-code", "n-code", "NCode"),
            ("/", "app", "function", "Function"),
        ] {
            let path = Path::new(folder);
            let function_name = function(path);
            assert_eq!(stack(path), expected_stack, "{folder}");
            assert_eq!(function_name, expected_function, "{folder}");
            assert_eq!(logical_id(&function_name), expected_id, "{folder}");
        }
    }
}
