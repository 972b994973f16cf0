//! The disk with faults: what each fault may do and must not do.

use std::{collections::BTreeSet, io::ErrorKind, path::Path};

use orderflow_simulator::disk::{DiskFaults, SECTOR_BYTES};
use orderflow_world::disk::{Access, Disk};

use crate::disk::{FILE, disk_with_file};

fn set(fault: impl FnOnce(&mut DiskFaults)) -> DiskFaults {
    let mut faults = DiskFaults::default();
    fault(&mut faults);
    faults
}

#[test]
fn a_failed_sync_loses_data_that_later_syncs_call_durable() {
    let mut left = BTreeSet::new();
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed);
        file.write_at(&[b'a'; SECTOR_BYTES], 0).unwrap();
        file.sync().unwrap();
        file.write_at(&[b'b'; SECTOR_BYTES], 0).unwrap();
        disk.set_faults(set(|faults| faults.sync_error = 1.0));
        file.sync().unwrap_err();
        disk.set_faults(DiskFaults::default());
        file.sync().unwrap();
        assert_eq!(disk.read(Path::new(FILE)).unwrap()[0], b'b', "processes still see it");
        disk.power_cut();
        left.insert(disk.read(Path::new(FILE)).unwrap()[0]);
    }
    assert_eq!(left, [b'a', b'b'].into());
}

#[test]
fn a_failed_write_leaves_any_part() {
    let mut lengths = BTreeSet::new();
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed);
        disk.set_faults(set(|faults| faults.write_error = 1.0));
        file.write_at(b"abc", 0).unwrap_err();
        let left = disk.read(Path::new(FILE)).unwrap();
        assert!(b"abc".starts_with(&left));
        lengths.insert(left.len());
    }
    assert_eq!(lengths, [0, 1, 2, 3].into());
}

#[test]
fn reads_and_names_fail_as_often_as_asked() {
    let (disk, file) = disk_with_file(3);
    file.write_at(b"abc", 0).unwrap();
    disk.set_faults(DiskFaults { read_error: 0.5, name_error: 0.5, ..DiskFaults::default() });
    let failed = (0..1000).filter(|_| file.read_at(&mut [0; 3], 0).is_err()).count();
    assert!((400..600).contains(&failed), "{failed}");
    let failed = (0..1000).filter(|_| disk.open(Path::new(FILE), Access::Read).is_err()).count();
    assert!((400..600).contains(&failed), "{failed}");
}

#[test]
fn a_full_disk_takes_what_needs_no_room() {
    let (disk, file) = disk_with_file(3);
    file.allocate(1000).unwrap();
    disk.set_faults(set(|faults| faults.full = true));
    file.write_at(&[1; 1000], 0).unwrap();
    assert_eq!(file.write_at(&[1; 1001], 0).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.allocate(1001).unwrap_err().kind(), ErrorKind::StorageFull);
    disk.set_faults(set(|faults| faults.bytes_max = Some(1500)));
    file.write_at(&[1; 1500], 0).unwrap();
    assert_eq!(file.write_at(&[1], 1500).unwrap_err().kind(), ErrorKind::StorageFull);
}

#[test]
fn after_the_crash_nothing_does_anything() {
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed);
        disk.crash_after(2);
        file.write_at(b"one", 0).unwrap();
        file.sync().unwrap();
        assert!(!disk.is_down());
        file.write_at(b"two", 0).unwrap_err();
        assert!(disk.is_down());
        let (bytes, operations) = (disk.read(Path::new(FILE)).unwrap(), disk.operations());
        file.write_at(b"six", 0).unwrap_err();
        file.sync().unwrap_err();
        file.len().unwrap_err();
        disk.open(Path::new(FILE), Access::Create).unwrap_err();
        disk.remove(Path::new(FILE)).unwrap_err();
        assert_eq!((disk.read(Path::new(FILE)).unwrap(), disk.operations()), (bytes, operations));
        disk.power_cut();
        let left = disk.read(Path::new(FILE)).unwrap();
        assert!([&b"one"[..], b"tne", b"twe", b"two"].contains(&left.as_slice()), "{left:?}");
    }
}

#[test]
fn lying_syncs_make_nothing_durable() {
    let (disk, file) = disk_with_file(3);
    disk.set_faults(set(|faults| faults.syncs_lie = true));
    file.write_at(b"abc", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(disk.read_durable(Path::new(FILE)).unwrap(), b"");
}
