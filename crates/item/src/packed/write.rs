//! Writing: one pass, lengths of what holds others filled in behind.

use super::{VERSION, tag};
use crate::{Item, Value, key};

/// The bytes of an item.
pub fn pack(item: &Item) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + crate::size::item(item) * 5 / 4);
    out.push(VERSION);
    put_map(item, &mut out);
    out
}

/// Puts the bytes of one value behind others, as [`super::View::read`] takes them. They have no version: they are for memory.
pub fn pack_value(value: &Value, out: &mut Vec<u8>) {
    out.push(tag(value.kind()));
    match value {
        Value::S(text) => put_bytes(text.as_bytes(), out),
        Value::B(bytes) => put_bytes(bytes, out),
        Value::N(number) => put_bytes(&key::encode_number(*number), out),
        Value::Bool(truth) => out.push(u8::from(*truth)),
        Value::Null => {}
        Value::M(entries) => measured(out, |out| put_map(entries, out)),
        Value::L(items) => measured(out, |out| {
            put_count(items.len(), out);
            items.iter().for_each(|item| pack_value(item, out));
        }),
        Value::Ss(members) => put_members(members.iter().map(String::as_bytes), out),
        Value::Ns(members) => measured(out, |out| {
            put_count(members.len(), out);
            members.iter().for_each(|member| put_bytes(&key::encode_number(*member), out));
        }),
        Value::Bs(members) => put_members(members.iter().map(|member| &member[..]), out),
    }
}

fn put_map(entries: &Item, out: &mut Vec<u8>) {
    put_count(entries.len(), out);
    for (name, value) in entries {
        put_bytes(name.as_bytes(), out);
        pack_value(value, out);
    }
}

fn put_members<'a>(members: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    measured(out, |out| {
        put_count(members.len(), out);
        members.for_each(|member| put_bytes(member, out));
    });
}

fn measured(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let bytes = u32::try_from(out.len() - start - 4).expect("whoever packs has bounded what is packed, far below 4 GB");
    out[start..start + 4].copy_from_slice(&bytes.to_le_bytes());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn put_count(mut count: usize, out: &mut Vec<u8>) {
    while count >= 0x80 {
        out.push(count as u8 | 0x80);
        count >>= 7;
    }
    out.push(count as u8);
}
