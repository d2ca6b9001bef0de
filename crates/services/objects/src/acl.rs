//! Access control lists: what requests say of them, what is kept, what they grant. Pure.
//!
//! Kept is a canned list's name or the document of a list; nothing where the owner alone has rights. There is one account on a node, so
//! that it owns whatever anybody puts, and the ways in which buckets say who owns what differ only in whether lists count at all.

use contract::{AccountId, Fault};
use wire::s3;

use crate::error::{Error, invalid_argument, invalid_request, malformed_xml, refused};
use crate::ops::owner_id;
use crate::store::read;

const CANNED: [&str; 8] = [
    "private",
    "public-read",
    "public-read-write",
    "aws-exec-read",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
];
/// What may be granted.
const PERMISSIONS: [&str; 5] = ["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"];
/// Everybody, as lists name them.
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
/// Everybody who has an account.
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// Who writes logs.
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
/// The most grants of a list.
const GRANTS_MAX: usize = 100;

/// What a request says of a list, in one of three ways.
#[derive(Clone, Copy, Default)]
pub(crate) struct Said<'a> {
    pub(crate) canned: Option<&'a str>,
    /// Headers, by the permission that they grant.
    pub(crate) headers: [(&'static str, Option<&'a str>); 5],
    pub(crate) document: Option<&'a s3::AccessControlPolicy>,
}

/// What a request that makes an object says.
macro_rules! said {
    ($input:expr) => {
        crate::acl::Said {
            canned: $input.acl.as_deref(),
            headers: [
                ("FULL_CONTROL", $input.grant_full_control.as_deref()),
                ("READ", $input.grant_read.as_deref()),
                ("READ_ACP", $input.grant_read_acp.as_deref()),
                ("WRITE_ACP", $input.grant_write_acp.as_deref()),
                ("WRITE", None),
            ],
            document: None,
        }
    };
    ($input:expr, write) => {{
        let mut said = crate::acl::said!($input);
        said.headers[4].1 = $input.grant_write.as_deref();
        said
    }};
}

pub(crate) use said;

impl Said<'_> {
    /// Whether it says anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.canned.is_none() && self.document.is_none() && !self.has_headers()
    }

    fn has_headers(&self) -> bool {
        self.headers.iter().any(|(_, header)| header.is_some())
    }

    /// The list that is meant.
    pub(crate) fn list(&self, account: AccountId) -> Result<List, Fault> {
        match (self.canned, self.has_headers(), self.document) {
            (Some(_), true, _) => Err(invalid_request("Specifying both Canned ACLs and Header Grants is not allowed")),
            (Some(_), _, Some(_)) | (None, true, Some(_)) => {
                Err(refused(400, "UnexpectedContent", "This request does not support content"))
            }
            (Some(canned), false, None) if CANNED.contains(&canned) => Ok(List::Canned(canned.to_owned())),
            (Some(unknown), false, None) => Err(invalid_argument("", "x-amz-acl", unknown)),
            (None, true, None) => self.of_headers(),
            (None, false, Some(document)) => of_document(document, account),
            (None, false, None) => Ok(List::Canned("private".into())),
        }
    }

    fn of_headers(&self) -> Result<List, Fault> {
        let mut grants = Vec::new();
        for (permission, header) in self.headers {
            for grantee in header.unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
                let (kind, value) = grantee.split_once('=').ok_or_else(|| bad_grantee(grantee))?;
                let value = value.trim().trim_matches('"');
                let grantee = match kind.trim() {
                    "id" => grantee_of(None, Some(value)),
                    "uri" => grantee_of(Some(value), None),
                    "emailAddress" => return Err(unknown_address(value)),
                    _ => return Err(bad_grantee(grantee)),
                };
                grants.push(grant(grantee, permission));
            }
        }
        check(&grants)?;
        Ok(List::Grants(grants))
    }
}

fn of_document(document: &s3::AccessControlPolicy, account: AccountId) -> Result<List, Fault> {
    let owner = document.owner.as_ref().and_then(|owner| owner.id.as_deref());
    match owner {
        None => return Err(refused(400, "MalformedACLError", MALFORMED)),
        Some(owner) if owner != owner_id(account) => return Err(refused(403, "AccessDenied", "Access Denied")),
        Some(_) => {}
    }
    let grants = document.grants.clone().unwrap_or_default();
    check(&grants)?;
    Ok(List::Grants(grants))
}

