//! The disk without faults: what is durable, what a power cut leaves, and that a seed always gives the same run.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use orderflow_simulator::disk::{SECTOR_BYTES, SimDisk};
use orderflow_world::disk::{Access, Disk, DiskFile, LockError, LockKind};
use proptest::prelude::*;

pub const FILE: &str = "/data/file";

/// A disk with one durable, empty file.
pub fn disk_with_file(seed: u64) -> (SimDisk, Arc<dyn DiskFile>) {
    let disk = SimDisk::new(seed);
    disk.create_dir(Path::new("/data")).unwrap();
    let file = disk.open(Path::new(FILE), Access::Create).unwrap();
    disk.sync_dir(Path::new("/data")).unwrap();
    (disk, file)
}

fn reopen(disk: &SimDisk) -> Arc<dyn DiskFile> {
    disk.open(Path::new(FILE), Access::Write).unwrap()
}

#[test]
fn what_is_synced_survives_and_old_handles_are_dead() {
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed);
        file.write_at(b"durable", 0).unwrap();
        file.sync().unwrap();
        let mount = disk.mount();
        disk.power_cut();
        assert!(!mount.is_alive());
        assert!(file.write_at(b"too late", 0).is_err());
        assert!(file.sync().is_err() && file.len().is_err());
        assert!(mount.remove(Path::new(FILE)).is_err());
        let before = disk.operations();
        drop(file);
        assert_eq!(disk.operations(), before);
        assert_eq!(disk.read(Path::new(FILE)).unwrap(), b"durable");
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_wrote() {
    let (disk, file) = disk_with_file(1);
    file.write_at(b"written", 0).unwrap();
    disk.process_crash();
    assert!(file.len().is_err());
    assert_eq!(disk.read(Path::new(FILE)).unwrap(), b"written");
    assert_eq!(disk.read_durable(Path::new(FILE)).unwrap(), b"");
}

#[test]
fn unsynced_sectors_end_as_any_write_left_them_each_for_itself() {
    let mut seen = BTreeSet::new();
    for seed in 0..600 {
        let (disk, file) = disk_with_file(seed);
        file.write_at(&[b'a'; 2 * SECTOR_BYTES], 0).unwrap();
        file.sync().unwrap();
        for byte in *b"bc" {
            file.write_at(&[byte; 2 * SECTOR_BYTES], 0).unwrap();
        }
        disk.power_cut();
        let bytes = disk.read(Path::new(FILE)).unwrap();
        for sector in bytes.chunks(SECTOR_BYTES) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is whole");
        }
        seen.insert((bytes[0], bytes[SECTOR_BYTES]));
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
}

#[test]
fn a_file_is_cut_wholly_or_not_at_all() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let (disk, file) = disk_with_file(seed);
        file.write_at(&[b'a'; 3 * SECTOR_BYTES], 0).unwrap();
        file.sync().unwrap();
        let file = disk.open(Path::new(FILE), Access::Create).unwrap();
        file.write_at(&[b'b'; 2 * SECTOR_BYTES], 0).unwrap();
        assert_eq!(disk.read_durable(Path::new(FILE)).unwrap(), [b'a'; 3 * SECTOR_BYTES]);
        disk.power_cut();
        let left = disk.read(Path::new(FILE)).unwrap();
        assert!(left == [b'a'; 3 * SECTOR_BYTES] || !left.contains(&b'a'), "old and new are not mixed");
        seen.insert((left.len(), left.first().copied()));
    }
    let full = 2 * SECTOR_BYTES;
    for expected in [(full, Some(b'b')), (full, Some(0)), (0, None), (3 * SECTOR_BYTES, Some(b'a'))] {
        assert!(seen.contains(&expected), "{expected:?} of {seen:?}");
    }
}

