//! This program as the bare server that others are compared with: hyper, and nothing behind it. It greets, or gives away and takes as many
//! bytes as the path says (`/any/BYTES/…`), so that it is seen what the load program and the machine can do at most.

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What starts it: `bench bare`.
pub const ARGUMENT: &str = "bare";

/// Says where it listens, and answers for ever.
pub fn serve() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening {}", listener.local_addr()?.port());
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
            while connections.try_join_next().is_some() {}
        }
    })
}

/// What is given away.
static BYTES: [u8; 8 << 20] = [b'x'; 8 << 20];

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let bytes = request.uri().path().split('/').nth(2).and_then(|bytes| bytes.parse().ok());
    let body = match bytes {
        Some(bytes) if request.method() == Method::GET => Bytes::from_static(BYTES.get(..bytes).unwrap_or(&BYTES)),
        Some(_) => {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                frame?;
            }
            Bytes::new()
        }
        None => Bytes::from_static(b"\"Hello\""),
    };
    Ok(Response::new(Full::new(body)))
}
