//! Who asks S3, in S3's words: a request without a signature is anybody's, and policies tell what anybody may.

mod old;

use std::sync::Arc;

use base::Clock;
use contract::{Cause, Fault, Manner, Principal, SignaturePlace, Signed};
use http::HeaderMap;
use http::header::REFERER;
use signature::{Chunks, Claim, Credential, Form, Head, Payload, Refusal, SignedForm};

use super::form::Fields;
use crate::auth::{Claimed, Mode};

/// Who asks.
pub(super) struct Proof {
    pub(super) principal: Principal,
    /// What was claimed, also where nothing is asked for.
    pub(super) claim: Option<Claim>,
    /// What policies may ask of the request.
    pub(super) manner: Option<Arc<Manner>>,
    /// What chunks are signed with, where that is checked.
    secret: Option<Arc<str>>,
}

impl Proof {
    /// The node asks itself.
    pub(super) fn of_node() -> Self {
        Self { principal: Principal::Root, claim: None, manner: None, secret: None }
    }

    /// Somebody to whom it makes no difference what they sign.
    pub(super) fn of_visitor(principal: Principal, headers: &HeaderMap) -> Self {
        Self { principal, claim: None, manner: manner(headers, None), secret: None }
    }

    /// The chain of signatures of a body in signed chunks.
    pub(super) fn chunks(&self) -> Option<Chunks> {
        Some(self.claim.as_ref()?.chunks(self.secret.as_deref()?))
    }
}

/// Checks what is claimed. In open mode only that a presigned request is still good, which people test.
pub(super) async fn prove(mode: &Mode, claimed: Claimed, head: &Head<'_>, clock: &Clock) -> Result<Proof, Fault> {
    let credentials = match mode {
        Mode::Open => return open(claimed, head, clock),
        Mode::Verified(credentials) => credentials,
    };
    if matches!(claimed, Err(Refusal::Unsupported(_)))
        && let Some(claim) = old::claim(head)?
    {
        return old::prove(&**credentials, claim, head, clock).await;
    }
    let Some(claim) = claimed.map_err(|refusal| refused(&refusal, None))? else {
        return Ok(Proof::of_visitor(Principal::Anonymous, head.headers));
    };
    let known = credentials.lookup(&claim.access_key, claim.session_token.as_deref()).await?;
    let check = |known: Option<Credential>| {
        let credential = known.ok_or(Refusal::UnknownKey)?;
        let now = clock.now();
        claim.check_time(now)?;
        claim.check_token(&credential, now)?;
        claim.check_signature(head, Payload::AsClaimed, &credential.secret)?;
        Ok(credential)
    };
    let credential = check(known).map_err(|refusal| refused(&refusal, Some(&claim)))?;
    check_service(&claim)?;
    let manner = manner(head.headers, Some(signed(&claim, head.headers)));
    Ok(Proof { principal: credential.principal, claim: Some(claim), manner, secret: Some(credential.secret) })
}

/// Checks the signature of a form's policy; a form without one is anybody's. In open mode nothing is asked for.
pub(super) async fn prove_form(
    mode: &Mode,
    fields: &Fields,
    headers: &HeaderMap,
    clock: &Clock,
) -> Result<Proof, Fault> {
    let credentials = match mode {
        Mode::Open => {
            let credential = fields.get("x-amz-credential").or(fields.get("AWSAccessKeyId"));
            let access_key = credential.and_then(|text| text.split('/').next()).map(Into::into);
            return Ok(Proof { principal: Principal::Open { access_key }, claim: None, manner: None, secret: None });
        }
        Mode::Verified(credentials) => credentials,
    };
    let Some(policy) = fields.get("policy") else {
        return Ok(Proof::of_visitor(Principal::Anonymous, headers));
    };
    if fields.get("AWSAccessKeyId").is_some() && fields.get("x-amz-signature").is_none() {
        return old::prove_form(&**credentials, fields, policy, headers, clock).await;
    }
    let form = SignedForm {
        algorithm: fields.need("X-Amz-Algorithm")?,
        credential: fields.need("X-Amz-Credential")?,
        date: fields.need("X-Amz-Date")?,
        signature: fields.need("X-Amz-Signature")?,
        session_token: fields.get("x-amz-security-token"),
    };
    let claim = Claim::of_form(&form).map_err(|refusal| refused(&refusal, None))?;
    let known = credentials.lookup(&claim.access_key, claim.session_token.as_deref()).await?;
    let check = |known: Option<Credential>| {
        let credential = known.ok_or(Refusal::UnknownKey)?;
        let now = clock.now();
        claim.check_time(now)?;
        claim.check_token(&credential, now)?;
        claim.check_policy(policy, &credential.secret)?;
        Ok(credential)
    };
    let credential = check(known).map_err(|refusal| refused(&refusal, Some(&claim)))?;
    check_service(&claim)?;
    let signed = Signed { place: SignaturePlace::Form, at_ms: Some(claim.time().as_millisecond()), content: None };
    let manner = manner(headers, Some(signed));
    Ok(Proof { principal: credential.principal, claim: Some(claim), manner, secret: None })
}

