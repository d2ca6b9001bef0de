//! Platform applications and their endpoints, and what is kept of phones.

use std::collections::BTreeMap;

use ::store::{Range, Scan};
use uuid::Uuid;

use super::records::{ApplicationRecord, EndpointRecord, PhoneRecord, ShortMessagesRecord};
use super::{Cellar, fitting, keys};
use crate::error::Error;
use crate::model::{Application, Endpoint, Scope};

/// A phone number of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phone {
    pub(crate) number: String,
    pub(crate) verified: bool,
    /// What proves that somebody has the phone.
    pub(crate) password: String,
}

impl Cellar {
    pub(crate) async fn application(&self, scope: &Scope, platform: &str, name: &str) -> Result<Application, Error> {
        let key = keys::application(scope, platform, name);
        let record: Option<ApplicationRecord> = self.store.snapshot().get_record(&key).await?;
        Ok(record.ok_or(Error::ApplicationMissing)?.model(scope, platform, name))
    }

    pub(crate) async fn put_application(&self, application: &Application) -> Result<(), Error> {
        let record = fitting(&ApplicationRecord::of(application), "the attributes")?;
        let (key, record) = (&keys::application(&application.scope, &application.platform, &application.name), &record);
        self.store
            .transact(|tx| async move {
                tx.put(key.clone(), record.clone());
                Ok(())
            })
            .await
    }

    /// Takes an application away, and its endpoints, a page in each transaction: the application goes with the last.
    pub(crate) async fn delete_application(&self, scope: &Scope, platform: &str, name: &str) -> Result<(), Error> {
        const PAGE: usize = 2_000;
        loop {
            let range = Range::prefix(&keys::endpoints(scope, platform, name));
            let page = self.store.snapshot().scan(range, Scan::first(PAGE)).await?;
            let (items, last) = (&page.items, page.rest.is_none());
            self.store
                .transact(|tx| async move {
                    items.iter().for_each(|(key, _)| tx.delete(key.clone()));
                    if last {
                        tx.delete(keys::application(scope, platform, name));
                    }
                    Ok::<_, Error>(())
                })
                .await?;
            if last {
                return Ok(());
            }
        }
    }

    /// Applications after that platform and name; at most `limit`.
    pub(crate) async fn applications(
        &self,
        scope: &Scope,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Application>, Error> {
        let prefix = keys::applications(scope);
        let mut range = Range::prefix(&prefix);
        if let Some((platform, name)) = after {
            range = range.after(&keys::application(scope, platform, name));
        }
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        let read = |(key, value): &(::store::Key, bytes::Bytes)| {
            let mut parts = key.parts_after(&prefix)?;
            let (platform, name) = (parts.text()?, parts.text()?);
            Ok(::store::record::decode::<ApplicationRecord>(value)?.model(scope, &platform, &name))
        };
        page.items.iter().map(read).collect()
    }

    pub(crate) async fn endpoint(&self, app: &Application, id: Uuid) -> Result<Endpoint, Error> {
        let key = keys::endpoint(&app.scope, &app.platform, &app.name, id);
        let record: Option<EndpointRecord> = self.store.snapshot().get_record(&key).await?;
        Ok(record.ok_or(Error::EndpointMissing)?.model(id))
    }

    pub(crate) async fn put_endpoint(&self, app: &Application, endpoint: &Endpoint) -> Result<(), Error> {
        let record = fitting(&EndpointRecord::of(endpoint), "the attributes")?;
        let (key, record) = (&keys::endpoint(&app.scope, &app.platform, &app.name, endpoint.id), &record);
        self.store
            .transact(|tx| async move {
                tx.put(key.clone(), record.clone());
                Ok(())
            })
            .await
    }

    pub(crate) async fn delete_endpoint(&self, scope: &Scope, app: (&str, &str), id: Uuid) -> Result<(), Error> {
        self.store
            .transact(|tx| async move {
                tx.delete(keys::endpoint(scope, app.0, app.1, id));
                Ok(())
            })
            .await
    }

    /// Endpoints after that id; at most `limit`.
    pub(crate) async fn endpoints(
        &self,
        app: &Application,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Endpoint>, Error> {
        let prefix = keys::endpoints(&app.scope, &app.platform, &app.name);
        let mut range = Range::prefix(&prefix);
        if let Some(after) = after {
            range = range.after(&prefix.clone().with(after.into_bytes()));
        }
        let page = self.store.snapshot().scan(range, Scan::first(limit)).await?;
        let read = |(key, value): &(::store::Key, bytes::Bytes)| {
            let id = Uuid::from_bytes(key.parts_after(&prefix)?.id()?);
            Ok(::store::record::decode::<EndpointRecord>(value)?.model(id))
        };
        page.items.iter().map(read).collect()
    }

    pub(crate) async fn phones(&self, scope: &Scope) -> Result<Vec<Phone>, Error> {
        let prefix = keys::phones(scope);
        let mut phones = Vec::new();
        for (key, value) in self.all(&prefix).await? {
            let number = key.parts_after(&prefix)?.text()?;
            let PhoneRecord { verified, password } = ::store::record::decode(&value)?;
            phones.push(Phone { number, verified, password });
        }
        Ok(phones)
    }

    pub(crate) async fn put_phone(&self, scope: &Scope, phone: &Phone) -> Result<(), Error> {
        let record = PhoneRecord { verified: phone.verified, password: phone.password.clone() };
        let record = &record;
        self.store
            .transact(|tx| async move {
                tx.put_record(keys::phone(scope, &phone.number), record);
                Ok(())
            })
            .await
    }

    pub(crate) async fn delete_phone(&self, scope: &Scope, number: &str) -> Result<(), Error> {
        self.store
            .transact(|tx| async move {
                let key = keys::phone(scope, number);
                tx.get(&key).await?.ok_or(Error::PhoneMissing)?;
                tx.delete(key);
                Ok(())
            })
            .await
    }

    pub(crate) async fn short_messages(&self, scope: &Scope) -> Result<BTreeMap<String, String>, Error> {
        let record: Option<ShortMessagesRecord> =
            self.store.snapshot().get_record(&keys::short_messages(scope)).await?;
        Ok(record.unwrap_or_default().attributes)
    }

    pub(crate) async fn set_short_messages(&self, scope: &Scope, set: &BTreeMap<String, String>) -> Result<(), Error> {
        self.store
            .transact(|tx| async move {
                let key = keys::short_messages(scope);
                let mut record: ShortMessagesRecord = tx.get_record(&key).await?.unwrap_or_default();
                record.attributes.extend(set.clone());
                tx.put_record(key, &record);
                Ok(())
            })
            .await
    }
}
