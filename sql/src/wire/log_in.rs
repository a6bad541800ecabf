//! Who may connect: everybody, or whoever proves to know the password. Owns the steps of a log-in; must not know how the
//! proof is computed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pgwire::api::ClientInfo;
use pgwire::api::auth::mechanism::{AuthMechanism, AuthState};
use pgwire::error::PgWireResult;
use pgwire::messages::startup::{Authentication, PasswordMessageFamily};

use super::fault::fatal;
use super::scram::{Challenge, METHOD, Verifier};

/// How long a wrong password is thought about.
const REFUSAL_DELAY: Duration = Duration::from_millis(500);

/// Who may connect.
#[derive(Clone)]
pub(crate) enum Login {
    /// Whoever reaches the port.
    Everybody,
    /// Who knows the password.
    Knowing(Arc<Verifier>),
}

impl Login {
    /// As the password says; `None` when the system gives no random numbers.
    pub(crate) fn new(password: Option<&str>) -> Option<Self> {
        Some(match password {
            None => Self::Everybody,
            Some(password) => Self::Knowing(Arc::new(Verifier::new(password)?)),
        })
    }

    /// A log-in of one connection.
    pub(super) fn begin(&self) -> Box<dyn AuthMechanism> {
        Box::new(Conversation { login: self.clone(), challenge: None })
    }
}

/// How far a log-in is.
struct Conversation {
    login: Login,
    challenge: Option<Challenge>,
}

#[async_trait]
impl AuthMechanism for Conversation {
    async fn begin(&mut self, _client: &(dyn ClientInfo + Send + Sync)) -> PgWireResult<AuthState> {
        Ok(match self.login {
            Login::Everybody => AuthState::Ok { final_message: None, identity: None },
            Login::Knowing(_) => AuthState::InProgress(Authentication::SASL(vec![METHOD.to_owned()])),
        })
    }

    async fn next(
        &mut self,
        _client: &(dyn ClientInfo + Send + Sync),
        message: PasswordMessageFamily,
    ) -> PgWireResult<AuthState> {
        let Login::Knowing(verifier) = &self.login else { return Ok(AuthState::Failed(wrong())) };
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).unwrap_or_default();
        match self.challenge.take() {
            None => {
                let first = message.into_sasl_initial_response()?;
                let challenge = match first.data {
                    Some(data) if first.auth_method == METHOD => verifier.challenge(&text(&data)),
                    _ => None,
                };
                let Some(challenge) = challenge else { return Ok(AuthState::Failed(wrong())) };
                let said = Authentication::SASLContinue(challenge.message.clone().into_bytes().into());
                self.challenge = Some(challenge);
                Ok(AuthState::InProgress(said))
            }
            Some(challenge) => {
                let last = message.into_sasl_response()?;
                match verifier.answer(&challenge, &text(&last.data)) {
                    Some(proof) => {
                        let final_message = Some(Authentication::SASLFinal(proof.into_bytes().into()));
                        Ok(AuthState::Ok { final_message, identity: None })
                    }
                    None => {
                        tokio::time::sleep(REFUSAL_DELAY).await;
                        Ok(AuthState::Failed(wrong()))
                    }
                }
            }
        }
    }
}

fn wrong() -> pgwire::error::PgWireError {
    fatal("28P01", "the password is wrong: give the one that the application was started with")
}
