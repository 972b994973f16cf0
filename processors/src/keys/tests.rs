//! Tests of the memory of keys.

use orderflow_schemas::commands::Fingerprint;

use super::*;

const DAY: i64 = 24 * 3600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn used(key: &str, body: u128) -> UsedKey {
    UsedKey { digest: scope::digest(&[b"c"], key), fingerprint: Fingerprint(body) }
}

fn remember(keys: &mut Keys<u8>, key: &str, seconds: i64) {
    keys.remember(used(key, 1), 7, at(seconds), 3);
}

fn is_known(keys: &Keys<u8>, key: &str, seconds: i64) -> bool {
    match keys.find(Some(used(key, 1)), at(seconds)) {
        Use::Repeat(value) => *value == 7,
        Use::First(first) => {
            assert_eq!(first, Some(used(key, 1)));
            false
        }
        Use::Reuse => panic!("it is the same request"),
    }
}

#[test]
fn a_key_of_another_request_is_reused_and_no_key_is_none() {
    let mut keys = Keys::default();
    assert_eq!(keys.find(None, at(0)), Use::First(None));
    remember(&mut keys, "a", 0);
    assert_eq!(keys.find(Some(used("a", 2)), at(1)), Use::Reuse);
    assert_eq!(keys.find(Some(used("a", 1)), at(1)), Use::Repeat(&7));
    assert_eq!(keys.find(Some(used("a", 2)), at(DAY + 1)), Use::First(Some(used("a", 2))));
}

#[test]
fn oldest_keys_go_first_when_there_are_too_many() {
    let mut keys = Keys::default();
    for (second, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
        remember(&mut keys, key, second as i64);
    }
    assert!(!is_known(&keys, "a", 4));
    assert!(is_known(&keys, "b", 4));
    assert_eq!((keys.len(), keys.crowded_out), (3, 1));
}

#[test]
fn keys_are_forgotten_after_a_day_of_record_time() {
    let mut keys = Keys::default();
    remember(&mut keys, "a", 0);
    assert!(is_known(&keys, "a", DAY));
    assert!(!is_known(&keys, "a", DAY + 1), "also when no other key came since");
    remember(&mut keys, "b", DAY + 1);
    assert_eq!((keys.len(), keys.crowded_out), (1, 0));
}

#[test]
fn a_key_that_was_forgotten_can_be_remembered_again() {
    let mut keys = Keys::default();
    remember(&mut keys, "a", 0);
    remember(&mut keys, "a", DAY + 1);
    assert!(is_known(&keys, "a", DAY + 2));
    assert_eq!((keys.len(), keys.crowded_out), (1, 0));
}

#[test]
fn a_time_that_runs_backwards_brings_no_key_back() {
    let mut keys = Keys::default();
    remember(&mut keys, "a", 0);
    remember(&mut keys, "b", DAY + 1);
    assert!(!is_known(&keys, "a", 1));
    assert!(is_known(&keys, "b", 1));
}

#[test]
fn keys_are_found_again_after_a_snapshot_and_when_their_numbers_wrap_around() {
    let mut keys = Keys { oldest: u32::MAX - 50, ..Keys::default() };
    for second in 0..200 {
        remember(&mut keys, &second.to_string(), second);
        if second == 100 {
            assert!(keys.oldest < 100, "they have wrapped around");
            let bytes = postcard::to_stdvec(&keys).unwrap();
            let back = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(keys, back);
            keys = back;
        }
        let found = (0..=second).filter(|key| is_known(&keys, &key.to_string(), second));
        assert_eq!(found.collect::<Vec<_>>(), ((second - 2).max(0)..=second).collect::<Vec<_>>());
    }
}
