//! The beginning of a connection: the protocol's version, the log-in, and what the server says of itself. Must not know
//! statements.

use std::collections::HashMap;
use std::fmt::Debug;

use async_trait::async_trait;
use futures_util::Sink;
use pgwire::api::auth::driver::AuthOutcome;
use pgwire::api::auth::{
    AuthDriver, ServerParameterProvider, StartupHandler, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{ClientInfo, ConnectionManager, METADATA_APPLICATION_NAME, METADATA_USER};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use std::sync::Arc;

use super::fault::fatal;
use super::log_in::Login;
use crate::statement::SERVER_VERSION;

/// Lets clients in.
pub(super) struct Startup {
    driver: AuthDriver<Parameters>,
    login: Login,
    is_full: bool,
}

/// What the server says of itself.
pub(super) struct Parameters;

impl Startup {
    /// For one more connection; one that is refused when there are as many as may be.
    pub(super) fn new(login: Login, connections: &Arc<ConnectionManager>, is_full: bool) -> Self {
        let driver = AuthDriver::new(Parameters).with_connection_manager(Arc::clone(connections));
        Self { driver, login, is_full }
    }
}

impl ServerParameterProvider for Parameters {
    fn server_parameters<C: ClientInfo>(&self, client: &C) -> Option<HashMap<String, String>> {
        let told = |name: &str| client.metadata().get(name).cloned().unwrap_or_default();
        let mut all: HashMap<String, String> = [
            ("server_version", SERVER_VERSION),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("integer_datetimes", "on"),
            ("in_hot_standby", "off"),
            ("is_superuser", "off"),
            ("default_transaction_read_only", "on"),
            ("DateStyle", "ISO, MDY"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("standard_conforming_strings", "on"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        all.insert("application_name".to_owned(), told(METADATA_APPLICATION_NAME));
        all.insert("session_authorization".to_owned(), told(METADATA_USER));
        Some(all)
    }
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let outcome = match message {
            PgWireFrontendMessage::Startup(ref startup) => {
                protocol_negotiation(client, startup).await?;
                save_startup_parameters_to_metadata(client, startup);
                if self.is_full {
                    let sentence = "too many connections: close one, or raise the limit";
                    return Err(fatal("53300", sentence));
                }
                self.driver.begin_authentication(client, self.login.begin()).await?
            }
            PgWireFrontendMessage::PasswordMessageFamily(message) => {
                self.driver.advance_authentication(client, message).await?
            }
            _ => return Ok(()),
        };
        match outcome {
            AuthOutcome::InProgress => Ok(()),
            AuthOutcome::Authenticated { final_message, .. } => {
                self.driver.complete_authentication(client, final_message).await
            }
        }
    }
}
