use super::*;

fn published(ports: &[(&str, &str)]) -> Vec<PublishedPort> {
    let parse = |(container, host): &(&str, &str)| PublishedPort {
        container: container.parse().unwrap(),
        host: host.parse().unwrap(),
    };
    ports.iter().map(parse).collect()
}

#[test]
fn c203_the_column_of_ports_is_dockers() {
    for (ports, exposed, shown) in [
        (&[][..], &[][..], ""),
        (&[], &["443/tcp", "80/tcp", "53/udp"], "80/tcp, 53/udp, 443/tcp"),
        (&[("80/tcp", "0.0.0.0:8080")], &["80/tcp", "443/tcp"], "443/tcp, 0.0.0.0:8080->80/tcp"),
        (&[("80/tcp", "0.0.0.0:80"), ("81/tcp", "0.0.0.0:81")], &["80/tcp"], "0.0.0.0:80-81->80-81/tcp"),
        (
            &[("80/tcp", "0.0.0.0:80"), ("80/tcp", "[::]:80"), ("53/udp", "127.0.0.1:53")],
            &[],
            "127.0.0.1:53->53/udp, 0.0.0.0:80->80/tcp, [::]:80->80/tcp",
        ),
        (
            &[("8000/tcp", "0.0.0.0:9000"), ("8001/tcp", "0.0.0.0:9001")],
            &[],
            "0.0.0.0:9000->8000/tcp, 0.0.0.0:9001->8001/tcp",
        ),
        (&[], &["1/tcp", "2/tcp", "4/tcp"], "1-2/tcp, 4/tcp"),
    ] {
        let exposed: Vec<ContainerPort> = exposed.iter().map(|port| port.parse().unwrap()).collect();
        assert_eq!(ports_column(&published(ports), &exposed), shown);
    }
}

#[test]
fn c203_inspect_shows_what_is_published_and_what_only_exposed() {
    let ports = published(&[("80/tcp", "0.0.0.0:8080"), ("80/tcp", "127.0.0.1:8081")]);
    let exposed = ["443/tcp", "80/tcp"].map(|port| port.parse().unwrap());
    assert_eq!(
        inspected(&ports, &exposed).to_string(),
        r#"{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"127.0.0.1","HostPort":"8081"}]}"#
    );
}
