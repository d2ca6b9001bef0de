//! Functions (Lambda).
