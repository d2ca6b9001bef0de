//! Mobile push: platform applications, and the devices that are their endpoints.
//!
//! A push goes to the owner's own address where the application has the attribute [`DELIVERY_URL`], and else to the outbox. Google's and
//! Apple's services are not spoken to; credentials are kept, and shown to nobody.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Scope;
use super::name::is_word;
use super::settings::truth;
use crate::error::Error;

/// Freehold's own attribute: where pushes are sent as requests.
pub const DELIVERY_URL: &str = "DeliveryUrl";

/// AWS's platforms.
const PLATFORMS: [&str; 10] =
    ["ADM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "BAIDU", "GCM", "MACOS", "MPNS", "WNS"];

const ATTRIBUTES: [&str; 14] = [
    "PlatformCredential",
    "PlatformPrincipal",
    "EventEndpointCreated",
    "EventEndpointDeleted",
    "EventEndpointUpdated",
    "EventDeliveryFailure",
    "SuccessFeedbackRoleArn",
    "FailureFeedbackRoleArn",
    "SuccessFeedbackSampleRate",
    "ApplePlatformTeamID",
    "ApplePlatformBundleID",
    "AuthenticationMethod",
    "Enabled",
    DELIVERY_URL,
];
const SECRET: [&str; 2] = ["PlatformCredential", "PlatformPrincipal"];

/// A platform application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Whose, and where.
    pub scope: Scope,
    /// Its platform.
    pub platform: String,
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// A device with the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: Uuid,
    /// What the platform knows it by.
    pub token: String,
    /// What its owner wants to know about it.
    pub user_data: Option<String>,
    /// Whether it gets anything.
    pub enabled: bool,
}

impl Application {
    /// Checks what somebody wants to make.
    pub fn new(scope: Scope, platform: String, name: String, given: BTreeMap<String, String>) -> Result<Self, Error> {
        const CHARS_MAX: usize = 256;
        if !PLATFORMS.contains(&platform.as_str()) {
            return Err(Error::because("Platform", format!("{platform} is not supported")));
        }
        let stems = name.split('.').all(is_word);
        if !stems || name.len() > CHARS_MAX {
            return Err(Error::because(
                "Name",
                "must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, hyphens, and periods, and \
                 must be between 1 and 256 characters long",
            ));
        }
        let mut application = Self { scope, platform, name, attributes: BTreeMap::new() };
        application.apply(given)?;
        Ok(application)
    }

    /// Sets attributes, all or none.
    pub fn apply(&mut self, given: BTreeMap<String, String>) -> Result<(), Error> {
        for (name, value) in &given {
            if !ATTRIBUTES.contains(&name.as_str()) {
                return Err(Error::because("Attributes", format!("Invalid attribute name: {name}")));
            }
            let url = value.starts_with("http://") || value.starts_with("https://");
            if name == DELIVERY_URL && !value.is_empty() && !url {
                return Err(Error::because(
                    "Attributes",
                    format!("{DELIVERY_URL} must begin with http:// or https://"),
                ));
            }
            if name == "Enabled" && truth(value).is_none() {
                return Err(Error::because("Attributes", "Enabled must be true or false"));
            }
        }
        self.attributes.extend(given);
        self.attributes.retain(|_, value| !value.is_empty());
        Ok(())
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        self.scope.arn(&format!("app/{}/{}", self.platform, self.name)).to_string()
    }

    /// The ARN of its endpoint.
    pub fn endpoint_arn(&self, id: Uuid) -> String {
        self.scope.arn(&format!("endpoint/{}/{}/{id}", self.platform, self.name)).to_string()
    }

    /// Whether it sends anything.
    pub fn is_enabled(&self) -> bool {
        self.attributes.get("Enabled").and_then(|text| truth(text)).unwrap_or(true)
    }

    /// What people see of its attributes.
    pub fn show(&self) -> BTreeMap<String, String> {
        let mut shown = self.attributes.clone();
        shown.retain(|name, _| !SECRET.contains(&name.as_str()));
        shown.entry("Enabled".to_owned()).or_insert_with(|| "true".to_owned());
        shown
    }
}

impl Endpoint {
    const TOKEN_BYTES_MAX: usize = 4 << 10;
    const USER_DATA_BYTES_MAX: usize = 2 << 10;

    /// Checks what somebody wants to make.
    pub fn new(
        id: Uuid,
        token: String,
        user_data: Option<String>,
        given: BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let mut endpoint = Self { id, token: String::new(), user_data: None, enabled: true };
        endpoint.apply(given)?;
        let user_data = user_data.map(|text| ("CustomUserData".to_owned(), text));
        endpoint.apply([("Token".to_owned(), token)].into_iter().chain(user_data).collect())?;
        Ok(endpoint)
    }

    /// Sets attributes, all or none.
    pub fn apply(&mut self, given: BTreeMap<String, String>) -> Result<(), Error> {
        let mut changed = self.clone();
        for (name, value) in given {
            match name.as_str() {
                "Token" if value.is_empty() || value.len() > Self::TOKEN_BYTES_MAX => {
                    return Err(Error::Invalid("Token".to_owned()));
                }
                "Token" => changed.token = value,
                "CustomUserData" if value.len() > Self::USER_DATA_BYTES_MAX => {
                    return Err(Error::because("CustomUserData", "must be at most 2 KiB long"));
                }
                "CustomUserData" => changed.user_data = Some(value).filter(|text| !text.is_empty()),
                "Enabled" => {
                    let enabled = truth(&value);
                    changed.enabled =
                        enabled.ok_or_else(|| Error::because("Attributes", "Enabled must be true or false"))?;
                }
                _ => return Err(Error::because("Attributes", format!("Invalid attribute name: {name}"))),
            }
        }
        *self = changed;
        Ok(())
    }

    /// Its attributes.
    pub fn show(&self) -> BTreeMap<String, String> {
        let user_data = self.user_data.iter().map(|text| ("CustomUserData".to_owned(), text.clone()));
        let rest = [("Token".to_owned(), self.token.clone()), ("Enabled".to_owned(), self.enabled.to_string())];
        user_data.chain(rest).collect()
    }
}
