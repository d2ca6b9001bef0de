//! Readings that take long, while the object goes.

use std::iter::repeat_n;
use std::time::Duration;

use ::store::{Blobs, Store};
use base::{Clock, Random};
use bytes::Bytes;
use futures_util::StreamExt;
use jiff::Timestamp;
use wire::Payload;

use crate::body::{BESIDE_BYTES_MAX, Intake, Sealing, Wanted};
use crate::error::Error;
use crate::model::{Body, Bucket, Part, Version};
use crate::store::{Made, Shelf, part_key};

#[tokio::test]
async fn a_reading_goes_on_to_its_end_whatever_becomes_of_the_object() {
    let (clock, hand) = Clock::manual(Timestamp::UNIX_EPOCH);
    let shelf = Shelf::new(Store::memory(clock.clone()), Blobs::memory(clock), Random::seeded(7), [0; 32]);
    let contents: Vec<Bytes> = (1..=3).map(|part| Bytes::from(vec![part; BESIDE_BYTES_MAX + 1])).collect();
    put_in_parts(&shelf, &contents).await;
    hand.advance(Duration::from_secs(1));
    let read = async || {
        let found = shelf.current(&shelf.snapshot(), "b", "k").await.expect("read").expect("there");
        let whole = (0, found.version.size);
        let payload = shelf.read(&shelf.snapshot(), &found.version, &found.data, None, whole).await.expect("opened");
        payload.take_stream().expect("long ones stream")
    };
    let (mut reading, unread) = (read().await, read().await);
    let mut got = reading.next().await.expect("a piece").expect("read").to_vec();
    let (there, bucket) = (&shelf, Bucket { name: "b".into(), ..Bucket::default() });
    let bucket = &bucket;
    let deleted = shelf.store.transact(|tx| async move { there.hide(&tx, bucket, "k", 0).await });
    assert!(deleted.await.expect("deleted").changed);
    let sweep = async || shelf.blobs.sweep(&shelf.store, Duration::ZERO).await.expect("swept").removed;
    assert_eq!(sweep().await, 0, "all are held by who reads and who begins to");
    drop(unread);
    while let Some(piece) = reading.next().await {
        got.extend_from_slice(&piece.expect("read"));
    }
    assert!(got == contents.concat());
    drop(reading);
    assert_eq!(sweep().await, 3);
}

#[tokio::test]
async fn a_stretch_of_many_parts_is_found_without_going_through_all() {
    let clock = Clock::system();
    let shelf = Shelf::new(Store::memory(clock.clone()), Blobs::memory(clock), Random::seeded(7), [0; 32]);
    // As many as are remembered, the most of them empty.
    let texts = ["abc", "", "de", "fghi", "j"].into_iter().chain(repeat_n("", 59));
    let contents: Vec<Bytes> = texts.map(|text| Bytes::from_static(text.as_bytes())).collect();
    put_in_parts(&shelf, &contents).await;
    let found = shelf.current(&shelf.snapshot(), "b", "k").await.expect("read").expect("there");
    let read = async |start: usize, end: usize| {
        let there = (start as u64, end as u64);
        let payload = shelf.read(&shelf.snapshot(), &found.version, &found.data, None, there).await.ok()?;
        let mut got = payload.whole().map(|bytes| bytes.to_vec()).unwrap_or_default();
        if let Some(mut stream) = payload.take_stream() {
            while let Some(piece) = stream.next().await {
                got.extend_from_slice(&piece.expect("read"));
            }
        }
        String::from_utf8(got).ok()
    };
    const ALL: &str = "abcdefghij";
    for start in 0..=ALL.len() {
        for end in start..=ALL.len() {
            assert_eq!(read(start, end).await.as_deref(), Some(&ALL[start..end]), "{start}..{end}");
        }
    }
    let made = Made { upload: "upload", size: 10 };
    for (stretch, expected) in [
        ((0, 3), true),
        ((3, 5), true),
        ((5, 9), true),
        ((9, 10), true),
        ((0, 5), false),
        ((3, 4), false),
        ((4, 5), false),
    ] {
        let part = shelf.part_at(&shelf.snapshot(), made, stretch).await.expect("read");
        assert_eq!(part.map(|part| part.size), expected.then_some(stretch.1 - stretch.0), "{stretch:?}");
    }
    // Whoever went through the others now would miss them.
    let gone = shelf.store.transact(|tx| async move {
        [1, 5].into_iter().for_each(|number| tx.delete(part_key("upload", number)));
        Ok::<_, Error>(())
    });
    gone.await.expect("committed");
    for (start, end, expected) in [(3, 9, Some("defghi")), (4, 6, Some("ef")), (2, 4, None), (8, 10, None)] {
        assert_eq!(read(start, end).await.as_deref(), expected, "{start}..{end}");
    }
}

/// An object of these parts, `k` in `b`.
async fn put_in_parts(shelf: &Shelf, contents: &[Bytes]) {
    let mut all = Vec::new();
    for content in contents {
        let intake = Intake { shelf, sealing: &Sealing::Node };
        all.push(intake.take(Payload::from(content.clone()), Wanted::only(None)).await.expect("taken in"));
    }
    let (all, bucket) = (&all, &Bucket { name: "b".into(), ..Bucket::default() });
    let put = shelf.store.transact(|tx| async move {
        for (index, taken) in all.iter().enumerate() {
            let (body, sealed) = (taken.body.clone(), taken.sealed.clone());
            let part = Part { size: taken.size, body, sealed, ..Part::default() };
            shelf.place_part(&tx, "upload", index as u32 + 1, &part, &taken.data).await?;
        }
        let size = all.iter().map(|taken| taken.size).sum();
        let version = Version { size, body: Body::Parts("upload".into()), ..Version::default() };
        shelf.place(&tx, bucket, "k", version, &Bytes::new()).await
    });
    put.await.expect("put");
}
