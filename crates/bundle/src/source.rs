//! Which function in a file of code is the handler. A look at its text, not an understanding of it: it finds what people write, and
//! falls back to the customary name.

/// The handler's name in a file of JavaScript: `handler` if it is exported, else the only thing that is, else `handler`.
pub(crate) fn javascript(text: &str) -> String {
    let mut names = Vec::new();
    for line in text.lines().map(str::trim_start) {
        for marker in ["exports.", "module.exports."] {
            if let Some(rest) = line.strip_prefix(marker) {
                let name = word(rest);
                if rest[name.len()..].trim_start().starts_with('=')
                    && !rest[name.len()..].trim_start().starts_with("==")
                {
                    names.push(name);
                }
            }
        }
        if let Some(rest) = line.strip_prefix("export ") {
            let rest = rest.trim_start();
            let rest = rest.strip_prefix("async ").unwrap_or(rest).trim_start();
            let declared =
                ["function*", "function", "const", "let", "var"].iter().find_map(|kind| rest.strip_prefix(kind));
            names.extend(declared.filter(|rest| rest.starts_with([' ', '\t'])).map(|rest| word(rest.trim_start())));
        }
    }
    chosen(&names, &["handler"], "handler")
}

/// Whether a file of JavaScript that may be started is a web server and no function: it listens, and exports no handler. Those that
/// are both, for work at home, are functions.
pub(crate) fn is_server(text: &str) -> bool {
    text.contains(".listen(") && !(text.contains("export") && text.contains("handler"))
}

/// The handler's name in a file of Python: `lambda_handler`, `handler` or `main` if it is there, else the only function, else what
/// the file's name makes customary.
pub(crate) fn python(file_stem: &str, text: &str) -> String {
    let functions =
        text.lines().filter_map(|line| line.strip_prefix("def ").or_else(|| line.strip_prefix("async def ")));
    // `handler = Something(…)` makes one too.
    let assigned = text.lines().filter(|line| {
        let name = word(line);
        ["handler", "lambda_handler"].contains(&name) && line[name.len()..].trim_start().starts_with('=')
    });
    let names: Vec<&str> = functions.chain(assigned).map(|rest| word(rest.trim_start())).collect();
    let customary = if file_stem == "lambda_function" { "lambda_handler" } else { "handler" };
    chosen(&names, &["lambda_handler", "handler", "main"], customary)
}

fn chosen(names: &[&str], preferred: &[&str], customary: &str) -> String {
    let found = preferred.iter().find(|name| names.contains(name)).copied();
    let only = match names {
        [only] if !only.is_empty() => Some(*only),
        _ => None,
    };
    found.or(only).unwrap_or(customary).to_owned()
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_found() {
        for (text, expected) in [
            ("exports.handler = async (event) => 1;", "handler"),
            ("module.exports.handler = f;\nexports.other = g", "handler"),
            ("export const handler = async () => {}", "handler"),
            ("export async function greet(event) {}", "greet"),
            ("export function a() {}\nexport function b() {}", "handler"),
            ("exports.run == 1;", "handler"),
            ("export default 1", "handler"),
            ("module.exports = { handler }", "handler"),
            ("", "handler"),
        ] {
            assert_eq!(javascript(text), expected, "{text}");
        }
        for (text, expected) in [
            ("http.createServer(handler).listen(process.env.PORT)", true),
            ("exports.handler = f;\nif (require.main === module) app.listen(3000)", false),
            ("module.exports = app", false),
        ] {
            assert_eq!(is_server(text), expected, "{text}");
        }
        for (stem, text, expected) in [
            ("app", "def handler(event, context):\n  pass", "handler"),
            ("app", "def helper():\n  pass\ndef lambda_handler(event, context):\n  pass", "lambda_handler"),
            ("app", "def greet(event, context):\n  def inner(): pass", "greet"),
            ("app", "handler = Mangum(app)\ndef root(): pass\ndef two(): pass", "handler"),
            ("app", "def a(): pass\ndef b(): pass", "handler"),
            ("lambda_function", "", "lambda_handler"),
            ("main", "def main(event, context): pass\ndef x(): pass", "main"),
        ] {
            assert_eq!(python(stem, text), expected, "{text}");
        }
    }
}
