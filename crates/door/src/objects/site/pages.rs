//! Pages that tell what went wrong, as S3's websites have them. Pure.

use std::fmt::Write as _;

use contract::Fault;
use http::StatusCode;

/// The page of a fault; `second` is what went wrong with the site's own page for it.
pub(super) fn error(
    status: StatusCode,
    fault: &Fault,
    ids: &[(&'static str, String)],
    second: Option<&Fault>,
) -> String {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    let mut page = format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n");
    list(&mut page, fault);
    for (name, value) in ids {
        line(&mut page, name, value);
    }
    page.push_str("</ul>\n");
    if let Some(second) = second {
        page.push_str("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n");
        list(&mut page, second);
        page.push_str("</ul>\n");
    }
    page.push_str("<hr/>\n</body>\n</html>\n");
    page
}

fn list(page: &mut String, fault: &Fault) {
    line(page, "Code", &fault.code);
    line(page, "Message", &fault.message);
    // What is said in headers begins with a small letter.
    for (name, value) in fault.members.iter().filter(|(name, _)| name.starts_with(char::is_uppercase)) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        line(page, name, &text);
    }
}

fn line(page: &mut String, name: &str, value: &str) {
    writeln!(page, "<li>{name}: {}</li>", escaped(value)).expect("a String takes everything");
}

/// As a page may show it: what people ask for must never become a part of it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use contract::Cause;

    use super::*;

    #[test]
    fn pages_show_what_was_asked_and_never_run_it() {
        let fault = Fault::new(Cause::NotFound, "NoSuchKey", "The specified key does not exist.")
            .with("Key", "<script>alert('x')</script>")
            .with("x-amz-delete-marker", "true");
        let page = error(StatusCode::NOT_FOUND, &fault, &[("RequestId", "1".into())], Some(&fault));
        assert!(page.contains("<title>404 Not Found</title>") && page.contains("<li>Code: NoSuchKey</li>"), "{page}");
        assert!(page.contains("<li>Key: &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</li>"), "{page}");
        assert!(!page.contains("<script>") && !page.contains("delete-marker"), "{page}");
        assert_eq!(page.matches("Custom Error Document").count(), 1);
        let plain = error(StatusCode::FORBIDDEN, &fault, &[], None);
        assert!(
            plain.starts_with("<html>\n<head><title>403 Forbidden</title>") && !plain.contains("Custom"),
            "{plain}"
        );
    }
}
