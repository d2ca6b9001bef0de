//! Who asks, and whether they may.
//!
//! In two steps, because the second needs the body: what can be refused by its head is, before any of the body is read.

use contract::{Arn, Call, Fault, Principal};
use policy::Context;
use signature::{Claim, Credential, Family, Head, Payload};

use crate::refusal::Refusal;
use crate::{Access, FunctionUrls, Gateway, Mode, Url};

/// Somebody who may come in, as far as the head tells.
pub(crate) enum Asker {
    /// Anybody may.
    Anybody,
    /// In open mode whoever signs is believed.
    Believed(Box<Claim>),
    /// The signature is still to be checked.
    Claimed(Box<(Claim, Credential)>),
}

/// Who signed.
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) arn: String,
}

impl Asker {
    /// Refuses who cannot be let in.
    pub(crate) async fn begin<F: FunctionUrls>(
        gateway: &Gateway<F>,
        head: &Head<'_>,
        url: &F::Url,
        call: &Call,
    ) -> Result<Self, Refusal> {
        let credentials = match (&gateway.parts.mode, url.access()) {
            (Mode::Open, Access::Everybody) => return Ok(Self::Anybody),
            (Mode::Open, Access::Signed) => {
                return Claim::read(head)
                    .ok()
                    .flatten()
                    .map(|claim| Self::Believed(claim.into()))
                    .ok_or(Refusal::Forbidden);
            }
            (Mode::Verified(_), Access::Everybody) => {
                ask_policies(gateway, call, url, "NONE").await?;
                return Ok(Self::Anybody);
            }
            (Mode::Verified(credentials), Access::Signed) => credentials,
        };
        let claim = Claim::read(head).ok().flatten().filter(|claim| claim.scope.service == "lambda");
        let claim = claim.ok_or(Refusal::Forbidden)?;
        let known = credentials.lookup(&claim.access_key, claim.session_token.as_deref()).await;
        let credential = known.map_err(|fault| Refusal::of(&fault))?.ok_or(Refusal::Forbidden)?;
        let now = gateway.parts.clock.now();
        let timely = claim.check_time(now).and_then(|()| claim.check_token(&credential, now));
        timely.map_err(|refusal| refused(&claim, &refusal))?;
        Ok(Self::Claimed(Box::new((claim, credential))))
    }

    /// Checks what is left, and says in the call who it is.
    pub(crate) async fn finish<F: FunctionUrls>(
        self,
        gateway: &Gateway<F>,
        head: &Head<'_>,
        body: &[u8],
        url: &F::Url,
        call: &mut Call,
    ) -> Result<Option<Signer>, Refusal> {
        let access_key = match self {
            Self::Anybody => return Ok(None),
            Self::Believed(claim) => {
                call.principal = Principal::Open { access_key: Some(claim.access_key.as_str().into()) };
                claim.access_key
            }
            Self::Claimed(claimed) => {
                let (claim, credential) = *claimed;
                let checked = claim.check_signature(head, Payload::Bytes(body), &credential.secret);
                checked.map_err(|refusal| refused(&claim, &refusal))?;
                call.principal = credential.principal;
                ask_policies(gateway, call, url, "AWS_IAM").await?;
                claim.access_key
            }
        };
        Ok(Some(Signer { arn: call.principal.arn(call.account), access_key }))
    }
}

/// Since October 2025 AWS wants both permissions for a URL.
async fn ask_policies<F: FunctionUrls>(
    gateway: &Gateway<F>,
    call: &Call,
    url: &F::Url,
    auth_type: &'static str,
) -> Result<(), Refusal> {
    const ACTIONS: [&str; 2] = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];
    let arn = url.arn();
    let context =
        Context::new().with("lambda:FunctionUrlAuthType", auth_type).with("lambda:InvokedViaFunctionUrl", "true");
    let asked = gateway.parts.dispatch.authorise("lambda", call, &ACTIONS, &arn, context).await;
    asked.map_err(|fault| denied(call, &arn, &fault))
}

fn refused(claim: &Claim, refusal: &signature::Refusal) -> Refusal {
    // Its text may hold the session token.
    let code = refusal.fault(Family::Json).code;
    tracing::debug!(access_key = claim.access_key, code, "a signature to a function URL was refused");
    Refusal::Forbidden
}

fn denied(call: &Call, arn: &Arn, fault: &Fault) -> Refusal {
    tracing::debug!(request = %call.id, function = %arn, %fault, "a request to a function URL was denied");
    Refusal::of(fault)
}
