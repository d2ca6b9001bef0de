//! A layer's version: an archive that functions find at `/opt`. It is never changed, but for who may read it.

use contract::{AccountId, Region};
use uuid::Uuid;

use super::{Archive, Policy};
use crate::name::Scope;

/// The most layers of a function, and all that they unpack to together with its code, are limits of functions
/// (`Settings::LAYERS_MAX`, `compute::UNZIPPED_BYTES_MAX`).
#[derive(Clone, Debug, PartialEq)]
pub struct LayerVersion {
    /// What it is.
    pub archive: Archive,
    /// Free text.
    pub description: String,
    /// When it was published, in milliseconds since the epoch.
    pub created_ms: i64,
    /// For which runtimes it is meant; none said is none.
    pub runtimes: Vec<String>,
    /// For which machines it is meant.
    pub architectures: Vec<String>,
    /// Its licence, if that was said.
    pub licence: Option<String>,
    /// Who else may read it.
    pub policy: Policy,
    /// Changes with the policy.
    pub policy_revision: Uuid,
}

/// Which layer: its name, in an account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerName {
    /// Whose it is, and where.
    pub scope: Scope,
    name: String,
}

impl LayerName {
    /// The longest name: AWS's limit.
    pub const LENGTH_MAX: usize = 140;

    /// From a name, or the ARN of a layer without a version.
    pub fn parse(scope: &Scope, text: &str) -> Option<Self> {
        let (scope, name) = match text.strip_prefix("arn:") {
            None => (scope.clone(), text),
            Some(rest) => of_arn(rest)?,
        };
        let is_name = (1..=Self::LENGTH_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_name.then(|| Self { scope, name: name.to_owned() })
    }

    /// From the ARN of a layer's version: the layer, and the number.
    pub fn parse_version(arn: &str) -> Option<(Self, u64)> {
        let (layer, number) = arn.rsplit_once(':')?;
        let layer = layer.strip_prefix("arn:").map(|_| layer)?;
        // The scope of an ARN is in it.
        let nowhere = Scope { account: AccountId::ONLY, region: Region::default_one() };
        Some((Self::parse(&nowhere, layer)?, number.parse().ok().filter(|number| *number > 0)?))
    }

    /// Without its account and region.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The layer's ARN.
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:aws:lambda:{region}:{account}:layer:{}", self.name)
    }

    /// The ARN of one of its versions.
    pub fn arn_of(&self, number: u64) -> String {
        format!("{}:{number}", self.arn())
    }
}

/// What follows `arn:` in a layer's ARN.
fn of_arn(rest: &str) -> Option<(Scope, &str)> {
    let mut parts = rest.split(':');
    let (partition, service) = (parts.next()?, parts.next()?);
    let (region, account) = (Region::parse(parts.next()?)?, AccountId::parse(parts.next()?)?);
    let (kind, name) = (parts.next()?, parts.next()?);
    let fits = partition.starts_with("aws") && service == "lambda" && kind == "layer" && parts.next().is_none();
    fits.then_some((Scope { account, region }, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_named_in_every_form() {
        let scope = Scope { account: AccountId::ONLY, region: Region::default_one() };
        let arn = |name: &str| format!("arn:aws:lambda:eu-west-1:000000000000:layer:{name}");
        for (text, expected) in [
            ("tools", Some("tools".to_owned())),
            ("My-Tools_2", Some("My-Tools_2".to_owned())),
            (&arn("tools"), Some(arn("tools"))),
            (&arn("tools:1"), None),
            (&arn(""), None),
            ("a b", None),
            ("", None),
            (&"x".repeat(141), None),
            ("arn:aws:s3:eu-west-1:000000000000:layer:tools", None),
            ("arn:aws:lambda:eu-west-1:000000000000:function:tools", None),
        ] {
            let found = LayerName::parse(&scope, text);
            let found = found.map(|found| if text.starts_with("arn") { found.arn() } else { found.name });
            assert_eq!(found, expected, "{text}");
        }
        for (text, expected) in [
            (arn("tools:3"), Some(3)),
            (arn("tools:0"), None),
            (arn("tools:x"), None),
            (arn("tools"), None),
            ("tools:3".to_owned(), None),
        ] {
            let found = LayerName::parse_version(&text);
            assert_eq!(found.as_ref().map(|(_, number)| *number), expected, "{text}");
            if let Some((layer, number)) = found {
                assert_eq!(layer.arn_of(number), text);
            }
        }
    }
}
