//! Leases, with the hours passing as told.

use std::time::Duration;

use base::Clock;
use jiff::Timestamp;
use store::{Error, Key, Lease, Store};

use crate::fixture::{Fixture, get, over_all_drivers};

over_all_drivers! {
    a_lease_has_one_owner_at_a_time
    a_fence_stops_a_former_owner
}

const TTL: Duration = Duration::from_secs(10);

async fn write(store: &Store, lease: &Lease, value: &'static str) -> Result<(), Error> {
    store
        .transact(|tx| async move {
            tx.fence(lease);
            tx.put(Key::new("guarded"), value);
            Ok(())
        })
        .await
}

async fn a_lease_has_one_owner_at_a_time(fixture: Fixture) {
    let (clock, hand) = Clock::manual(Timestamp::from_second(1_000).unwrap());
    let store = Store::open(fixture.options(clock)).unwrap();
    let mut ada = store.lease("tick", "ada", TTL).await.unwrap().unwrap();
    assert_eq!((ada.name(), ada.owner(), ada.token(), ada.until_ms()), ("tick", "ada", 1, 1_010_000));
    assert!(store.lease("tick", "bob", TTL).await.unwrap().is_none());
    assert!(store.lease("tock", "bob", TTL).await.unwrap().is_some());

    hand.advance(TTL / 2);
    ada.renew(TTL).await.unwrap();
    hand.advance(TTL / 2);
    assert!(store.lease("tick", "bob", TTL).await.unwrap().is_none());
    hand.advance(TTL / 2);
    let bob = store.lease("tick", "bob", TTL).await.unwrap().unwrap();
    assert_eq!(bob.token(), 2);
    assert!(matches!(ada.renew(TTL).await, Err(Error::LeaseLost { token: 1, .. })));
    ada.release().await.unwrap();
    assert!(store.lease("tick", "ada", TTL).await.unwrap().is_none());

    bob.release().await.unwrap();
    let again = store.lease("tick", "ada", TTL).await.unwrap().unwrap();
    assert_eq!(again.token(), 3);
    assert_eq!(store.lease("tick", "ada", TTL).await.unwrap().unwrap().token(), 4);
}

async fn a_fence_stops_a_former_owner(fixture: Fixture) {
    let (clock, hand) = Clock::manual(Timestamp::from_second(1_000).unwrap());
    let store = Store::open(fixture.options(clock)).unwrap();
    let ada = store.lease("tick", "ada", TTL).await.unwrap().unwrap();
    write(&store, &ada, "ada").await.unwrap();

    hand.advance(TTL);
    assert!(matches!(write(&store, &ada, "late").await, Err(Error::LeaseLost { .. })));
    let bob = store.lease("tick", "bob", TTL).await.unwrap().unwrap();
    assert!(matches!(write(&store, &ada, "late").await, Err(Error::LeaseLost { .. })));
    assert_eq!(get(&store, &Key::new("guarded")).await.as_deref(), Some(&b"ada"[..]));
    write(&store, &bob, "bob").await.unwrap();

    // Taken over between the check and the commit: the check is repeated, and fails.
    let (store_ref, bob_ref) = (&store, &bob);
    let overtaken = store
        .transact(|tx| async move {
            tx.fence(bob_ref);
            tx.put(Key::new("guarded"), "overtaken");
            if store_ref.lease("tick", "bob", TTL).await?.is_none() {
                panic!("an owner may take its own lease again");
            }
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(overtaken, Err(Error::LeaseLost { token: 2, .. })));
    assert_eq!(get(&store, &Key::new("guarded")).await.as_deref(), Some(&b"bob"[..]));
}
