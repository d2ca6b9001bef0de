//! Encryption as requests ask for it and answers tell of it.

use contract::Fault;
use wire::s3;

use crate::Objects;
use crate::body::{Customer, Sealing};
use crate::error::{Error, invalid_argument, refused};
use crate::store::ENCRYPTION;

/// The key of KMS that stands for the service's own.
const KMS_DEFAULT: &str = "alias/aws/s3";

/// What a request says of encryption.
pub(super) struct Asked<'a> {
    pub(super) method: Option<&'a str>,
    pub(super) kms_key: Option<&'a str>,
    pub(super) customer: Option<Customer>,
}

/// What a request says.
macro_rules! asked {
    ($input:expr) => {
        crate::ops::encryption::Asked {
            method: $input.server_side_encryption.as_deref(),
            kms_key: $input.ssekms_key_id.as_deref(),
            customer: crate::ops::encryption::customer!($input),
        }
    };
}

/// The key that a request brings.
macro_rules! customer {
    ($input:expr) => {
        crate::body::Customer::read(
            $input.sse_customer_algorithm.as_deref(),
            $input.sse_customer_key.as_deref(),
            $input.sse_customer_key_md5.as_deref(),
        )?
    };
}

/// The key that opens a copy's source.
macro_rules! source_customer {
    ($input:expr) => {
        crate::body::Customer::read(
            $input.copy_source_sse_customer_algorithm.as_deref(),
            $input.copy_source_sse_customer_key.as_deref(),
            $input.copy_source_sse_customer_key_md5.as_deref(),
        )?
    };
}

/// Tells whose key a body is sealed with.
macro_rules! show_seal {
    ($output:expr, $by:expr) => {
        match $by {
            Some(crate::model::SealedBy::Node) => $output.server_side_encryption = Some("AES256".into()),
            Some(crate::model::SealedBy::Kms(key)) => {
                $output.server_side_encryption = Some("aws:kms".into());
                $output.ssekms_key_id = Some(key.clone());
            }
            Some(crate::model::SealedBy::Customer(md5)) => {
                $output.sse_customer_algorithm = Some("AES256".into());
                $output.sse_customer_key_md5 = Some(md5.clone());
            }
            None => {}
        }
    };
}

pub(super) use {asked, customer, show_seal, source_customer};

impl Objects {
    /// How a new body is sealed: as the request says, or as its bucket does.
    pub(super) async fn sealing(&self, bucket: &str, asked: Asked<'_>) -> Result<Sealing, Error> {
        if let Some(customer) = asked.customer {
            return match asked.method {
                None => Ok(Sealing::Customer(customer)),
                Some(method) => {
                    let message = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified";
                    Err(invalid_argument(message, "x-amz-server-side-encryption", method).into())
                }
            };
        }
        match asked.method {
            Some(method) => Ok(named(method, asked.kms_key)?),
            None => {
                let configured =
                    self.configured_as::<s3::ServerSideEncryptionConfiguration>(bucket, ENCRYPTION).await?;
                let rule = configured.as_ref().and_then(|configured| configured.rules.first());
                match rule.and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref()) {
                    Some(default) => Ok(named(&default.sse_algorithm, default.kms_master_key_id.as_deref())?),
                    None => Ok(Sealing::Node),
                }
            }
        }
    }
}

fn named(method: &str, kms_key: Option<&str>) -> Result<Sealing, Fault> {
    match method {
        "AES256" if kms_key.is_some() => {
            let message = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
            Err(invalid_argument(message, "x-amz-server-side-encryption", method))
        }
        "AES256" => Ok(Sealing::Node),
        "aws:kms" => Ok(Sealing::Kms(kms_key.unwrap_or(KMS_DEFAULT).to_owned())),
        "aws:kms:dsse" => {
            let message = "A header you provided implies functionality that is not implemented: aws:kms:dsse.";
            Err(refused(501, "NotImplemented", message))
        }
        other => {
            let message = "The encryption method specified is not supported";
            Err(invalid_argument(message, "x-amz-server-side-encryption", other))
        }
    }
}
