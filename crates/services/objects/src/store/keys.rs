//! Keys.

use ::store::Key;

fn root() -> Key {
    Key::new("s3")
}

pub(crate) fn buckets_key() -> Key {
    root().with("bucket")
}

pub(crate) fn bucket_key(bucket: &str) -> Key {
    buckets_key().with(bucket)
}

/// All configurations of a bucket.
pub(crate) fn configs_key(bucket: &str) -> Key {
    root().with("config").with(bucket)
}

/// Current versions of a bucket.
pub(crate) fn objects_key(bucket: &str) -> Key {
    root().with("object").with(bucket)
}

pub(crate) fn object_key(bucket: &str, key: &str) -> Key {
    objects_key(bucket).with(key)
}

/// All other versions of a bucket.
pub(crate) fn versions_key(bucket: &str) -> Key {
    root().with("version").with(bucket)
}

/// All other versions of a key.
pub(crate) fn versions_of_key(bucket: &str, key: &str) -> Key {
    versions_key(bucket).with(key)
}

/// One of the other versions: newer ones first.
pub(crate) fn version_key(bucket: &str, key: &str, order: u64) -> Key {
    versions_of_key(bucket, key).with(u64::MAX - order)
}

/// Where the version without an id is, if it is among the others.
pub(crate) fn null_key(bucket: &str, key: &str) -> Key {
    root().with("null").with(bucket).with(key)
}

pub(crate) fn data_key(id: &str) -> Key {
    root().with("data").with(id)
}

/// Who refers to a blob.
pub(crate) fn owner_key(owner: &str) -> Key {
    root().with("body").with(owner)
}

pub(crate) fn uploads_key(bucket: &str) -> Key {
    root().with("upload").with(bucket)
}

pub(crate) fn upload_key(bucket: &str, key: &str, upload: &str) -> Key {
    uploads_key(bucket).with(key).with(upload)
}

/// What an upload became.
pub(crate) fn completed_key(upload: &str) -> Key {
    root().with("completed").with(upload)
}

pub(crate) fn parts_key(upload: &str) -> Key {
    root().with("part").with(upload)
}

pub(crate) fn part_key(upload: &str, number: u32) -> Key {
    parts_key(upload).with(number)
}

/// Ends of restores, the first one first.
pub(crate) fn restores_key() -> Key {
    root().with("restored")
}

/// That the restore of a version ends then.
pub(crate) fn restore_key(until_ms: u64, bucket: &str, key: &str, version: &str) -> Key {
    restores_key().with(until_ms).with(bucket).with(key).with(version)
}
