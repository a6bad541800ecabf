//! `candlewick health`: asks a running candlewick how it is, for containers that have no curl.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::cli::HealthOptions;
use crate::error::CommandError;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Succeeds when the status server answers that all is well.
///
/// # Errors
/// When it does not answer, or answers otherwise.
pub fn health(options: &HealthOptions) -> Result<(), CommandError> {
    let path = if options.ready { "/health/ready" } else { "/health/live" };
    let mut address = options.listen;
    if address.ip().is_unspecified() {
        // What listens everywhere is asked at home.
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let unreachable = |error: std::io::Error| {
        CommandError::Stopped(format!("http://{address}{path} does not answer: {error}"))
    };
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(unreachable)?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(unreachable)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(unreachable)?;
    let mut answer = Vec::new();
    stream.take(4_096).read_to_end(&mut answer).map_err(unreachable)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split_whitespace().nth(1).unwrap_or("no status");
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default().trim();
    println!("{body}");
    if status == "200" { Ok(()) } else { Err(CommandError::Stopped(format!("{path} answers {status}"))) }
}
