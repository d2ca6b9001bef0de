//! Links and forms that were signed the old way.

use base::Clock;
use contract::{Fault, SignaturePlace, Signed};
use http::HeaderMap;
use signature::{Credential, Credentials, Head, OldLink, Refusal, check_old_policy, check_token};

use super::{Proof, denied, manner, refused};
use crate::objects::form::Fields;
use crate::objects::target::bucket_in_host;

/// What a link claims; nothing if it is none of that kind.
pub(super) fn link(head: &Head<'_>) -> Result<Option<OldLink>, Fault> {
    OldLink::read(head.query).transpose().map_err(|refusal| denied("AccessDenied", refusal.to_string()))
}

/// Whether a link is still good.
pub(super) fn check_time(link: &OldLink, clock: &Clock) -> Result<(), Fault> {
    link.check_time(clock.now()).map_err(|refusal| denied("AccessDenied", refusal.to_string()))
}

pub(super) async fn prove_link(
    credentials: &dyn Credentials,
    link: OldLink,
    head: &Head<'_>,
    clock: &Clock,
) -> Result<Proof, Fault> {
    check_time(&link, clock)?;
    let known = credentials.lookup(&link.access_key, link.session_token.as_deref()).await?;
    let check = |known: Option<Credential>| {
        let credential = known.ok_or(Refusal::UnknownKey)?;
        check_token(link.session_token.as_deref(), &credential, clock.now())?;
        check_signature(&link, head, &credential.secret)?;
        Ok(credential)
    };
    let credential = check(known).map_err(|refusal| match refusal {
        Refusal::Invalid(why) => denied("AccessDenied", why),
        other => refused(&other, None),
    })?;
    Ok(proven(credential, head.headers, SignaturePlace::Query))
}

/// A bucket alone may have been signed with a slash behind it, or without.
fn check_signature(link: &OldLink, head: &Head<'_>, secret: &str) -> Result<(), Refusal> {
    match bucket_in_host(head.host) {
        Some(bucket) => link.check_signature(head, &format!("/{bucket}{}", head.path), secret),
        None if head.path.len() > 1 && head.path.rfind('/') == Some(0) => link
            .check_signature(head, &format!("{}/", head.path), secret)
            .or_else(|_| link.check_signature(head, head.path, secret)),
        None => link.check_signature(head, head.path, secret),
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
