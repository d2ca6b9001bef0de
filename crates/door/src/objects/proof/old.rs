//! What was signed the old way: requests with a header or a link, and forms.

use base::Clock;
use contract::{Fault, SignaturePlace, Signed};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use signature::{Credential, Credentials, Head, OldClaim, OldPlace, Refusal, check_old_policy, check_token};

use super::{Proof, bad, denied, manner, refused};
use crate::objects::form::Fields;
use crate::objects::target::bucket_in_host;

/// What a request claims; nothing if it is of another kind.
pub(super) fn claim(head: &Head<'_>) -> Result<Option<OldClaim>, Fault> {
    let Some(claim) = OldClaim::read(head) else { return Ok(None) };
    let header = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wrong = |message: String| {
        bad("InvalidArgument", message).with("ArgumentName", "Authorization").with("ArgumentValue", header)
    };
    let claim = claim.map_err(|refusal| match refusal {
        Refusal::Incomplete(why) => wrong(why),
        other => denied("AccessDenied", other.to_string()),
    })?;
    let is_link = |word: &str| ["AWSAccessKeyId", "Signature"].contains(&word);
    let words = || head.query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    if matches!(claim.place, OldPlace::Header { .. }) && words().any(is_link) {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter \
                       or the Authorization header should be specified";
        return Err(wrong(message.into()));
    }
    Ok(Some(claim))
}

/// The same in open mode, where whatever header local tools send is taken, as those of the new kind are: one that cannot be read claims
/// nothing, and what stands in the query string beside it is not asked. A link has to be whole and still good, which people test.
pub(super) fn open(head: &Head<'_>, clock: &Clock) -> Result<Option<OldClaim>, Fault> {
    if let Some(header) = OldClaim::read_header(head.headers) {
        return Ok(header.ok());
    }
    let link = claim(head)?;
    link.iter().try_for_each(|link| check_link(link, clock))?;
    Ok(link)
}

/// Whether a link is still good.
fn check_link(claim: &OldClaim, clock: &Clock) -> Result<(), Fault> {
    match claim.place {
        OldPlace::Link { .. } => {
            claim.check_time(clock.now()).map_err(|refusal| denied("AccessDenied", refusal.to_string()))
        }
        OldPlace::Header { .. } => Ok(()),
    }
}

pub(super) async fn prove(
    credentials: &dyn Credentials,
    claim: OldClaim,
    head: &Head<'_>,
    clock: &Clock,
) -> Result<Proof, Fault> {
    check_link(&claim, clock)?;
    let known = credentials.lookup(&claim.access_key, claim.session_token.as_deref()).await?;
    let check = |known: Option<Credential>| {
        let credential = known.ok_or(Refusal::UnknownKey)?;
        claim.check_time(clock.now())?;
        check_token(claim.session_token.as_deref(), &credential, clock.now())?;
        check_signature(&claim, head, &credential.secret)?;
        Ok(credential)
    };
    let credential = check(known).map_err(|refusal| match refusal {
        Refusal::Invalid(why) => denied("AccessDenied", why),
        other => refused(&other, None),
    })?;
    let place = match claim.place {
        OldPlace::Header { .. } => SignaturePlace::Header,
        OldPlace::Link { .. } => SignaturePlace::Query,
    };
    Ok(proven(credential, head.headers, place))
}

/// A bucket alone may have been signed with a slash behind it, or without.
fn check_signature(claim: &OldClaim, head: &Head<'_>, secret: &str) -> Result<(), Refusal> {
    match bucket_in_host(head.host) {
        Some(bucket) => claim.check_signature(head, &format!("/{bucket}{}", head.path), secret),
        None if head.path.len() > 1 && head.path.rfind('/') == Some(0) => claim
            .check_signature(head, &format!("{}/", head.path), secret)
            .or_else(|_| claim.check_signature(head, head.path, secret)),
        None => claim.check_signature(head, head.path, secret),
    }
}

pub(super) async fn prove_form(
    credentials: &dyn Credentials,
    fields: &Fields,
    policy: &str,
    headers: &HeaderMap,
    clock: &Clock,
) -> Result<Proof, Fault> {
    let (access_key, signature) = (fields.need("AWSAccessKeyId")?, fields.need("Signature")?);
    let token = fields.get("x-amz-security-token");
    let known = credentials.lookup(access_key, token).await?;
    let check = |known: Option<Credential>| {
        let credential = known.ok_or(Refusal::UnknownKey)?;
        check_token(token, &credential, clock.now())?;
        check_old_policy(policy, signature, &credential.secret)?;
        Ok(credential)
    };
    let credential = check(known).map_err(|refusal| refused(&refusal, None))?;
    Ok(proven(credential, headers, SignaturePlace::Form))
}

fn proven(credential: Credential, headers: &HeaderMap, place: SignaturePlace) -> Proof {
    let manner = manner(headers, Some(Signed { place, at_ms: None, content: None }));
    Proof { principal: credential.principal, claim: None, manner, secret: None }
}

#[cfg(test)]
mod tests {
    use contract::Principal;
    use jiff::Timestamp;
    use signature::Claim;

    use super::super::prove as prove_in;
    use super::*;
    use crate::auth::Mode;

    #[tokio::test]
    async fn in_open_mode_any_header_is_taken_and_only_good_links() {
        const DATE: &str = "Tue, 27 Mar 2007 19:36:42 +0000";
        let (clock, _hand) = Clock::manual(Timestamp::from_second(1_795_318_745).expect("a time"));
        const GOOD: &str = "AWSAccessKeyId=b&Signature=s&Expires=1795318745";
        const EXPIRED: &str = "AWSAccessKeyId=b&Signature=s&Expires=1795318744";
        for (header, date, query, expected) in [
            (Some("AWS a:s"), Some(DATE), "", Ok(Some("a"))),
            (Some("AWS a:s"), None, "", Ok(None)),
            (Some("AWS a:s"), Some("today"), "", Ok(None)),
            (Some("AWS x"), Some(DATE), "", Ok(None)),
            (Some("AWS a:s"), Some(DATE), GOOD, Ok(Some("a"))),
            (Some("AWS a:s"), Some(DATE), EXPIRED, Ok(Some("a"))),
            (Some("AWS x"), None, "AWSAccessKeyId=b", Ok(None)),
            (None, None, GOOD, Ok(Some("b"))),
            (None, None, EXPIRED, Err("AccessDenied")),
            (None, None, "AWSAccessKeyId=b&Signature=s", Err("AccessDenied")),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(AUTHORIZATION, header), (http::header::DATE, date)] {
                headers.extend(value.map(|value| (name, value.parse().expect("a value"))));
            }
            let head = Head { method: "GET", path: "/b/k", query, host: "localhost", headers: &headers };
            let proof = prove_in(&Mode::Open, Claim::read(&head), &head, &clock).await;
            let found = proof.as_ref().map(|proof| match &proof.principal {
                Principal::Open { access_key } => access_key.as_deref(),
                other => panic!("not of open mode: {other:?}"),
            });
            assert_eq!(found.map_err(|fault| fault.code.as_ref()), expected, "{header:?} {date:?} {query}");
        }
    }
}
