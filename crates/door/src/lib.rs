//! Sockets and HTTP: bytes become calls, answers become bytes.
