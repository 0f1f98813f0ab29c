//! Who is the operator, and from where the server may be reached.

use std::fmt;
use std::net::SocketAddr;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use gathering_agents::Agents;
use gathering_core::Caller;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::Problem;

/// Who is the operator of the host that is served. Who gives the token of an agent is that agent in any case.
#[derive(Debug, Clone)]
pub enum Access {
    /// Whoever reaches the server over loopback without a token, until the first agent is made: from then on every request
    /// needs a token, so that no agent becomes the operator by leaving its own out.
    Open {
        /// The operator's token, if there is one.
        operator_token: Option<Token>,
    },
    /// Whoever gives the operator's token; every request needs a token.
    Token {
        /// The operator's token.
        operator_token: Token,
    },
    /// Every request: there is no server, the router is called inside the operator's own process. No header is checked.
    Embedded,
}

impl Default for Access {
    fn default() -> Self {
        Self::Open { operator_token: None }
    }
}

impl Access {
    /// Who makes a request with these headers.
    pub(crate) fn caller(&self, headers: &HeaderMap, agents: &Agents) -> Result<Caller, Problem> {
        let (expected, required) = match self {
            Self::Embedded => return Ok(Caller::Operator),
            Self::Open { operator_token } => (operator_token.as_ref(), agents.were_made()),
            Self::Token { operator_token } => (Some(operator_token), true),
        };
        match (bearer(headers)?, expected) {
            (Some(given), Some(expected)) if expected.matches(given) => Ok(Caller::Operator),
            (Some(given), _) => {
                agents.by_token(given).ok_or_else(|| Problem::unauthenticated("this token is not valid here"))
            }
            (None, _) if required && agents.were_made() => Err(Problem::unauthenticated(
                "this server has agents, so every request needs a token: send `Authorization: Bearer` with the agent's token, \
                 or with the text of `operator.token` in its data directory",
            )),
            (None, _) if required => Err(Problem::unauthenticated(
                "this server needs a token: send `Authorization: Bearer` with the text of `operator.token` in its data directory",
            )),
            (None, _) => Ok(Caller::Operator),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let token = match (value.to_str().ok().and_then(|text| text.split_once(' ')), given.next()) {
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => {
            return Err(Problem::unauthenticated(
                "the header `Authorization` must be `Bearer` and one token",
            ));
        }
    };
    Ok(Some(token))
}

/// A secret that somebody is known by. Only its SHA-256 is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token with this text.
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Whether `given` is its text; takes as long whether it is or not.
    pub fn matches(&self, given: &str) -> bool {
        Self::new(given).0.ct_eq(&self.0).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The server may not listen there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} can be reached from other machines, and whoever reaches it would be the operator: \
     listen on 127.0.0.1, or require the operator's token with `server.require_token = true`"
)]
pub struct AddressError {
    /// Where it was to listen.
    pub address: SocketAddr,
}

/// Refuses an address that other machines can reach, unless every request needs a token.
pub fn check_address(address: SocketAddr, access: &Access) -> Result<(), AddressError> {
    if address.ip().to_canonical().is_loopback() || matches!(access, Access::Token { .. }) {
        Ok(())
    } else {
        Err(AddressError { address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_beyond_loopback_needs_a_token_and_the_error_says_how() {
        let open = Access::default();
        let token = Access::Token { operator_token: Token::new("secret") };
        let everywhere: SocketAddr = "0.0.0.0:8000".parse().unwrap();

        assert!(check_address("127.0.0.1:8000".parse().unwrap(), &open).is_ok());
        assert!(check_address("[::1]:8000".parse().unwrap(), &open).is_ok());
        assert!(check_address(everywhere, &token).is_ok());
        assert_eq!(
            check_address(everywhere, &open).unwrap_err().to_string(),
            "0.0.0.0:8000 can be reached from other machines, and whoever reaches it would be the operator: \
             listen on 127.0.0.1, or require the operator's token with `server.require_token = true`"
        );
    }

    #[test]
    fn a_token_knows_its_text_and_does_not_show_it() {
        let token = Token::new("secret");

        assert!(token.matches("secret"));
        assert!(!token.matches("Secret"));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
