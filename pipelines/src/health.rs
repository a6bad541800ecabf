//! `candlewick health`: asks a running candlewick how it is, for containers that have no curl.

use candlewick_server::ask_health;

use crate::cli::HealthOptions;
use crate::error::CommandError;

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
    let (status, body) =
        ask_health(address, path, options.tls_certificate.is_some()).map_err(CommandError::Stopped)?;
    println!("{}", body.trim());
    if status == 200 { Ok(()) } else { Err(CommandError::Stopped(format!("{path} answers {status}"))) }
}
