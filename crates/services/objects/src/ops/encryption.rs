//! What requests ask for of encryption, and is not done: to take it in silence would leave somebody's secrets open who was told that they
//! are sealed.

use contract::Fault;

use crate::error::refused;

/// Refuses keys of clients and of KMS. `AES256`, which asks for nothing but what AWS does with every object, is taken, and no answer
/// says that it was done.
macro_rules! check_encryption {
    ($input:expr) => {
        crate::ops::encryption::check(
            $input.server_side_encryption.as_deref(),
            $input.sse_customer_algorithm.is_some(),
        )?
    };
}

pub(super) use check_encryption;

pub(super) fn check(method: Option<&str>, customer: bool) -> Result<(), Fault> {
    let header = match (method, customer) {
        (None | Some("AES256"), false) => return Ok(()),
        (_, true) => "x-amz-server-side-encryption-customer-algorithm",
        (Some("aws:kms" | "aws:kms:dsse"), false) => "x-amz-server-side-encryption",
        (Some(other), false) => {
            let message = "The encryption method specified is not supported";
            return Err(crate::error::invalid_argument(message, "x-amz-server-side-encryption", other));
        }
    };
    let message = "A header you provided implies functionality that is not implemented";
    Err(refused(501, "NotImplemented", message).with("Header", header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_done_is_refused() {
        for (method, customer, expected) in [
            (None, false, None),
            (Some("AES256"), false, None),
            (Some("aws:kms"), false, Some(501)),
            (None, true, Some(501)),
            (Some("rot13"), false, Some(400)),
        ] {
            assert_eq!(check(method, customer).err().and_then(|fault| fault.status), expected, "{method:?} {customer}");
        }
    }
}
