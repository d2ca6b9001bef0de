//! Whether a node answers, and whether one could listen.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::Value;

use super::Check;
use crate::client;
use crate::credentials::Credentials;
use crate::endpoint::LISTEN_DEFAULT;
use crate::problem::Problem;
use crate::session::Session;

/// The endpoint, and, where nobody answers, the port.
pub(super) async fn checks(session: &Session) -> Result<Vec<Check>, Problem> {
    let mut checks = Vec::new();
    // Whoever asks the doctor need not have a key, nor a data folder yet; a key that cannot be read is worth knowing.
    let credentials = Credentials::of_data_folder(session.data()).unwrap_or_else(|problem| {
        checks.push(Check::bad(
            "root key",
            problem.to_string(),
            "restore credentials.json from a backup, or move it away",
        ));
        None
    });
    let credentials = credentials.unwrap_or_else(Credentials::placeholder);
    let client = session.client_of(session.endpoint()?, credentials);
    let endpoint = client.endpoint();
    let subject = "node";
    match client.get("/_health").await {
        Ok(health) => {
            let status = health.get("status").and_then(Value::as_str).unwrap_or("ready");
            checks.push(Check::good(subject, format!("{endpoint} answers: {status}")));
            // A node that does not tell us (we have no key, it is older) is no worse for it.
            checks.extend(client.get("/_blobs").await.ok().as_ref().and_then(stored_bytes));
        }
        // Most people ask the doctor before they start one: no lack.
        Err(client::Error::NobodyThere { .. }) => {
            checks.extend([Check::good(subject, format!("none runs at {endpoint}")), port(LISTEN_DEFAULT)]);
        }
        Err(error) => checks.push(Check::poor(
            subject,
            error.to_string(),
            "something else may listen there; choose another port with: freehold up --listen 127.0.0.1:0",
        )),
    }
    Ok(checks)
}

/// Whether what the node has stored is what was put.
fn stored_bytes(report: &Value) -> Option<Check> {
    /// More names than fit a few lines help nobody; `GET /_blobs` has all.
    const NAMES_MAX: usize = 5;
    let subject = "stored bytes";
    let damaged = report.get("damaged")?.as_array()?;
    let names: Vec<&str> = damaged.iter().filter_map(|damage| damage.get("id")?.as_str()).take(NAMES_MAX).collect();
    if !names.is_empty() {
        let more = if damaged.len() > names.len() { ", …" } else { "" };
        let found = format!("{} damaged: {}{more}", damaged.len(), names.join(", "));
        return Some(Check::bad(
            subject,
            found,
            "look after the disk; restore these from a backup, or upload them again",
        ));
    }
    let scrub = report.get("scrub")?;
    let found = match (scrub.get("passes")?.as_u64()?, scrub.get("blobs")?.as_u64()?) {
        (0, 0) => "not all read again yet; no damage known".to_owned(),
        (0, blobs) => format!("{blobs} read again so far; no damage"),
        (_, blobs) => format!("{blobs} read again in the last pass; no damage"),
    };
    Some(Check::good(subject, found))
}

fn port(address: std::net::SocketAddr) -> Check {
    let subject = format!("port {}", address.port());
    match TcpListener::bind(address) {
        Ok(_) => Check::good(subject, "free"),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Check::poor(
            subject,
            "taken by another program",
            "choose another: freehold up --listen 127.0.0.1:PORT (0 takes any that is free)",
        ),
        Err(error) => Check::poor(subject, error.to_string(), "choose another: freehold up --listen 127.0.0.1:PORT"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Verdict;
    use super::*;

    #[test]
    fn damaged_bytes_are_named() {
        let scrub = |passes, blobs| json!({ "damaged": [], "scrub": { "passes": passes, "blobs": blobs } });
        let found = |report: Value| stored_bytes(&report).map(|check| (check.verdict, check.found));
        let good = |text: &str| Some((Verdict::Good, text.to_owned()));
        assert_eq!(found(scrub(0, 0)), good("not all read again yet; no damage known"));
        assert_eq!(found(scrub(0, 7)), good("7 read again so far; no damage"));
        assert_eq!(found(scrub(2, 7)), good("7 read again in the last pass; no damage"));
        let damaged = json!({ "damaged": [{ "id": "ab" }, { "id": "cd" }], "scrub": {} });
        assert_eq!(found(damaged), Some((Verdict::Bad, "2 damaged: ab, cd".to_owned())));
        assert_eq!(found(json!({ "message": "no" })), None);
    }

    #[test]
    fn a_taken_port_is_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let check = port(taken.local_addr().unwrap());
        assert_eq!(check.verdict, Verdict::Poor);
        assert!(check.remedy.is_some_and(|remedy| remedy.contains("--listen")));
    }
}