const MALFORMED: &str = "The XML you provided was not well-formed or did not validate against our published schema";

fn check(grants: &[s3::Grant]) -> Result<(), Fault> {
    if grants.len() > GRANTS_MAX {
        return Err(refused(400, "MalformedACLError", MALFORMED));
    }
    for grant in grants {
        let permission = grant.permission.as_ref().map(s3::Permission::as_str).unwrap_or_default();
        let grantee = grant.grantee.as_ref().ok_or_else(malformed_xml)?;
        if !PERMISSIONS.contains(&permission) {
            return Err(malformed_xml());
        }
        match (&grantee.uri, &grantee.id, &grantee.email_address) {
            (Some(uri), ..) if [ALL_USERS, AUTHENTICATED, LOG_DELIVERY].contains(&uri.as_str()) => {}
            (Some(uri), ..) => return Err(invalid_argument("Invalid group uri", "uri", uri)),
            (None, Some(id), _) if id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {}
            (None, Some(id), _) => return Err(invalid_argument("Invalid id", "CanonicalUser/ID", id)),
            (None, None, Some(address)) => return Err(unknown_address(address)),
            (None, None, None) => return Err(malformed_xml()),
        }
    }
    Ok(())
}

fn bad_grantee(text: &str) -> Fault {
    let message = "Argument format not recognized";
    invalid_argument(message, "x-amz-grant", text)
}

fn unknown_address(address: &str) -> Fault {
    let message = "The e-mail address you provided does not match any account on record.";
    refused(400, "UnresolvableGrantByEmailAddress", message).with("EmailAddress", address)
}

/// A list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum List {
    /// One of those that have a name.
    Canned(String),
    /// All of its grants, the owner's too.
    Grants(Vec<s3::Grant>),
}

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Bucket,
    Object,
}

impl Of {
    /// Whether its list can grant that.
    pub(crate) fn means(self, action: &str) -> bool {
        self.meanings().iter().any(|(_, actions)| actions.contains(&action))
    }

    fn meanings(self) -> &'static Meanings {
        match self {
            Self::Bucket => &OF_BUCKETS,
            Self::Object => &OF_OBJECTS,
        }
    }
}

impl List {
    /// What was kept of a list.
    pub(crate) fn kept(kept: Option<&str>) -> Result<Self, Error> {
        match kept {
            Some(document) if document.starts_with('{') => {
                let document = serde_json::from_str(document).map_err(|error| {
                    tracing::error!(%error, "an access control list cannot be read");
                    Error::Internal
                })?;
                let policy: s3::AccessControlPolicy = read(document)?;
                Ok(Self::Grants(policy.grants.unwrap_or_default()))
            }
            canned => Ok(Self::Canned(canned.unwrap_or("private").to_owned())),
        }
    }

    /// What is kept of it; nothing where the owner alone has rights.
    pub(crate) fn keep(&self) -> Option<String> {
        match self {
            Self::Canned(canned) if canned == "private" || canned.starts_with("bucket-owner-") => None,
            Self::Canned(canned) => Some(canned.clone()),
            Self::Grants(grants) => {
                let policy = s3::AccessControlPolicy { grants: Some(grants.clone()), owner: None };
                Some(wire::document::write(&policy).to_string())
            }
        }
    }

    /// Whether it says no more than that the bucket's owner has everything: all that may be said where lists do not count.
    pub(crate) fn is_owners_alone(&self, account: AccountId) -> bool {
        match self {
            Self::Canned(canned) => canned == "bucket-owner-full-control",
            Self::Grants(grants) => {
                let owner = owner_id(account);
                let fits = |grant: &s3::Grant| {
                    let grantee = grant.grantee.as_ref().and_then(|grantee| grantee.id.as_deref());
                    let permission = grant.permission.as_ref().map(s3::Permission::as_str);
                    grantee == Some(owner.as_str()) && permission == Some("FULL_CONTROL")
                };
                !grants.is_empty() && grants.iter().all(fits)
            }
        }
    }

