//! `GetCallerIdentity`: who signs. The owner, in open mode and with the root key; a role's session otherwise. It takes no permission,
//! and no policy can deny it: a key that is of no use for anything else tells whose it is.

use contract::{Arn, Call, Cause, Effect, Fault, Handle, Principal};
use wire::sts::{GetCallerIdentity, GetCallerIdentityRequest, GetCallerIdentityResponse};

use crate::Identity;

impl Handle<GetCallerIdentity> for Identity {
    const EFFECT: Effect = Effect::Read;
    const ALWAYS_ALLOWED: bool = true;

    fn resource(&self, _call: &Call, _input: &GetCallerIdentityRequest) -> Arn {
        Arn::any()
    }

    async fn handle(&self, call: &Call, _input: GetCallerIdentityRequest) -> Result<GetCallerIdentityResponse, Fault> {
        let account = call.account.to_string();
        let user_id = match &call.principal {
            Principal::Open { .. } | Principal::Root => account.clone(),
            Principal::Role { role, session } => format!("{}:{session}", role_id(role)),
            Principal::Service { name, .. } => (*name).to_owned(),
            Principal::Anonymous => {
                let mut fault =
                    Fault::new(Cause::Denied, "MissingAuthenticationToken", "Request is missing Authentication Token");
                fault.status = Some(403);
                return Err(fault);
            }
        };
        Ok(GetCallerIdentityResponse {
            user_id: Some(user_id),
            arn: Some(call.principal.arn(call.account)),
            account: Some(account),
        })
    }
}

/// `AROA` and 17 letters and digits, the same each time for the same role: roles have no ids of their own yet.
fn role_id(role: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, role.as_bytes());
    let letters = digest.as_ref().iter().take(17).map(|byte| ALPHABET[usize::from(byte % 32)] as char);
    std::iter::once("AROA").map(String::from).chain(letters.map(String::from)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::{Clock, Random};
    use contract::{AccountId, Origin, Region, Trace};
    use store::Store;

    use super::*;
    use crate::{Deps, KeyError, RootKey, Session};

    async fn identity(store: &Store, clock: &Clock) -> std::sync::Arc<Identity> {
        let random = Random::seeded(1);
        let root = RootKey::generate(&random);
        Identity::open(Deps { store: store.clone(), clock: clock.clone(), random, root }).await.expect("it opens")
    }

    fn call(clock: &Clock, principal: Principal) -> Call {
        let random = Random::seeded(2);
        Call {
            id: random.uuid(),
            principal,
            account: AccountId::ONLY,
            region: Region::default_one(),
            deadline: Duration::from_secs(60),
            trace: Trace::start(clock, &random),
            hops: 0,
            origin: Origin::Inside { part: "test", base_url: "http://localhost:4566".into() },
        }
    }

    #[tokio::test]
    async fn callers_are_told_who_they_are() {
        let clock = Clock::system();
        let identity = identity(&Store::memory(clock.clone()), &clock).await;
        let role = Principal::Role { role: "arn:aws:iam::000000000000:role/any".into(), session: "greet".into() };
        for (principal, user_id, arn) in [
            (Principal::Root, "000000000000", "arn:aws:iam::000000000000:root"),
            (Principal::Open { access_key: None }, "000000000000", "arn:aws:iam::000000000000:root"),
            (
                role.clone(),
                &*format!("{}:greet", role_id("arn:aws:iam::000000000000:role/any")),
                &*role.arn(AccountId::ONLY),
            ),
        ] {
            let answer =
                identity.handle(&call(&clock, principal), GetCallerIdentityRequest {}).await.expect("it answers");
            assert_eq!(answer.account.as_deref(), Some("000000000000"));
            assert_eq!(answer.user_id.as_deref(), Some(user_id));
            assert_eq!(answer.arn.as_deref(), Some(arn));
        }
        assert_eq!(role_id("a").len(), 21);
        let refused = identity.handle(&call(&clock, Principal::Anonymous), GetCallerIdentityRequest {}).await;
        assert_eq!(refused.expect_err("nobody signed").code, "MissingAuthenticationToken");
    }

    /// As a node with an authority that has no policy for anybody would.
    #[tokio::test]
    async fn a_role_without_any_policy_may_ask() {
        let clock = Clock::system();
        let identity = identity(&Store::memory(clock.clone()), &clock).await;
        let mut registry = dispatch::Registry::new(dispatch::Parts {
            clock: clock.clone(),
            random: Random::seeded(3),
            tasks: base::task::Tasks::new(),
            metrics: dispatch::Metrics::new(),
            authority: std::sync::Arc::new(dispatch::OpenAuthority),
            limits: dispatch::Limits::default(),
        });
        crate::register(&mut registry, &identity);
        let dispatch = registry.open();
        let role = Principal::Role { role: "arn:aws:iam::000000000000:role/any".into(), session: "greet".into() };
        let mut call = call(&clock, role);
        call.deadline = clock.elapsed() + Duration::from_secs(60);
        let answer = dispatch.call::<GetCallerIdentity>(&call, GetCallerIdentityRequest {}).await.expect("it may");
        assert_eq!(answer.arn.as_deref(), Some("arn:aws:sts::000000000000:assumed-role/any/greet"));
        call.principal = Principal::Anonymous;
        let refused = dispatch.call::<GetCallerIdentity>(&call, GetCallerIdentityRequest {}).await;
        assert_eq!(refused.expect_err("nobody signed").code, "MissingAuthenticationToken");
    }

    #[tokio::test]
    async fn keys_are_known_until_they_end_also_after_a_restart() {
        let (clock, hand) = Clock::manual("2026-11-21T00:00:00Z".parse().expect("a time"));
        let store = Store::memory(clock.clone());
        let before = identity(&store, &clock).await;
        let session = Session {
            account: AccountId::ONLY,
            role: "arn:aws:iam::000000000000:role/any".into(),
            name: "greet".into(),
        };
        let issued = before.issue(&session, Duration::from_secs(900));
        let after = identity(&store, &clock).await;
        let key = after.key(&issued.access_key_id, Some(&issued.session_token)).expect("it is good");
        assert_eq!(key.secret, issued.secret_access_key);
        hand.advance(Duration::from_secs(900));
        assert_eq!(after.key(&issued.access_key_id, Some(&issued.session_token)), Err(KeyError::Expired));
        assert_eq!(after.key(&issued.access_key_id, None), Err(KeyError::Unknown));
        let root = after.root().clone();
        assert_eq!(after.key(&root.access_key_id, None).map(|key| key.principal), Ok(Principal::Root));
        assert_eq!(after.key("AKIAWRONG", None), Err(KeyError::Unknown));
    }
}
