//! Logging in on a connection that was just opened.

use super::sasl::{Mechanism, Scram, plain};
use super::{asked, no_kafka, wire};
use crate::courier::Miss;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes of a nonce.
const NONCE: usize = 24;
/// Kafka's UNSUPPORTED_SASL_MECHANISM.
const OTHER_MECHANISM: i16 = 33;
const REFUSED: &str =
    ": check the user in the address and its password (`sink.http.token_file` or TAPWIRE_COLLECTOR_TOKEN)";

/// A user and its password, and how they were told to the broker before.
pub(super) struct Login {
    user: String,
    password: Secret,
    is_hidden: bool,
    mechanism: Mechanism,
}

/// What came of it.
pub(super) enum Step {
    In,
    /// The broker takes another mechanism, which was kept: on a new connection.
    Again,
}

impl Login {
    pub(super) const fn new(user: String, password: Secret, is_hidden: bool) -> Self {
        Self { user, password, is_hidden, mechanism: Mechanism::ScramSha512 }
    }

    /// Says who we are.
    pub(super) async fn step(
        &mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<Step, Miss> {
        let request = wire::ask_mechanism(0, self.mechanism.name());
        let answer = asked(stream, &request, 0).await?;
        let (code, taken) = wire::mechanisms(&answer).ok_or_else(no_kafka)?;
        if code == OTHER_MECHANISM {
            let before = self.mechanism;
            self.mechanism = Mechanism::best(&taken, self.is_hidden).ok_or_else(|| self.none(&taken))?;
            return if self.mechanism == before { Err(no_kafka()) } else { Ok(Step::Again) };
        }
        if code != 0 {
            return Err(Miss::Code(code));
        }
        let Some(mut scram) = Scram::new(self.mechanism, &self.user, nonce()?) else {
            told(stream, 1, &plain(&self.user, self.password.expose())).await?;
            return Ok(Step::In);
        };
        let first = told(stream, 1, &scram.first()).await?;
        let proof = scram.proof(&first, self.password.expose()).ok_or_else(impostor)?;
        let last = told(stream, 2, &proof).await?;
        scram.is_proved(&last).then_some(Step::In).ok_or_else(impostor)
    }

    fn none(&self, taken: &[&[u8]]) -> Miss {
        let plain_alone = taken.contains(&Mechanism::Plain.name().as_bytes());
        let (cause, hint) = match plain_alone && !self.is_hidden {
            true => ("takes passwords in the clear alone (PLAIN)", ": use kafka+tls://"),
            false => ("takes neither SCRAM nor PLAIN", ": enable SCRAM-SHA-512 for this listener"),
        };
        Miss::NoTrust { cause: cause.into(), hint }
    }
}

fn impostor() -> Miss {
    let cause = "does not prove that it knows the password".into();
    Miss::NoTrust { cause, hint: ": is this the right broker?" }
}

fn nonce() -> Result<String, Miss> {
    let mut bytes = [0; NONCE];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Miss::Closed)?;
    Ok(STANDARD.encode(bytes))
}

/// One message and what the broker says to it.
async fn told(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    number: i32,
    message: &[u8],
) -> Result<Vec<u8>, Miss> {
    let answer = asked(stream, &wire::authenticate(number, message), number).await?;
    match wire::authenticated(&answer).ok_or_else(no_kafka)? {
        (0, said) => Ok(said.to_vec()),
        _ => Err(Miss::NoTrust { cause: "refuses the user or its password".into(), hint: REFUSED }),
    }
}
