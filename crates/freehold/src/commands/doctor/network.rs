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
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_taken_port_is_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let check = port(taken.local_addr().unwrap());
        assert_eq!(check.verdict, Verdict::Poor);
        assert!(check.remedy.is_some_and(|remedy| remedy.contains("--listen")));
    }
}
