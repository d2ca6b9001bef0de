//! Identity (IAM and STS): who the caller is.
