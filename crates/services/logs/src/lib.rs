//! Logs (CloudWatch Logs).
