use std::thread;

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("onggi-addresses-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, address: &str, text: &str) {
        fs::write(self.0.join(address), text).unwrap();
    }

    fn take(&self) -> Lease {
        allocate(&self.0, subnet(), None, &me()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn subnet() -> Subnet {
    "172.17.0.0/16".parse().unwrap()
}

fn me() -> Owner {
    Owner::this_process("me").unwrap()
}

fn last_byte(lease: &Lease) -> u8 {
    lease.address.octets()[3]
}

/// A process that is gone, with its number free again.
fn dead() -> Owner {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let owner = Owner { id: "dead".to_owned(), pid: child.id(), start_time: 1 };
    child.wait().unwrap();
    owner
}

#[test]
fn the_lowest_free_address_is_next_and_dropping_frees() {
    let folder = Folder::new("lowest");
    let leases: Vec<Lease> = (0..3).map(|_| folder.take()).collect();
    assert_eq!(leases.iter().map(last_byte).collect::<Vec<_>>(), [2, 3, 4]);
    let mut leases = leases.into_iter();
    drop(leases.next());
    assert_eq!(last_byte(&folder.take()), 2);
    let above = allocate(&folder.0, subnet(), Some(Ipv4Addr::new(172, 17, 0, 2)), &me()).unwrap();
    assert_eq!(last_byte(&above), 5);
}

#[test]
fn the_folder_is_made_and_the_file_names_the_owner() {
    let folder = Folder::new("made");
    let below = folder.0.join("network/onggi0");
    let lease = allocate(&below, subnet(), None, &Owner::this_process("two\nlines").unwrap()).unwrap();
    let line = fs::read_to_string(below.join("172.17.0.2")).unwrap();
    assert_eq!(line.lines().count(), 1);
    assert!(line.starts_with(&boot_id().unwrap()) && line.ends_with("two lines\n"), "{line}");
    drop(lease);
    assert_eq!(fs::read_dir(&below).unwrap().count(), 0);
}

#[test]
fn what_a_dead_owner_left_is_given_away() {
    let folder = Folder::new("stale");
    let boot = boot_id().unwrap();
    let mine = me();
    for (text, is_free) in [
        (mine.to_line(&boot), false),
        (dead().to_line(&boot), true),
        (mine.to_line("00000000-0000-0000-0000-000000000000"), true),
        (String::new(), true),
        (format!("{boot} {} ", mine.pid), true),
        (format!("{boot} 99999999999999999999 1 x\n"), true),
        (format!("{boot} 0 1 x\n"), true),
        ("\u{fffd} garbage\n".to_owned(), true),
    ] {
        folder.write("172.17.0.2", &text);
        assert_eq!(last_byte(&folder.take()), if is_free { 2 } else { 3 }, "{text:?}");
        let exactly = allocate_exactly(&folder.0, subnet(), Ipv4Addr::new(172, 17, 0, 2), &mine);
        assert_eq!(exactly.is_ok(), is_free, "{text:?}");
    }
}

#[test]
fn a_reused_process_number_is_seen_when_addresses_run_out() {
    let folder = Folder::new("reused");
    let tiny: Subnet = "10.0.0.0/30".parse().unwrap();
    let recycled = Owner { start_time: me().start_time + 1, ..me() };
    folder.write("10.0.0.2", &recycled.to_line(&boot_id().unwrap()));
    let lease = allocate(&folder.0, tiny, None, &me()).unwrap();
    assert_eq!(last_byte(&lease), 2);
    let full = allocate(&folder.0, tiny, None, &me()).unwrap_err();
    assert_eq!(full.to_string(), "no free address is left in 10.0.0.0/30");
}

#[test]
fn a_handed_over_address_outlives_its_lease_but_not_its_owner() {
    let folder = Folder::new("handed");
    folder.take().hand_over(&Owner { id: "monitor".to_owned(), ..me() }).unwrap();
    assert_eq!(last_byte(&folder.take()), 3);
    let lease = allocate_exactly(&folder.0, subnet(), Ipv4Addr::new(172, 17, 0, 9), &me()).unwrap();
    lease.hand_over(&dead()).unwrap();
    let again = allocate_exactly(&folder.0, subnet(), Ipv4Addr::new(172, 17, 0, 9), &me()).unwrap();
    assert_eq!(last_byte(&again), 9);
}

#[test]
fn many_at_once_never_share_an_address() {
    let folder = Folder::new("race");
    let boot = boot_id().unwrap();
    let stale = dead().to_line(&boot);
    // Half of what they fight over has to be taken from the dead.
    for last in (2..40).step_by(2) {
        folder.write(&format!("172.17.0.{last}"), &stale);
    }
    let leases: Vec<Lease> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..25).map(|_| folder.take()).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut addresses: Vec<u8> = leases.iter().map(last_byte).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, (2..=201).collect::<Vec<u8>>());
}

#[test]
fn the_start_time_is_found_behind_any_program_name() {
    let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 12345 99";
    for name in ["(cat)", "(a) b (c)", "(((", "( ) )"] {
        assert_eq!(start_time(format!("7 {name}) {fields}\n").as_bytes()), Some(12345), "{name}");
    }
    for damaged in ["", ")", "7 (cat)", "7 (cat) S 1 2"] {
        assert_eq!(start_time(damaged.as_bytes()), None, "{damaged}");
    }
}

#[test]
fn an_absent_process_is_no_owner() {
    let pid = dead().pid;
    let error = Owner::process("x", pid).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `/proc/{pid}/stat`"));
}
