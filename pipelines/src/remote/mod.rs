//! A running server as the commands use it (`replay`, `bench`, `tap`, `topics`, `top`, `login`, the demo): over HTTP/1.1, in
//! clear or over TLS, in the name of one caller.

mod authentication;
mod client;
mod connection;
mod origin;
mod server;
mod target;
mod tls;

pub use self::{
    authentication::{Authentication, Token, needs_login},
    client::Client,
    connection::{Answer, Connection},
    origin::Origin,
    server::Server,
    target::Target,
};
