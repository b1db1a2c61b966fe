use super::*;

#[test]
fn sysctls_stay_below_proc_sys() {
    let path = |name: &str| sysctl(&(name.to_owned(), "1".to_owned())).map(|(path, _)| path.into_string().unwrap());
    assert_eq!(path("net.ipv4.ip_forward").unwrap(), "sys/net/ipv4/ip_forward");
    assert_eq!(path("net/ipv4/conf/eth0.1/arp").unwrap(), "sys/net/ipv4/conf/eth0.1/arp");
    for name in ["", "..", "net..x", "net/../../kcore", "/etc/passwd", "a/./b", "a\0b"] {
        assert!(path(name).is_err(), "{name:?}");
    }
}
