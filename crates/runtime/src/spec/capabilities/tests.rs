use super::*;

#[test]
fn names_and_numbers_agree_with_the_kernel_headers() {
    for (name, number) in [("chown", 0), ("CAP_SYS_ADMIN", 21), ("cap_mknod", 27), ("CHECKPOINT_RESTORE", 40)] {
        assert_eq!(Capabilities::named(name).map(Capabilities::bits), Ok(1 << number), "{name}");
    }
    assert_eq!(Capabilities::named("CAP_").unwrap_err(), UnknownCapability("CAP_".into()));
    assert!(Capabilities::named("ALL").is_err());
}

#[test]
fn dockers_set_is_fourteen() {
    let names: Vec<_> = Capabilities::DOCKER.names().collect();
    assert_eq!(names.len(), 14);
    for name in ["CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"] {
        assert!(names.contains(&name), "{name}");
    }
}
