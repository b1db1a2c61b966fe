use std::ffi::OsString;

use engine::{HostAddress, RunResources, SecretSource, StepOptions};

use crate::cli::{Command, parse};
use crate::failure::Failure;

/// Understands a line of flags; a failure as `message | hint`.
fn read(line: &str) -> Result<StepOptions, String> {
    let words: Vec<OsString> = ["onggi", "build"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
    let Command::Build(args) = parse(&words).unwrap().command else { panic!("{line}") };
    let lookup = |name: &str| match name {
        "TOKEN" => Some("s3cret".to_owned()),
        "LARGE" => Some("x".repeat(600 * 1024)),
        _ => None,
    };
    super::options(&args.steps, &lookup).map_err(|failure| {
        let Failure::Problems { problems, .. } = failure else { panic!("{line}") };
        format!("{} | {}", problems[0].message, problems[0].hint.as_deref().unwrap_or("nothing"))
    })
}

fn secret(line: &str) -> String {
    let options = read(line).unwrap();
    let (id, source) = options.secrets.first_key_value().unwrap();
    match source {
        SecretSource::File(path) => format!("{id} file {}", path.display()),
        SecretSource::Variable { name, value } => {
            format!("{id} {name}={}", String::from_utf8_lossy(value.expose()))
        }
    }
}

#[test]
fn b014_secrets_are_of_a_file_or_of_the_environment_or_found_out() {
    for (line, expected) in [
        ("--secret id=a,src=/etc/passwd .", "a file /etc/passwd"),
        ("--secret id=a,source=/etc/passwd .", "a file /etc/passwd"),
        ("--secret type=file,id=a,src=/etc/passwd .", "a file /etc/passwd"),
        ("--secret id=a,env=TOKEN .", "a TOKEN=s3cret"),
        ("--secret type=env,id=a,src=TOKEN .", "a TOKEN=s3cret"),
        ("--secret id=a,env=UNSET .", "a UNSET="),
        ("--secret id=TOKEN .", "TOKEN TOKEN=s3cret"),
        ("--secret id=Cargo.toml .", "Cargo.toml file Cargo.toml"),
        ("--secret type=file,id=Cargo.toml .", "Cargo.toml file Cargo.toml"),
        ("--secret type=env,id=TOKEN .", "TOKEN TOKEN=s3cret"),
        ("--secret \"id=a\",env=TOKEN .", "a TOKEN=s3cret"),
    ] {
        assert_eq!(secret(line), expected, "{line}");
    }
    let shown = format!("{:?}", read("--secret id=a,env=TOKEN .").unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// Flags, and `message | hint`.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str)] = &[
    ("--secret nonsense .", "`--secret` has a field that is not `key=value` | write it as in `--secret id=token,src=token.txt` or `--secret id=token,env=TOKEN`"),
    ("--secret src=/x .", "`--secret` gives a secret without an ID | write it as in `--secret id=token,src=token.txt` or `--secret id=token,env=TOKEN`"),
    ("--secret ids=x .", "`--secret` has no field `ids` | did you mean `id`?"),
    ("--secret id=x,type=fil .", "`--secret` has no type `fil` | did you mean `type=file`?"),
    ("--secret id=x,type=vault .", "`--secret` has no type `vault` | use `type=file`, `type=env`"),
    ("--secret id=x,\"src=y .", "`--secret` has a quote that is not around a whole field | write it as in `--secret id=token,src=token.txt` or `--secret id=token,env=TOKEN`"),
    ("--secret id=x,src=/no/such .", "cannot read the secret `x` from /no/such: No such file or directory (os error 2) | check the path, or take it from the environment: `--secret id=x,env=VARIABLE`"),
    ("--secret id=x,src=/etc .", "the secret `x` is the folder /etc | give a file: `--secret id=x,src=FILE`"),
    ("--secret id=x,env=LARGE .", "the secret `x` is larger than 512000 bytes | bring large files in with `RUN --mount=type=bind`"),
    ("--ssh default .", "`--ssh default` needs an agent, and `SSH_AUTH_SOCK` is not set | start one, and give it your keys: `eval $(ssh-agent) && ssh-add`; with sudo: `sudo --preserve-env=SSH_AUTH_SOCK …`"),
    ("--ssh git=/etc/passwd .", "/etc/passwd is no agent's socket: keys are not read yet | let an agent hold them: `eval $(ssh-agent) && ssh-add /etc/passwd`, then `--ssh git`"),
    ("--ssh git=a,b .", "`--ssh git=` has several paths: keys are not read yet | let an agent hold them: `eval $(ssh-agent) && ssh-add a b`, then `--ssh git`"),
    ("--ssh git=/etc .", "/etc is no agent's socket | start an agent: `eval $(ssh-agent) && ssh-add`, then `--ssh default`"),
    ("--ssh git=/no/such .", "cannot use the agent /no/such: No such file or directory (os error 2) | start an agent: `eval $(ssh-agent) && ssh-add`, then `--ssh default`"),
    ("--add-host db .", "`--add-host db` has no address | write it as in `--add-host db:10.0.0.5`, `db=[::1]` or `db:host-gateway`"),
    ("--add-host :1.2.3.4 .", "`--add-host :1.2.3.4` has no usable name | write it as in `--add-host db:10.0.0.5`, `db=[::1]` or `db:host-gateway`"),
    ("--add-host db:1.2.3 .", "`1.2.3` is not an address | write it as in `--add-host db:10.0.0.5`, `db=[::1]` or `db:host-gateway`"),
    ("--allow network.hst .", "`--allow` knows no right `network.hst` | did you mean `--allow network.host`?"),
    ("--allow network.host=x .", "`--allow` knows no right `network.host=x` | did you mean `--allow network.host`?"),
    ("--shm-size much .", "`--shm-size much` is not a size | write for example `--shm-size 128m`"),
    ("--shm-size 0 .", "`--shm-size 0` is not a size | write for example `--shm-size 128m`"),
    ("--ulimit nofile .", "`--ulimit nofile` has no value | write it as in `--ulimit nofile=1024:2048`"),
    ("--ulimit nofiles=1 .", "there is no limit `nofiles` | did you mean `nofile`?"),
    ("--ulimit nofile=many .", "`many` in `--ulimit` is not a number | write it as in `--ulimit nofile=1024:2048`"),
    ("--ulimit nofile=2:1 .", "the soft limit of `--ulimit nofile=2:1` is above the hard one | write `--ulimit nofile=1:2`"),
    ("--cgroup-parent ../x .", "`--cgroup-parent ../x` is not the path of a control group | write for example `--cgroup-parent /builds`"),
    ("--resource memory .", "`memory` in `--resource` has no value | write it as in `--resource memory=1g,cpu-quota=50000`"),
    ("--resource memroy=1g .", "there is no resource `memroy` | did you mean `memory`?"),
    ("--resource memory=much .", "`much` is not a value of the resource `memory` | write for example `--resource memory=512m`"),
    ("--cpuset-cpus 0..3 .", "`0..3` is not a value of the resource `cpuset-cpus` | write for example `--resource cpuset-cpus=0-1`"),
    ("-c half .", "`half` is not a value of the resource `cpu-shares` | write for example `--resource cpu-shares=512`"),
];

#[test]
fn b014_b015_b018_b019_b020_b021_mistakes_say_what_to_type() {
    for (line, expected) in MISTAKES {
        assert_eq!(read(line).map(|_| ()), Err((*expected).to_owned()), "{line}");
    }
    // What was typed in the place of a field may be the secret.
    assert!(!read("--secret s3cret .").unwrap_err().contains("s3cret"));
}

#[test]
fn b015_an_agent_is_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let options = read(&format!("--ssh git={0} --ssh ={0} .", path.display())).unwrap();
    assert_eq!(options.agents.keys().collect::<Vec<_>>(), ["default", "git"]);
    let twice = read(&format!("--ssh git={0} --ssh git={0} .", path.display()));
    assert_eq!(
        twice.map(|_| ()).unwrap_err(),
        "`--ssh` gives the agent `git` twice | give each agent an ID of its own: `--ssh ID=SOCKET`"
    );
}

#[test]
fn b018_hosts_have_addresses_in_every_form() {
    let options =
        read("--add-host a:10.0.0.1 --add-host b=::1 --add-host c=[::2] --add-host d:::3 --add-host e:host-gateway .")
            .unwrap();
    let shown: Vec<String> = options
        .hosts
        .iter()
        .map(|(name, address)| match address {
            HostAddress::Address(address) => format!("{name} {address}"),
            HostAddress::Gateway => format!("{name} gateway"),
        })
        .collect();
    assert_eq!(shown, ["a 10.0.0.1", "b ::1", "c ::2", "d ::3", "e gateway"]);
}

#[test]
fn b019_b020_limits_have_two_spellings() {
    let listed = read(
        "--resource memory=1g,memory-swap=-1,cpu-shares=512 --resource cpu-period=1000,cpu-quota=-1 \
         --resource \"cpuset-cpus=0-1,3\" --resource cpuset-mems=0 .",
    );
    let expected = RunResources {
        memory: Some(1 << 30),
        memory_swap: Some(u64::MAX),
        cpu_shares: Some(512),
        cpu_period: Some(1000),
        cpu_quota: Some(u64::MAX),
        cpuset_cpus: Some("0-1,3".to_owned()),
        cpuset_mems: Some("0".to_owned()),
    };
    assert_eq!(listed.unwrap().limits.resources, expected);
    let single =
        read("-m 1g --memory-swap -1 -c 512 --cpu-period 1000 --cpu-quota -1 --cpuset-cpus 0-1,3 --cpuset-mems 0 .");
    assert_eq!(single.unwrap().limits.resources, expected);
    let limits = read("--shm-size 128m --ulimit nofile=1 --ulimit nofile=2:-1 --ulimit core=0 --cgroup-parent /a/b .");
    let limits = limits.unwrap().limits;
    assert_eq!(limits.shm_size, Some(128 << 20));
    assert_eq!(limits.cgroup_parent.as_deref(), Some("a/b"));
    let shown: Vec<String> =
        limits.ulimits.iter().map(|limit| format!("{} {} {}", limit.name, limit.soft, limit.hard)).collect();
    assert_eq!(shown, [format!("nofile 2 {}", u64::MAX), "core 0 0".to_owned()]);
}

#[test]
fn b021_only_the_host_s_network_is_a_right_that_changes_something() {
    assert!(read("--allow network.host .").unwrap().allow_host_network);
    assert!(read("--allow security.insecure,network.host .").unwrap().allow_host_network);
    assert!(
        !read("--allow security.insecure --allow device=vendor.com/x --allow device .").unwrap().allow_host_network
    );
}
