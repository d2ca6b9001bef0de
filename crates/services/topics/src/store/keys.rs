//! The keys, see `store.rs`.

use contract::{AccountId, Region};
use store::{Error as StoreError, Key};
use uuid::Uuid;

use super::{Touched, root};
use crate::error::Error;
use crate::model::{Scope, TopicName};

pub(super) fn all_topics() -> Key {
    root().with("topic")
}

pub(super) fn topic(scope: &Scope, name: &str) -> Key {
    scoped("topic", scope).with(name)
}

pub(super) fn read_topic(key: &Key) -> Result<(Scope, TopicName), Error> {
    let mut parts = key.parts_after(&all_topics())?;
    let (account, region, name) = (parts.text()?, parts.text()?, parts.text()?);
    Ok((scope(&account, &region)?, TopicName::trusted(&name)))
}

pub(super) fn subscriptions(topic: Uuid) -> Key {
    root().with("sub").with(topic.into_bytes())
}

pub(super) fn subscription(topic: Uuid, id: Uuid) -> Key {
    subscriptions(topic).with(id.into_bytes())
}

pub(super) fn all_gone() -> Key {
    root().with("gone")
}

pub(super) fn gone(topic: Uuid) -> Key {
    all_gone().with(topic.into_bytes())
}

pub(super) fn read_gone(key: &Key) -> Result<Uuid, Error> {
    Ok(Uuid::from_bytes(key.parts_after(&all_gone())?.id()?))
}

pub(super) fn memory(topic: Uuid) -> Key {
    Key::queue("topics").with(topic.into_bytes())
}

pub(super) fn head(topic: Uuid) -> Key {
    memory(topic).with("head")
}

pub(super) fn lapses(topic: Uuid) -> Key {
    memory(topic).with("d")
}

pub(super) fn lapse(topic: Uuid, digest: &[u8; 16]) -> Key {
    lapses(topic).with(*digest)
}

pub(super) fn signing_key() -> Key {
    root().with("key")
}

pub(super) fn applications(scope: &Scope) -> Key {
    scoped("app", scope)
}

pub(super) fn application(scope: &Scope, platform: &str, name: &str) -> Key {
    applications(scope).with(platform).with(name)
}

pub(super) fn endpoints(scope: &Scope, platform: &str, name: &str) -> Key {
    scoped("end", scope).with(platform).with(name)
}

pub(super) fn endpoint(scope: &Scope, platform: &str, name: &str, id: Uuid) -> Key {
    endpoints(scope, platform, name).with(id.into_bytes())
}

pub(super) fn phones(scope: &Scope) -> Key {
    scoped("phone", scope)
}

pub(super) fn phone(scope: &Scope, number: &str) -> Key {
    phones(scope).with(number)
}

pub(super) fn short_messages(scope: &Scope) -> Key {
    scoped("sms", scope)
}

/// What a key is about that changed.
pub(super) fn read(key: &Key) -> Result<Touched, Error> {
    let mut parts = key.parts_after(&root())?;
    Ok(match parts.text()?.as_str() {
        "topic" => {
            let (scope, name) = read_topic(key)?;
            Touched::Topic(scope, name.to_string())
        }
        "sub" => {
            let (topic, id) = (Uuid::from_bytes(parts.id()?), Uuid::from_bytes(parts.id()?));
            Touched::Subscription { topic, id }
        }
        _ => Touched::Other,
    })
}

/// The scope that a key was written for.
fn scope(account: &str, region: &str) -> Result<Scope, Error> {
    let scope = AccountId::parse(account).zip(Region::parse(region));
    let (account, region) =
        scope.ok_or(StoreError::KeyPart { expected: "an account and a region", found: "other text" })?;
    Ok(Scope { account, region })
}

fn scoped(kind: &str, scope: &Scope) -> Key {
    root().with(kind).with(scope.account.to_string()).with(scope.region.as_str())
}