    /// Whether it gives anything to people that nobody knows.
    pub(crate) fn is_public(&self) -> bool {
        let group = |uri: &str| [ALL_USERS, AUTHENTICATED].contains(&uri);
        self.to_others().iter().any(|grant| uri_of(grant).is_some_and(group))
    }

    /// Whether it gives anything to anybody but the owner.
    pub(crate) fn has_others(&self, account: AccountId) -> bool {
        let owner = owner_id(account);
        let is_owner = |grant: &s3::Grant| {
            grant.grantee.as_ref().is_some_and(|grantee| grantee.id.as_deref() == Some(owner.as_str()))
        };
        !self.to_others().iter().all(is_owner)
    }

    /// The actions that it lets people do who have no other right: everybody, and those who signed.
    pub(crate) fn grants_to_groups(&self, of: Of, signed: Signed) -> Vec<&'static str> {
        let grants = self.to_others();
        let meant = |uri: &str| uri == ALL_USERS || (signed == Signed::Yes && uri == AUTHENTICATED);
        let permissions: Vec<&str> = grants
            .iter()
            .filter(|grant| uri_of(grant).is_some_and(meant))
            .filter_map(|grant| grant.permission.as_ref().map(s3::Permission::as_str))
            .collect();
        let holds = |name: &str| permissions.iter().any(|held| *held == name || *held == "FULL_CONTROL");
        of.meanings().iter().filter(|(name, _)| holds(name)).flat_map(|(_, actions)| actions.iter().copied()).collect()
    }

    /// The list as it is shown.
    pub(crate) fn shown(&self, account: AccountId) -> Vec<s3::Grant> {
        let mut shown = match self {
            Self::Canned(_) => vec![grant(grantee_of(None, Some(&owner_id(account))), "FULL_CONTROL")],
            // It names its owner itself.
            Self::Grants(_) => Vec::new(),
        };
        shown.extend(self.to_others());
        shown
    }

    fn to_others(&self) -> Vec<s3::Grant> {
        let more: &[(&str, &str)] = match self {
            Self::Grants(grants) => return grants.clone(),
            Self::Canned(canned) => match canned.as_str() {
                "public-read" => &[(ALL_USERS, "READ")],
                "public-read-write" => &[(ALL_USERS, "READ"), (ALL_USERS, "WRITE")],
                "authenticated-read" => &[(AUTHENTICATED, "READ")],
                "log-delivery-write" => &[(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")],
                _ => &[],
            },
        };
        more.iter().map(|(group, permission)| grant(grantee_of(Some(group), None), permission)).collect()
    }
}

/// Whether somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    Yes,
    No,
}

