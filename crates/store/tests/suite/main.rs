//! One suite for every driver, and what is the same for all of them.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod blob_bucket;
mod blob_crash;
mod blob_damage;
mod blob_full;
mod blobs;
mod crash;
mod disk;
mod durable;
mod feed;
mod fixture;
mod full;
mod keys;
mod leases;
mod limits;
mod load;
mod model;
mod power;
mod serial;
mod timed_bucket;
mod transactions;
