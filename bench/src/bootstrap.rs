//! This program as a function: a `bootstrap` that says hello by the Lambda Runtime API, with nothing but a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};

/// Where the Runtime API is, if this was started as a function.
pub fn runtime_api() -> Option<String> {
    std::env::var("AWS_LAMBDA_RUNTIME_API").ok()
}

/// Answers one invocation after the other, for ever.
pub fn serve(api: &str) -> Result<()> {
    let mut connection = BufReader::new(TcpStream::connect(api)?);
    loop {
        let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {api}\r\n\r\n");
        connection.get_mut().write_all(next.as_bytes())?;
        let id = answer(&mut connection)?.context("an invocation without an id")?;
        let body = "\"Hello\"";
        let path = format!("/2018-06-01/runtime/invocation/{id}/response");
        let head = format!("POST {path} HTTP/1.1\r\nHost: {api}\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.get_mut().write_all((head + body).as_bytes())?;
        answer(&mut connection)?;
    }
}

/// Reads one answer, and says the request id in it.
fn answer(connection: &mut BufReader<TcpStream>) -> Result<Option<String>> {
    let (mut id, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "lambda-runtime-aws-request-id" => id = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(id)
}