/// What permissions mean as actions.
type Meanings = [(&'static str, &'static [&'static str]); 4];

/// Whoever may write to a bucket may write and delete objects in it, whatever their own lists say.
static OF_BUCKETS: Meanings = [
    ("READ", &["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]),
    ("WRITE", &["s3:PutObject", "s3:DeleteObject"]),
    ("READ_ACP", &["s3:GetBucketAcl"]),
    ("WRITE_ACP", &["s3:PutBucketAcl"]),
];
static OF_OBJECTS: Meanings = [
    ("READ", &["s3:GetObject", "s3:GetObjectVersion"]),
    ("WRITE", &[]),
    ("READ_ACP", &["s3:GetObjectAcl", "s3:GetObjectVersionAcl"]),
    ("WRITE_ACP", &["s3:PutObjectAcl", "s3:PutObjectVersionAcl"]),
];

fn uri_of(grant: &s3::Grant) -> Option<&str> {
    grant.grantee.as_ref()?.uri.as_deref()
}

fn grantee_of(uri: Option<&str>, id: Option<&str>) -> s3::Grantee {
    let kind = if uri.is_some() { "Group" } else { "CanonicalUser" };
    let (id, uri) = (id.map(str::to_owned), uri.map(str::to_owned));
    s3::Grantee { id, uri, type_: s3::Type::from(kind), ..s3::Grantee::default() }
}

fn grant(grantee: s3::Grantee, permission: &str) -> s3::Grant {
    s3::Grant { grantee: Some(grantee), permission: Some(s3::Permission::from(permission)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: AccountId = AccountId::ONLY;

    fn headers(read: Option<&str>, full: Option<&str>) -> Result<List, String> {
        let headers =
            [("FULL_CONTROL", full), ("READ", read), ("READ_ACP", None), ("WRITE_ACP", None), ("WRITE", None)];
        Said { headers, ..Said::default() }.list(ME).map_err(|fault| fault.code)
    }

    #[test]
    fn canned_lists_grant_what_their_names_say() {
        for (canned, public, everybody, signed) in [
            ("private", false, &[][..], &[][..]),
            ("bucket-owner-full-control", false, &[], &[]),
            ("log-delivery-write", false, &[], &[]),
            ("public-read", true, &["s3:GetObject", "s3:GetObjectVersion"], &["s3:GetObject", "s3:GetObjectVersion"]),
            ("authenticated-read", true, &[], &["s3:GetObject", "s3:GetObjectVersion"]),
        ] {
            let list = Said { canned: Some(canned), ..Said::default() }.list(ME).expect("known");
            assert_eq!(list.is_public(), public, "{canned}");
            assert_eq!(list.grants_to_groups(Of::Object, Signed::No), everybody, "{canned}");
            assert_eq!(list.grants_to_groups(Of::Object, Signed::Yes), signed, "{canned}");
            let kept = List::kept(list.keep().as_deref()).expect("it was kept so");
            assert_eq!(kept.shown(ME), list.shown(ME), "{canned}");
        }
        let all = List::Canned("public-read-write".into()).grants_to_groups(Of::Bucket, Signed::No);
        assert!(all.contains(&"s3:ListBucket") && all.contains(&"s3:PutObject") && !all.contains(&"s3:PutBucketAcl"));
        let unknown = Said { canned: Some("mine"), ..Said::default() }.list(ME);
        assert_eq!(unknown.map_err(|fault| fault.code), Err("InvalidArgument".into()));
    }

    #[test]
    fn headers_name_people_and_groups() {
        let me = owner_id(ME);
        let list = headers(Some(&format!("uri=\"{ALL_USERS}\", id={me}")), None).expect("a list");
        assert!(list.is_public() && list.has_others(ME) && !list.is_owners_alone(ME));
        assert_eq!(list.shown(ME).len(), 2);
        assert_eq!(List::kept(list.keep().as_deref()).expect("kept").shown(ME), list.shown(ME));
        let own = headers(None, Some(&format!("id=\"{me}\""))).expect("a list");
        assert!(own.is_owners_alone(ME) && !own.has_others(ME) && !own.is_public());
        for (text, code) in [
            ("uri=\"http://example.com\"", "InvalidArgument"),
            ("id=\"me\"", "InvalidArgument"),
            ("emailAddress=\"a@example.com\"", "UnresolvableGrantByEmailAddress"),
            ("nonsense", "InvalidArgument"),
        ] {
            assert_eq!(headers(Some(text), None), Err(code.into()), "{text}");
        }
    }

    #[test]
    fn documents_name_their_owner() {
        let document = |owner: Option<&str>, permission: &str| {
            let owner = owner.map(|id| s3::Owner { id: Some(id.to_owned()), display_name: None });
            let grants = Some(vec![grant(grantee_of(Some(ALL_USERS), None), permission)]);
            let document = s3::AccessControlPolicy { grants, owner };
            Said { document: Some(&document), ..Said::default() }.list(ME).map(|list| list.is_public())
        };
        let me = owner_id(ME);
        assert_eq!(document(Some(&me), "READ"), Ok(true));
        for (owner, permission, code) in [
            (None, "READ", "MalformedACLError"),
            (Some("somebody"), "READ", "AccessDenied"),
            (Some(me.as_str()), "LOOK", "MalformedXML"),
        ] {
            assert_eq!(document(owner, permission).map_err(|fault| fault.code), Err(code.into()), "{owner:?}");
        }
        let both = Said { canned: Some("private"), headers: [("READ", Some("id=x")); 5], document: None };
        assert_eq!(both.list(ME).map_err(|fault| fault.code), Err("InvalidRequest".into()));
    }
}
