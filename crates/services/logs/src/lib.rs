//! Logs (CloudWatch Logs).
pub mod chunk;
pub mod fuzz;
pub mod model;
pub mod pattern;
