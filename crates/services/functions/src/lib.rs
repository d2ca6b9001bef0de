//! Functions (Lambda).
#[allow(dead_code, reason = "the operations that refuse come next")]
mod faults;
pub mod model;
pub mod name;
#[allow(dead_code, reason = "the operations that page come next")]
mod page;
