//! The door over real sockets, with a toy's operations behind it.

mod asking;
mod connecting;
mod house;
mod proving;