/// What policies may ask of a request, where there is anything to tell.
fn manner(headers: &HeaderMap, signed: Option<Signed>) -> Option<Arc<Manner>> {
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok()).map(Into::into);
    (referer.is_some() || signed.is_some()).then(|| Arc::new(Manner { referer, signed }))
}

fn signed(claim: &Claim, headers: &HeaderMap) -> Signed {
    let at_ms = Some(claim.time().as_millisecond());
    match claim.form {
        Form::Header => {
            let content = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok()).map(Into::into);
            Signed { place: SignaturePlace::Header, at_ms, content }
        }
        Form::Query { .. } => Signed { place: SignaturePlace::Query, at_ms, content: None },
    }
}

fn check_service(claim: &Claim) -> Result<(), Fault> {
    if claim.scope.service == "s3" {
        return Ok(());
    }
    let message = "The authorization header is malformed; incorrect service. This endpoint belongs to \"s3\".";
    Err(bad("AuthorizationHeaderMalformed", message.to_owned()))
}

fn open(claimed: Claimed, head: &Head<'_>, clock: &Clock) -> Result<Proof, Fault> {
    if matches!(claimed, Err(Refusal::Unsupported(_)))
        && let Some(claim) = old::open(head, clock)?
    {
        let principal = Principal::Open { access_key: Some(claim.access_key.into()) };
        return Ok(Proof { principal, claim: None, manner: None, secret: None });
    }
    let claim = match claimed {
        Ok(claim) => claim,
        // Too long a life is the client's mistake in any mode.
        Err(refusal @ Refusal::Incomplete(_)) if refusal.to_string().contains("X-Amz-Expires") => {
            return Err(refused(&refusal, None));
        }
        Err(_) => None,
    };
    if let Some(claim) = claim.as_ref().filter(|claim| matches!(claim.form, Form::Query { .. }))
        && let Err(refusal @ Refusal::Expired(_)) = claim.check_time(clock.now())
    {
        return Err(refused(&refusal, Some(claim)));
    }
    let access_key = claim.as_ref().map(|claim| claim.access_key.as_str().into());
    Ok(Proof { principal: Principal::Open { access_key }, claim, manner: None, secret: None })
}

fn refused(refusal: &Refusal, claim: Option<&Claim>) -> Fault {
    let presigned = claim.is_some_and(|claim| matches!(claim.form, Form::Query { .. }));
    match refusal {
        Refusal::Missing => denied("AccessDenied", "Access Denied".into()),
        Refusal::Unsupported(_) => {
            let message =
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
            bad("InvalidRequest", message.into())
        }
        Refusal::Incomplete(why) if presigned || why.contains("X-Amz-") => {
            bad("AuthorizationQueryParametersError", why.clone())
        }
        Refusal::Incomplete(why) => bad("AuthorizationHeaderMalformed", why.clone()),
        Refusal::Invalid(why) if why.contains("must be a 'SignedHeader'") => {
            denied("AccessDenied", "There were headers present in the request which were not signed".into())
        }
        Refusal::Invalid(why) if presigned => bad("AuthorizationQueryParametersError", why.clone()),
        Refusal::Invalid(why) => bad("AuthorizationHeaderMalformed", why.clone()),
        Refusal::Expired(_) if presigned => denied("AccessDenied", "Request has expired".into()),
        Refusal::Expired(_) => {
            let message = "The difference between the request time and the current time is too large.";
            denied("RequestTimeTooSkewed", message.into())
        }
        Refusal::Mismatch { canonical, string_to_sign } => {
            let message = "The request signature we calculated does not match the signature you provided. Check your key and \
                           signing method.";
            let fault = denied("SignatureDoesNotMatch", message.into());
            let fault = match claim {
                Some(claim) => {
                    fault.with("AWSAccessKeyId", claim.access_key.as_str()).with("SignatureProvided", claim.signature())
                }
                None => fault,
            };
            fault.with("StringToSign", string_to_sign.as_str()).with("CanonicalRequest", canonical.as_str())
        }
        Refusal::UnknownKey => match claim.filter(|claim| claim.session_token.is_some()) {
            Some(_) => bad("InvalidToken", "The provided token is malformed or otherwise invalid.".into()),
            None => {
                let message = "The AWS Access Key Id you provided does not exist in our records.";
                let fault = denied("InvalidAccessKeyId", message.into());
                claim.map_or(fault.clone(), |claim| fault.with("AWSAccessKeyId", claim.access_key.as_str()))
            }
        },
        Refusal::ExpiredToken => bad("ExpiredToken", "The provided token has expired.".into()),
    }
}

fn denied(code: &str, message: String) -> Fault {
    Fault { status: Some(403), ..Fault::new(Cause::Denied, code, message) }
}

fn bad(code: &str, message: String) -> Fault {
    Fault { status: Some(400), ..Fault::new(Cause::Invalid, code, message) }
}
