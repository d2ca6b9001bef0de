//! Folders made for another cloud's way to call functions, which is not served here, and what to do with them. Without this they would
//! become functions that have no handler, and say so at their first call only.

use std::path::Path;

const WORKER: &str = "a Cloudflare Worker is not run as it is. Export a function handler(event, context) as Lambda has it, or put a \
                      server.mjs beside it that listens on $PORT and hands each Request to its fetch (bindings, such as KV and D1, are \
                      not there)";
const AZURE: &str = "an app of Azure Functions needs Azure's host, which is not run here. Export a function handler(event, context) as \
                     Lambda has it; a custom handler that gets requests forwarded is started by a Procfile: \
                     web: FUNCTIONS_CUSTOMHANDLER_PORT=$PORT ./handler";

/// What has to be done before such a folder is a function, as the end of a sentence.
pub(crate) fn advice(folder: &Path) -> Option<&'static str> {
    let has = |name: &str| folder.join(name).is_file();
    if ["wrangler.toml", "wrangler.json", "wrangler.jsonc"].into_iter().any(has) {
        return Some(WORKER);
    }
    if has("host.json") {
        return Some(AZURE);
    }
    let is_worker = |name| std::fs::read_to_string(folder.join(name)).is_ok_and(|text| is_worker(&text));
    ["index.mjs", "index.js", "worker.mjs", "worker.js"].into_iter().any(is_worker).then_some(WORKER)
}

/// Whether a module's default export has a `fetch`, and nothing in it is a handler.
fn is_worker(text: &str) -> bool {
    let Some((_, object)) = text.split_once("export default").filter(|(_, rest)| rest.trim_start().starts_with('{'))
    else {
        return false;
    };
    let is_member = |(at, name): (usize, &str)| {
        let (before, after) = (object[..at].trim_end(), object[at + name.len()..].trim_start());
        (before.ends_with(['{', ',', '}']) || before.ends_with("async")) && after.starts_with(['(', ':', ',', '}'])
    };
    !text.contains("handler") && object.match_indices("fetch").any(is_member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_known() {
        for (text, expected) in [
            ("export default { fetch(request) { return new Response('hi') } }", true),
            ("const x = 1\nexport default {\n  async fetch(request, env, ctx) {\n  },\n};", true),
            ("export default { fetch: app.fetch }", true),
            ("export default { port: 3000, fetch }", true),
            ("export default { async scheduled() {}, fetch }", true),
            ("export default { load: async () => await fetch('http://x') }", false),
            ("export default { fetch() {} }\nexport const handler = async () => 1", false),
            ("export const handler = async () => fetch('http://x')", false),
            ("export default app", false),
            ("", false),
        ] {
            assert_eq!(is_worker(text), expected, "{text}");
        }
    }
}
