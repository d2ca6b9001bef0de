//! The keys, see `store.rs`.

use contract::{AccountId, Region};
use store::{Error as StoreError, Key};

use crate::error::Error;
use crate::model::{QueueId, QueueName, Scope};

/// The keys of one queue's messages.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Key);

impl Keys {
    pub(crate) fn of(queue: QueueId) -> Self {
        Self(Key::queue("queues").with(queue.0))
    }

    pub(super) fn all(&self) -> Key {
        self.0.clone()
    }

    pub(crate) fn head(&self) -> Key {
        self.0.clone().with("head")
    }

    pub(super) fn messages(&self) -> Key {
        self.0.clone().with("m")
    }

    pub(crate) fn message(&self, number: u64) -> Key {
        self.messages().with(number)
    }

    pub(super) fn parts(&self) -> Key {
        self.0.clone().with("b")
    }

    pub(crate) fn part(&self, number: u64, part: u16) -> Key {
        self.parts().with(number).with(part)
    }

    pub(super) fn received_all(&self) -> Key {
        self.0.clone().with("s")
    }

    pub(crate) fn received(&self, number: u64) -> Key {
        self.received_all().with(number)
    }

    pub(super) fn lapses(&self) -> Key {
        self.0.clone().with("d")
    }

    pub(crate) fn lapse(&self, digest: &[u8; 16]) -> Key {
        self.lapses().with(*digest)
    }

    pub(super) fn read_number(&self, prefix: &Key, key: &Key) -> Result<u64, Error> {
        Ok(key.parts_after(prefix)?.number()?)
    }
}

pub(super) fn made() -> Key {
    super::root().with("made")
}

pub(super) fn queue(scope: &Scope, name: &str) -> Key {
    scoped("queue", scope).with(name)
}

pub(super) fn tasks() -> Key {
    super::root().with("task")
}

/// The tasks of one queue.
pub(super) fn tasks_of(scope: &Scope, queue: &str) -> Key {
    scoped("task", scope).with(queue)
}

pub(super) fn all_gone() -> Key {
    super::root().with("gone")
}

pub(super) fn gone(queue: QueueId) -> Key {
    all_gone().with(queue.0)
}

pub(super) fn read_gone(key: &Key) -> Result<QueueId, Error> {
    Ok(QueueId(key.parts_after(&all_gone())?.number()?))
}

pub(super) fn read_queue(prefix: &Key, key: &Key) -> Result<(Scope, QueueName), Error> {
    let mut parts = key.parts_after(prefix)?;
    let (account, region, name) = (parts.text()?, parts.text()?, parts.text()?);
    Ok((scope(&account, &region)?, QueueName::trusted(&name)))
}

/// The scope that a key was written for.
pub(super) fn scope(account: &str, region: &str) -> Result<Scope, Error> {
    let scope = AccountId::parse(account).zip(Region::parse(region));
    let (account, region) =
        scope.ok_or(StoreError::KeyPart { expected: "an account and a region", found: "other text" })?;
    Ok(Scope { account, region })
}

fn scoped(kind: &str, scope: &Scope) -> Key {
    super::root().with(kind).with(scope.account.to_string()).with(scope.region.as_str())
}