#[test]
fn names_are_lost_or_kept_unless_their_folder_was_synced() {
    let (mut made, mut renamed, mut removed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed);
        file.write_at(b"old", 0).unwrap();
        file.sync().unwrap();
        let path = |name: &str| Path::new("/data").join(name);
        disk.open(&path("synced"), Access::Create).unwrap();
        disk.open(&path("doomed"), Access::Create).unwrap();
        disk.sync_dir(Path::new("/data")).unwrap();
        let new = disk.open(&path("new"), Access::Create).unwrap();
        new.write_at(b"new", 0).unwrap();
        new.sync().unwrap();
        disk.rename(&path("new"), Path::new(FILE)).unwrap();
        disk.open(&path("made"), Access::Create).unwrap();
        disk.remove(&path("doomed")).unwrap();
        disk.power_cut();
        assert!(disk.read(&path("synced")).is_some());
        made.insert(disk.read(&path("made")).is_some());
        removed.insert(disk.read(&path("doomed")).is_none());
        renamed.insert(disk.read(Path::new(FILE)).unwrap());
    }
    assert_eq!(renamed, [b"old".to_vec(), b"new".to_vec()].into());
    assert_eq!((made.len(), removed.len()), (2, 2));
}

#[test]
fn allocated_room_is_durable_and_reads_as_zero() {
    for seed in 0..50 {
        let (disk, file) = disk_with_file(seed);
        file.allocate(5000).unwrap();
        disk.power_cut();
        assert_eq!(disk.read(Path::new(FILE)).unwrap(), vec![0; 5000]);
    }
}

