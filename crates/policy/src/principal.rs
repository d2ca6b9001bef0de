//! Who asks, and whom a statement means.

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller<'a> {
    /// As refusals name it: `arn:aws:sts::000000000000:assumed-role/NAME/SESSION`, or a service's name, or `anonymous`.
    pub arn: &'a str,
    /// Twelve digits, or empty where there is no account.
    pub account: &'a str,
    /// What kind of caller it is.
    pub kind: CallerKind<'a>,
}

/// What kind of caller it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind<'a> {
    /// The account's owner: everything in the account, unless a resource's policy denies it.
    Root,
    /// An IAM user.
    User,
    /// A role's session.
    Session {
        /// The role's own ARN.
        role: &'a str,
    },
    /// A service acting for itself; only resource policies can allow it anything.
    Service,
    /// Nobody; only resource policies can allow it anything.
    Anonymous,
}

/// How closely a statement means a caller. Ordered: later is closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Meant {
    /// It does not.
    No,
    /// By its account: the account's own identity policies still decide.
    ByAccount,
    /// By `*` or by its role; boundaries and session policies still limit it.
    ByName,
    /// Exactly this session.
    Exactly,
}

/// One entry of a `Principal` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    Everyone,
    Account(Box<str>),
    Arn(Box<str>),
    Service(Box<str>),
    /// A federated or canonical identity, which no caller of this node is.
    Elsewhere(Box<str>),
}

impl Member {
    /// Reads an entry of `"AWS": […]`: twelve digits, an IAM or STS ARN, or `*`.
    pub(crate) fn aws(text: &str) -> Option<Self> {
        let digits = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        if text == "*" {
            return Some(Self::Everyone);
        }
        if digits(text) {
            return Some(Self::Account(text.into()));
        }
        let mut parts = text.splitn(6, ':');
        let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let known = arn == "arn" && partition.starts_with("aws") && matches!(service, "iam" | "sts");
        if !known || !region.is_empty() || !digits(account) || resource.contains('*') {
            return None;
        }
        match resource {
            "root" => Some(Self::Account(account.into())),
            _ => resource.contains('/').then(|| Self::Arn(text.into())),
        }
    }

    /// How closely it means the caller.
    pub(crate) fn means(&self, caller: &Caller<'_>) -> Meant {
        match self {
            Self::Everyone => Meant::ByName,
            Self::Account(account) => match caller.kind {
                CallerKind::Root if **account == *caller.account => Meant::ByName,
                CallerKind::User | CallerKind::Session { .. } if **account == *caller.account => Meant::ByAccount,
                CallerKind::Root
                | CallerKind::User
                | CallerKind::Session { .. }
                | CallerKind::Service
                | CallerKind::Anonymous => Meant::No,
            },
            Self::Arn(arn) => match caller.kind {
                CallerKind::Session { role } if **arn == *role => Meant::ByName,
                CallerKind::User | CallerKind::Session { .. } if **arn == *caller.arn => Meant::Exactly,
                CallerKind::Root
                | CallerKind::User
                | CallerKind::Session { .. }
                | CallerKind::Service
                | CallerKind::Anonymous => Meant::No,
            },
            Self::Service(name) => match caller.kind {
                CallerKind::Service if **name == *caller.arn => Meant::ByName,
                CallerKind::Root
                | CallerKind::User
                | CallerKind::Session { .. }
                | CallerKind::Service
                | CallerKind::Anonymous => Meant::No,
            },
            Self::Elsewhere(_) => Meant::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_read() {
        for (text, expected) in [
            ("*", Some(Member::Everyone)),
            ("000000000000", Some(Member::Account("000000000000".into()))),
            ("arn:aws:iam::000000000000:root", Some(Member::Account("000000000000".into()))),
            ("arn:aws:iam::000000000000:role/a", Some(Member::Arn("arn:aws:iam::000000000000:role/a".into()))),
            ("arn:aws:iam::000000000000:role/*", None),
            ("arn:aws:iam:us-east-1:000000000000:role/a", None),
            ("arn:aws:lambda::000000000000:role/a", None),
            ("arn:aws:iam::000000000000:nobody", None),
            ("ada", None),
            ("", None),
        ] {
            assert_eq!(Member::aws(text), expected, "{text}");
        }
    }

    #[test]
    fn a_session_is_meant_by_account_role_and_name() {
        let caller = Caller {
            arn: "arn:aws:sts::000000000000:assumed-role/a/s",
            account: "000000000000",
            kind: CallerKind::Session { role: "arn:aws:iam::000000000000:role/a" },
        };
        for (text, expected) in [
            ("*", Meant::ByName),
            ("000000000000", Meant::ByAccount),
            ("111111111111", Meant::No),
            ("arn:aws:iam::000000000000:role/a", Meant::ByName),
            ("arn:aws:iam::000000000000:role/b", Meant::No),
            ("arn:aws:sts::000000000000:assumed-role/a/s", Meant::Exactly),
            ("arn:aws:sts::000000000000:assumed-role/a/t", Meant::No),
        ] {
            assert_eq!(Member::aws(text).expect("reads").means(&caller), expected, "{text}");
        }
        assert_eq!(Member::Service("events.amazonaws.com".into()).means(&caller), Meant::No);
    }
}
