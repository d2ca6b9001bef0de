//! What `up` prints once it is ready: short, and every line that one may want to paste stands alone.

use std::time::Duration;

use crate::credentials::Credentials;
use crate::endpoint::Endpoint;
use crate::function::Function;
use crate::screen::Look;

/// Above this many functions, only the first are shown.
const FUNCTIONS_SHOWN_MAX: usize = 20;

/// All that a person wants to know at the start.
#[derive(Debug)]
pub(super) struct Banner<'a> {
    pub(super) took: Duration,
    pub(super) endpoint: &'a Endpoint,
    pub(super) public: Option<&'a Endpoint>,
    pub(super) region: &'a str,
    pub(super) functions: &'a [Function],
    /// What AWS's tools need: the placeholder in open mode.
    pub(super) credentials: &'a Credentials,
    /// Where the data lies; nothing with `--memory`.
    pub(super) data: Option<String>,
    /// What is on.
    pub(super) isolation: String,
    /// What of the isolation is missing.
    pub(super) missing: Option<String>,
    pub(super) warnings: &'a [String],
    pub(super) watching: &'a [String],
    /// What could be done next, when nothing is deployed.
    pub(super) hint: Option<String>,
}

impl Banner<'_> {
    /// The text, with a line's end.
    pub(super) fn render(&self, look: &Look) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            text.push_str(line.trim_end());
            text.push('\n');
        };
        let title = look.strong(concat!("Freehold ", env!("CARGO_PKG_VERSION")));
        line(format!("{title} {}", look.faint(&format!("ready in {} ms", self.took.as_millis()))));
        line(String::new());
        self.functions(look, &mut line);
        line(format!("  {}    {}", look.strong("AWS API"), look.link(&self.endpoint.to_string())));
        line(format!("    {}", self.exports()));
        if let Some(public) = self.public {
            line(format!("  {}     {} (functions only)", look.strong("Public"), look.link(&public.to_string())));
        }
        let data = self.data.as_deref().unwrap_or("in memory: nothing is kept");
        line(format!("  {}       {data}", look.strong("Data")));
        line(format!("  {}  {}", look.strong("Isolation"), self.isolation));
        if let Some(missing) = &self.missing {
            line(format!(
                "             {} {missing} {}",
                look.wary("missing:"),
                look.faint("(freehold doctor tells more)")
            ));
        }
        for warning in self.warnings {
            line(format!("  {} {warning}", look.wary("!")));
        }
        line(String::new());
        if !self.watching.is_empty() {
            line(look.faint(&format!("Watching {}: saving a file redeploys it.", self.watching.join(", "))));
        }
        if let Some(hint) = &self.hint {
            line(look.faint(hint));
        }
        line(look.faint("Ctrl-C stops."));
        text
    }

    fn functions(&self, look: &Look, line: &mut impl FnMut(String)) {
        let width = self.functions.iter().map(|function| function.name.len()).max().unwrap_or_default();
        for function in self.functions.iter().take(FUNCTIONS_SHOWN_MAX) {
            let reach = match &function.url {
                Some(url) => look.link(&format!("curl {url}")),
                None => look.faint(&format!("freehold invoke {}", function.name)),
            };
            line(format!("  {:<width$}  {reach}", function.name));
        }
        match self.functions.len().checked_sub(FUNCTIONS_SHOWN_MAX) {
            None | Some(0) => {}
            Some(more) => line(format!("  … and {more} more: freehold ls")),
        }
        if !self.functions.is_empty() {
            line(String::new());
        }
    }

    /// One line to paste. A real secret is not shown: terminals are recorded.
    fn exports(&self) -> String {
        let (endpoint, region) = (self.endpoint, self.region);
        match &self.credentials.source {
            crate::credentials::Source::Placeholder => format!(
                "export AWS_ENDPOINT_URL={endpoint} AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_REGION={region} \
                 AWS_DEFAULT_REGION={region}",
                self.credentials.key_id, self.credentials.secret,
            ),
            // Its reader may be in another folder, and the node at another address than the usual one.
            crate::credentials::Source::DataFolder(folder) => format!(
                "export AWS_ENDPOINT_URL={endpoint} AWS_REGION={region} AWS_DEFAULT_REGION={region}   # with the root key: eval \
                 \"$(freehold env --endpoint {endpoint} --region {region} --data '{}')\"",
                std::path::absolute(folder).as_ref().unwrap_or(folder).display().to_string().replace('\'', r"'\''")
            ),
            crate::credentials::Source::Environment => {
                format!("export AWS_ENDPOINT_URL={endpoint} AWS_REGION={region} AWS_DEFAULT_REGION={region}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_told_in_few_lines() {
        let functions =
            [Function::fixture("greet", Some("http://127.0.0.1:4566/_fn/greet/")), Function::fixture("worker", None)];
        let warnings = ["hello-ruby was left out: no Ruby".to_owned()];
        let watching = ["examples/hello".to_owned()];
        let mut banner = Banner {
            took: Duration::from_millis(87),
            endpoint: &Endpoint::of("127.0.0.1:4566".parse().unwrap()),
            public: None,
            region: "us-east-1",
            functions: &functions,
            credentials: &Credentials::placeholder(),
            data: Some(".freehold".to_owned()),
            isolation: "namespaces, memory limit".to_owned(),
            missing: Some("own network".to_owned()),
            warnings: &warnings,
            watching: &watching,
            hint: None,
        };
        assert_eq!(
            banner.render(&Look::plain()),
            concat!(
                "Freehold ",
                env!("CARGO_PKG_VERSION"),
                " ready in 87 ms

  greet   curl http://127.0.0.1:4566/_fn/greet/
  worker  freehold invoke worker

  AWS API    http://127.0.0.1:4566
    export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  Data       .freehold
  Isolation  namespaces, memory limit
             missing: own network (freehold doctor tells more)
  ! hello-ruby was left out: no Ruby

Watching examples/hello: saving a file redeploys it.
Ctrl-C stops.
"
            )
        );
        let many: Vec<Function> = (0..25).map(|number| Function::fixture(&format!("f{number}"), None)).collect();
        banner.functions = &many;
        banner.data = None;
        let text = banner.render(&Look::plain());
        assert!(text.contains("… and 5 more") && text.contains("nothing is kept"), "{text}");
    }

    #[test]
    fn a_real_secret_is_not_shown() {
        let credentials = Credentials {
            secret: "hush".to_owned(),
            source: crate::credentials::Source::DataFolder("/it's/x".into()),
            ..Credentials::placeholder()
        };
        let banner = Banner {
            took: Duration::ZERO,
            endpoint: &Endpoint::of("127.0.0.1:1".parse().unwrap()),
            public: None,
            region: "eu-central-1",
            functions: &[],
            credentials: &credentials,
            data: None,
            isolation: "none".to_owned(),
            missing: None,
            warnings: &[],
            watching: &[],
            hint: None,
        };
        let text = banner.render(&Look::plain());
        assert!(!text.contains("hush"), "{text}");
        let line = r#"eval "$(freehold env --endpoint http://127.0.0.1:1 --region eu-central-1 --data '/it'\''s/x')""#;
        assert!(text.contains(line), "{text}");
    }
}
