//! Keys, as the door and the gateway want to see them; and the credentials that functions are given.

use std::sync::Arc;

use contract::{Cause, Fault};
use functions::{RoleCredentials, RoleSession};
use identity::{Identity, KeyError, Session};
use signature::{Credential, Credentials, Lookup};

/// Looks keys up in the identity service.
pub(crate) struct Keys(pub(crate) Arc<Identity>);

impl Credentials for Keys {
    fn lookup<'a>(&'a self, access_key: &'a str, session_token: Option<&'a str>) -> Lookup<'a> {
        Box::pin(async move {
            match self.0.key(access_key, session_token) {
                // The token was checked here already, its end included.
                Ok(key) => Ok(Some(Credential {
                    secret: key.secret.into(),
                    session_token: session_token.map(Arc::from),
                    expires: None,
                    principal: key.principal,
                })),
                Err(KeyError::Unknown) => Ok(None),
                Err(error @ KeyError::Expired) => {
                    Err(Fault::new(Cause::Unauthenticated, "ExpiredTokenException", error.to_string()))
                }
            }
        })
    }
}

/// Each new instance gets a session of its function's role.
pub(crate) fn role_credentials(identity: Arc<Identity>) -> RoleCredentials {
    Arc::new(move |wanted: RoleSession| {
        let session = Session { account: wanted.account, role: wanted.role, name: wanted.session };
        let key = identity.issue(&session, Identity::SESSION_TTL);
        Box::pin(async move {
            Ok(compute::Credentials {
                access_key_id: key.access_key_id,
                secret_access_key: key.secret_access_key,
                session_token: key.session_token,
            })
        })
    })
}