#[test]
fn reads_past_the_end_fail() {
    let (_disk, file) = disk_with_file(1);
    file.write_at(b"short", 0).unwrap();
    assert_eq!(file.read_at(&mut [0; 6], 0).unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn locks_exclude_and_die_with_their_process() {
    let (disk, _file) = disk_with_file(1);
    let path = Path::new("/data/LOCK");
    let old = disk.lock(path, LockKind::Exclusive).unwrap();
    assert!(matches!(disk.lock(path, LockKind::Exclusive), Err(LockError::Held(_))));
    assert!(matches!(disk.lock(path, LockKind::Shared), Err(LockError::Held(_))));
    disk.process_crash();
    let new = disk.lock(path, LockKind::Exclusive).unwrap();
    drop(old);
    assert!(disk.lock(path, LockKind::Exclusive).is_err(), "the dead do not unlock");
    drop(new);
    let readers = [disk.lock(path, LockKind::Shared).unwrap(), disk.lock(path, LockKind::Shared).unwrap()];
    assert!(disk.lock(path, LockKind::Exclusive).is_err());
    drop(readers);
    disk.lock(path, LockKind::Exclusive).unwrap();
}

#[test]
fn looking_at_a_fork_changes_nothing() {
    let run = |look: bool| {
        let (disk, file) = disk_with_file(7);
        for n in 0..20 {
            file.write_at(&[n; 700], u64::from(n) * 300).unwrap();
            if look {
                let fork = disk.fork();
                let seen = fork.open(Path::new(FILE), Access::Write).unwrap();
                seen.write_at(b"scribble", 0).unwrap();
                fork.power_cut();
            }
        }
        disk.power_cut();
        (disk.read(Path::new(FILE)).unwrap(), disk.operations())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_flipped_bit_is_seen_and_survives() {
    let (disk, file) = disk_with_file(1);
    file.write_at(&[0, 0], 0).unwrap();
    file.sync().unwrap();
    assert!(disk.flip_bit(Path::new(FILE), 1, 3));
    assert!(!disk.flip_bit(Path::new(FILE), 2, 3));
    disk.power_cut();
    assert_eq!(disk.read(Path::new(FILE)).unwrap(), [0, 8]);
}

#[test]
fn a_power_cut_damages_only_what_was_not_durable() {
    let mut damaged = 0;
    for seed in 0..200 {
        let (disk, file) = disk_with_file(seed);
        disk.set_unsynced_flips(0.5);
        file.write_at(&[7; 3000], 0).unwrap();
        file.sync().unwrap();
        file.write_at(&[9; 1000], 900).unwrap();
        disk.power_cut();
        let bytes = disk.read(Path::new(FILE)).unwrap();
        assert!(bytes[..900].iter().chain(&bytes[1900..]).all(|byte| *byte == 7), "seed {seed}");
        let wrong: Vec<&u8> = bytes[900..1900].iter().filter(|byte| ![7, 9].contains(*byte)).collect();
        assert!(wrong.iter().all(|byte| (**byte ^ 9).count_ones() == 1), "seed {seed}: {wrong:?}");
        damaged += wrong.len();
    }
    assert!(damaged > 50, "{damaged}");
}

#[derive(Clone, Debug)]
enum Action {
    Write { at: u64, length: usize, byte: u8 },
    Allocate(u64),
    Sync,
    PowerCut,
    Kill,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        8 => (0..4000u64, 0..1500usize, 1..=255u8).prop_map(|(at, length, byte)| Action::Write { at, length, byte }),
        1 => (0..6000u64).prop_map(Action::Allocate),
        3 => Just(Action::Sync),
        1 => Just(Action::PowerCut),
        1 => Just(Action::Kill),
    ];
    prop::collection::vec(action, 1..60)
}

/// The expected bytes as processes see them, and every state since the last sync.
struct Model {
    now: Vec<u8>,
    since_sync: Vec<Vec<u8>>,
}

impl Model {
    fn settle(&mut self) {
        self.since_sync = vec![self.now.clone()];
    }

    /// Checks the bytes that a power cut left.
    fn check(&mut self, left: Vec<u8>) {
        assert!(self.since_sync.iter().any(|state| state.len() == left.len()), "one of the lengths");
        for (n, sector) in left.chunks(SECTOR_BYTES).enumerate() {
            let of = |state: &Vec<u8>| {
                let mut state = state.clone();
                state.resize(state.len().max((n + 1) * SECTOR_BYTES), 0);
                state[n * SECTOR_BYTES..][..sector.len()].to_vec()
            };
            assert!(self.since_sync.iter().any(|state| of(state) == sector), "sector {n} is of a state");
        }
        self.now = left;
        self.settle();
    }
}

fn run(seed: u64, actions: &[Action]) -> (Vec<u8>, u64) {
    let (disk, mut file) = disk_with_file(seed);
    let mut model = Model { now: Vec::new(), since_sync: vec![Vec::new()] };
    for action in actions {
        match action {
            Action::Write { at, length, byte } => {
                file.write_at(&vec![*byte; *length], *at).unwrap();
                if *length > 0 {
                    let at = *at as usize;
                    model.now.resize(model.now.len().max(at + length), 0);
                    model.now[at..at + length].fill(*byte);
                    model.since_sync.push(model.now.clone());
                }
            }
            Action::Allocate(length) => {
                file.allocate(*length).unwrap();
                model.now.resize(model.now.len().max(*length as usize), 0);
                model.settle();
            }
            Action::Sync => {
                file.sync().unwrap();
                model.settle();
            }
            Action::PowerCut => {
                disk.power_cut();
                file = reopen(&disk);
                model.check(disk.read(Path::new(FILE)).unwrap());
            }
            Action::Kill => {
                disk.process_crash();
                file = reopen(&disk);
            }
        }
        assert_eq!(disk.read(Path::new(FILE)).unwrap(), model.now);
        assert_eq!(disk.read_durable(Path::new(FILE)).unwrap(), model.since_sync[0]);
    }
    disk.power_cut();
    (disk.read(Path::new(FILE)).unwrap(), disk.operations().digest)
}

proptest! {
    #[test]
    fn synced_bytes_survive_and_others_are_a_mix_of_versions(seed in any::<u64>(), actions in actions()) {
        run(seed, &actions);
    }

    #[test]
    fn the_same_seed_and_calls_give_the_same_bytes(seed in any::<u64>(), actions in actions()) {
        prop_assert_eq!(run(seed, &actions), run(seed, &actions));
    }
}
