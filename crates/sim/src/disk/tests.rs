use super::*;

fn read(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    disk.content(path)
}

#[test]
fn flushed_bytes_survive_every_outcome() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).unwrap();
    file.write_all_at(b"flushed", 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_directory("").unwrap();
    file.write_all_at(b"later", 2000).unwrap();
    for seed in 0..200 {
        let found = read(&disk.reboot(seed), "a").unwrap();
        assert_eq!(&found[..7], b"flushed");
    }
}

#[test]
fn unflushed_bytes_are_kept_lost_and_torn() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).unwrap();
    disk.sync_directory("").unwrap();
    file.write_all_at(&[7; 2048], 0).unwrap();
    let mut kept = 0;
    let mut lost = 0;
    let mut torn = 0;
    for seed in 0..400 {
        let found = read(&disk.reboot(seed), "a").unwrap();
        let sectors = found
            .chunks(512)
            .filter(|sector| *sector == [7; 512])
            .count();
        match sectors {
            0 => lost += 1,
            4 => kept += 1,
            _ => torn += 1,
        }
    }
    assert!(kept > 20 && lost > 20 && torn > 20, "{kept} {lost} {torn}");
}

#[test]
fn a_later_write_can_survive_an_earlier_one() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).unwrap();
    disk.sync_directory("").unwrap();
    file.write_all_at(&[1; 512], 0).unwrap();
    file.write_all_at(&[2; 512], 512).unwrap();
    let reordered = (0..400).filter(|seed| {
        let found = read(&disk.reboot(*seed), "a").unwrap();
        found.len() == 1024 && found[0] != 1 && found[512] == 2
    });
    assert!(reordered.count() > 10);
}

#[test]
fn names_are_durable_after_their_directory_is_flushed() {
    let disk = SimDisk::new(1);
    disk.create_directory("d").unwrap();
    disk.sync_directory("").unwrap();
    let file = disk.open("d/new", true).unwrap();
    file.write_all_at(b"x", 0).unwrap();
    file.sync_data().unwrap();
    let found = |disk: &SimDisk| {
        (0..200)
            .filter(|seed| !disk.reboot(*seed).paths().is_empty())
            .count()
    };
    assert!((20..180).contains(&found(&disk)));
    disk.sync_directory("d").unwrap();
    assert_eq!(found(&disk), 200);

    disk.rename("d/new", "d/old").unwrap();
    for seed in 0..200 {
        let after = disk.reboot(seed);
        let paths = after.paths();
        assert!(paths == ["d/new"] || paths == ["d/old"], "{paths:?}");
        assert_eq!(read(&after, &paths[0]).unwrap(), b"x");
    }
    disk.remove("d/old").unwrap();
    assert!((0..200).any(|seed| disk.reboot(seed).paths().is_empty()));
    assert!((0..200).any(|seed| !disk.reboot(seed).paths().is_empty()));
}

#[test]
fn nothing_works_without_power() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).unwrap();
    disk.cut_power_at(disk.operations() + 1);
    file.write_all_at(b"1", 0).unwrap();
    assert!(file.sync_data().is_err());
    assert!(!disk.has_power());
    assert!(file.write_all_at(b"2", 0).is_err());
    assert!(file.len().is_err());
    assert!(file.read_exact_at(&mut [0], 0).is_err());
    assert!(disk.open("a", false).is_err());
    assert!(disk.list("").is_err());
}

#[test]
fn a_failed_flush_may_lose_what_reads_still_show() {
    let mut lost = 0;
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let file = disk.open("a", true).unwrap();
        disk.sync_directory("").unwrap();
        file.write_all_at(b"1", 0).unwrap();
        disk.fail_at(disk.operations(), Fault::Io);
        assert!(file.sync_data().is_err());
        assert_eq!(read(&disk, "a").unwrap(), b"1");
        file.sync_data().unwrap();
        lost += usize::from(read(&disk.reboot(seed), "a").unwrap() != b"1");
    }
    assert!(lost > 10);
}

#[test]
fn a_full_disk_refuses_growth_only() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).unwrap();
    disk.set_capacity(1000);
    file.write_all_at(&[1; 900], 0).unwrap();
    let refused = file.write_all_at(&[2; 200], 900).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.available_bytes().unwrap(), 0);
    file.write_all_at(&[3; 900], 0).unwrap();
    disk.make_room();
    file.write_all_at(&[2; 200], 900).unwrap();
}

#[test]
fn a_killed_program_leaves_what_it_wrote() {
    let disk = SimDisk::new(1);
    let file = disk.open("a", true).unwrap();
    file.write_all_at(b"1", 0).unwrap();
    disk.kill_at(disk.operations());
    assert!(file.write_all_at(b"2", 1).is_err());
    let next = disk.restart();
    assert_eq!(read(&next, "a").unwrap(), b"1");
    assert!((0..100).any(|seed| read(&next.reboot(seed), "a").is_none()));
    let file = next.open("a", false).unwrap();
    file.sync_data().unwrap();
    next.sync_directory("").unwrap();
    for seed in 0..100 {
        assert_eq!(read(&next.reboot(seed), "a").unwrap(), b"1");
    }
}
