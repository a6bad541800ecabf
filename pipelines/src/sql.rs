//! SQL over the stores of a run. Owns what becomes of its flags, and what is said where the build has none; must not know
//! what is asked.

use std::sync::Arc;

use candlewick_server::{Access, Application};

use crate::cli::SqlFlags;
use crate::error::CommandError;

/// An endpoint that answers until it is dropped.
#[cfg(feature = "sql")]
pub type Endpoint = candlewick_sql::SqlServer;

/// There is none in this build.
#[cfg(not(feature = "sql"))]
#[derive(Debug)]
pub enum Endpoint {}

/// Refuses what cannot be done before anything has started.
///
/// # Errors
/// [`CommandError::Usage`] when SQL is asked for and the build has none.
#[cfg(not(feature = "sql"))]
pub fn check(flags: &SqlFlags) -> Result<(), CommandError> {
    match flags.address {
        Some(_) => Err(CommandError::Usage(
            "--sql needs a query engine, which this build lacks: build with the cargo feature `sql`"
                .to_owned(),
        )),
        None => Ok(()),
    }
}

/// Refuses what cannot be done before anything has started.
///
/// # Errors
/// When the address is open to other machines and there is no password.
#[cfg(feature = "sql")]
pub fn check(flags: &SqlFlags) -> Result<(), CommandError> {
    match flags.address {
        Some(address) if !address.ip().is_loopback() && flags.password.is_none() => {
            Err(candlewick_sql::SqlError::PasswordMissing { address }.into())
        }
        _ => Ok(()),
    }
}

/// Starts to answer, where that is asked for.
///
/// # Errors
/// As [`check`].
#[cfg(not(feature = "sql"))]
pub fn start(
    flags: &SqlFlags,
    application: Arc<dyn Application>,
    access: Access,
) -> Result<Option<Endpoint>, CommandError> {
    drop((application, access));
    check(flags).map(|()| None)
}

/// Starts to answer, where that is asked for.
///
/// # Errors
/// When the endpoint cannot be started.
#[cfg(feature = "sql")]
pub fn start(
    flags: &SqlFlags,
    application: Arc<dyn Application>,
    access: Access,
) -> Result<Option<Endpoint>, CommandError> {
    let Some(address) = flags.address else { return Ok(None) };
    let options = candlewick_sql::SqlOptions {
        password: flags.password.as_ref().map(|password| password.reveal().to_owned()),
        statement_timeout: flags.timeout,
        connections_max: flags.connections,
        scan_rows_max: flags.scan_rows,
        memory_bytes_max: flags.memory_bytes,
        access,
        ..candlewick_sql::SqlOptions::default()
    };
    let endpoint = Endpoint::start(address, application, options)?;
    let at = endpoint.local_addr();
    println!("candlewick: postgresql://{at}/candlewick");
    Ok(Some(endpoint))
}

/// Answers no more.
pub fn stop(endpoint: Option<Endpoint>) {
    // It ends when it is dropped.
    let _ended = endpoint;
}
