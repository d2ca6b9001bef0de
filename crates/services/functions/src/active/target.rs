//! What an address or a name leads to.

use std::sync::{Arc, PoisonError};

use contract::{AccountId, Region};

use super::{Active, UrlPlace};
use crate::Functions;
use crate::model::UrlConfig;
use crate::name::{FunctionName, Qualifier, Scope};

/// A function that a name or an address led to, for the gateway: cheap to clone, and a moment's truth.
#[derive(Clone)]
pub struct Target {
    pub(crate) active: Arc<Active>,
    pub(crate) qualifier: Option<Qualifier>,
    url: Option<Arc<UrlConfig>>,
}

impl Target {
    /// Whose it is, and where.
    pub fn scope(&self) -> &Scope {
        &self.active.scope
    }

    /// The function's name.
    pub fn name(&self) -> &FunctionName {
        &self.active.name
    }

    /// The version or alias that was named.
    pub fn qualifier(&self) -> Option<&Qualifier> {
        self.qualifier.as_ref()
    }

    /// The ARN that was called, with the qualifier where there is one.
    pub fn arn(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.active.arn),
            None => self.active.arn.clone(),
        }
    }

    /// Whether it takes requests as they are, as web servers and WASI-HTTP components do, whichever of its versions a call goes to.
    pub fn is_server(&self) -> bool {
        // An alias has two versions at most: the least draw leads to its second, the greatest to its first.
        [0, u64::MAX].into_iter().all(|draw| {
            let runner = self.active.runner(self.qualifier.as_ref(), || draw);
            runner.is_some_and(|runner| runner.takes_requests())
        })
    }

    /// How the function's URL is set up; none if it has no URL.
    pub fn url(&self) -> Option<&UrlConfig> {
        self.url.as_deref()
    }
}

impl Functions {
    /// The function behind a host name's id.
    pub fn resolve_url(&self, id: &str) -> Option<Target> {
        let UrlPlace { scope, name, qualifier } = self.table.url(id)?;
        let active = self.table.get(&scope, name.as_str())?;
        let url = active.urls.get(&qualifier).cloned();
        Some(Target { active, qualifier, url })
    }

    /// The function of that name, which may end in `:QUALIFIER`; for `/_fn/NAME/…`.
    pub fn resolve_name(&self, scope: &Scope, name: &str) -> Option<Target> {
        let (name, qualifier) = match name.split_once(':') {
            Some((name, qualifier)) => (name, Some(Qualifier::parse(qualifier)?)),
            None => (name, None),
        };
        let active = self.table.get(scope, name)?;
        active.runner(qualifier.as_ref(), || 0)?;
        let url = active.urls.get(&qualifier).cloned();
        Some(Target { active, qualifier, url })
    }

    /// The same in any region, for addresses that name none: the default region first, then by name.
    pub fn resolve_anywhere(&self, name: &str) -> Option<Target> {
        let first = Scope { account: AccountId::ONLY, region: Region::default_one() };
        self.resolve_name(&first, name).or_else(|| {
            let mut scopes: Vec<Scope> =
                self.table.scopes.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
            scopes.sort();
            scopes.iter().find_map(|scope| self.resolve_name(scope, name))
        })
    }
}
