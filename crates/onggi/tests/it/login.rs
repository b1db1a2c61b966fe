//! `login`, `logout` and `config explain` against Debian's registry and servers that are told what to answer, compared
//! with docker and podman where they are installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Command, HttpServer, Output, Registry, RegistryOptions, Response, Sandbox, Terminal};

const LIMIT: Duration = Duration::from_secs(60);
const TOKEN: &str = "eyJwYXlsb2FkIjoi+/=";

/// A home of its own, and the registry that is logged in to.
struct Place {
    sandbox: Sandbox,
    registry: Registry,
}

impl Place {
    /// `None` where the registry is not installed.
    fn new() -> Option<Self> {
        let users = vec![("AWS".to_owned(), TOKEN.to_owned()), ("me".to_owned(), "secret".to_owned())];
        let registry = Registry::start_with(&RegistryOptions { users, ..RegistryOptions::default() })?;
        Some(Self { sandbox: Sandbox::new(), registry })
    }

    fn host(&self) -> String {
        self.registry.host()
    }

    fn onggi(&self, words: &[&str]) -> Command {
        self.sandbox.onggi(words)
    }

    /// Logs in with a password from standard input.
    fn login(&self, user: &str, password: &str) -> Output {
        self.onggi(&["login", "-u", user, "--password-stdin", &self.host()]).stdin(password).run()
    }

    fn config_path(&self) -> PathBuf {
        self.sandbox.home().join(".docker/config.json")
    }

    fn config(&self) -> Value {
        serde_json::from_slice(&fs::read(self.config_path()).unwrap()).unwrap()
    }

    fn write_config(&self, config: &Value) {
        fs::create_dir_all(self.config_path().parent().unwrap()).unwrap();
        fs::write(self.config_path(), config.to_string()).unwrap();
    }

    /// A credential helper that keeps everything in a file; its folder, to be put into `PATH`.
    fn helper(&self) -> PathBuf {
        let folder = self.sandbox.path().join("helpers");
        fs::create_dir_all(&folder).unwrap();
        let script = "#!/bin/sh\nhere=${0%/*}\nline=$(cat)\necho \"$1 $line\" >> \"$here/log\"\ncase $1 in\n\
                      store) echo \"$line\" > \"$here/kept\" ;;\nerase) rm -f \"$here/kept\" ;;\n\
                      get) cat \"$here/kept\" 2>/dev/null || { echo credentials not found in native keychain; exit 1; } ;;\nesac\n";
        let path = folder.join("docker-credential-test");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        folder
    }
}

fn with_helpers(command: Command, folder: &std::path::Path) -> Command {
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()))
}

#[test]
fn s260_a_token_of_a_cloud_from_standard_input() {
    let Some(place) = Place::new() else { return };
    for end in ["\n", "\r\n", ""] {
        let words = ["login", "--username", "AWS", "--password-stdin", &place.host()];
        let output = place.onggi(&words).stdin(format!("{TOKEN}{end}")).run().success();
        assert_eq!(output.stdout, "Login Succeeded\n");
        let warns = output.stderr.contains("WARNING! Your credentials are stored unencrypted in '");
        assert_eq!(warns, end == "\n", "only when it is written: {}", output.stderr);
    }
    assert_eq!(place.config(), json!({ "auths": { place.host(): { "auth": "QVdTOmV5SndZWGxzYjJGa0lqb2krLz0=" } } }));
    let mode = place.config_path().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn c300_nothing_is_kept_that_the_registry_does_not_take() {
    let Some(place) = Place::new() else { return };
    let failed = place.login("me", "wrong").exits(1);
    let expected = format!("error: cannot log in at `{}`: the name or the password is wrong", place.host());
    assert!(failed.stderr.starts_with(&expected), "{}", failed.stderr);
    assert!(failed.stdout.is_empty() && !place.config_path().exists());
    // The good one stays when a bad one is tried.
    place.login("me", "secret").success();
    let before = place.config();
    place.login("me", "wrong").exits(1);
    assert_eq!(place.config(), before);
    // Nobody there.
    let failed = place.onggi(&["login", "-u", "me", "--password-stdin", "127.0.0.1:1"]).stdin("x").run().exits(1);
    assert!(failed.stderr.contains("cannot log in at `127.0.0.1:1`"), "{}", failed.stderr);
    assert_eq!(place.config(), before);
}

#[test]
fn c301_a_password_on_the_command_line_is_warned_about() {
    let Some(place) = Place::new() else { return };
    let output = place.onggi(&["login", "-u", "me", "-p", "secret", &place.host()]).run().success();
    assert!(output.stderr.starts_with("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n"));
    for (words, expected) in [
        (&["login", "-p", "x", "--password-stdin"][..], "cannot specify both --password and --password-stdin"),
        (&["login", "--password-stdin"], "--password-stdin option requires --username to be set"),
        (&["login", "-u", "me", "--password-stdin"], "the password from standard input is empty"),
        (&["login", "-u", "me"], "cannot perform an interactive login from a non TTY device"),
        (&["login", "not a host"], "`not a host` is not a registry host"),
        (&["logout", "me@host"], "`me@host` is not a registry host"),
    ] {
        let failed = place.onggi(words).run().exits(1);
        assert!(failed.stderr.contains(expected), "{words:?}: {}", failed.stderr);
    }
}

#[test]
fn c300_what_is_known_is_used_again() {
    let Some(place) = Place::new() else { return };
    place.login("me", "secret").success();
    let output = place.onggi(&["login", &place.host()]).run().success();
    assert_eq!(output.stderr, "Authenticating with existing credentials... [Username: me]\n");
    assert_eq!(output.stdout, "Login Succeeded\n");
    place.write_config(&json!({ "auths": { place.host(): { "auth": "bWU6b2xk" } } }));
    let failed = place.onggi(&["login", &place.host()]).run().exits(1);
    let hint = format!("`onggi login -u NAME {}`", place.host());
    assert!(failed.stderr.contains("the name or the password is wrong") && failed.stderr.contains(&hint));
}

#[test]
fn c302_logout_forgets_every_spelling() {
    let Some(place) = Place::new() else { return };
    let host = place.host();
    place.login("me", "secret").success();
    let mut config = place.config();
    config["auths"][format!("https://{host}/v1/")] = json!({ "auth": "bWU6b2xk" });
    config["auths"]["other.example"] = json!({ "auth": "bWU6b2xk" });
    place.write_config(&config);
    let output = place.onggi(&["logout", &host]).run().success();
    assert_eq!(output.stdout, format!("Removing login credentials for {host}\n"));
    assert_eq!(place.config(), json!({ "auths": { "other.example": { "auth": "bWU6b2xk" } } }));
    let output = place.onggi(&["logout", &host]).run().success();
    assert_eq!(output.stdout, format!("Not logged in to {host}\n"));
    let output = place.onggi(&["logout"]).run().success();
    assert_eq!(output.stdout, "Not logged in to https://index.docker.io/v1/\n");
}

#[test]
fn c301_n053_a_helper_keeps_the_secret() {
    let Some(place) = Place::new() else { return };
    let folder = place.helper();
    place.write_config(&json!({ "psFormat": "x", "credsStore": "test" }));
    let words = ["login", "-u", "me", "--password-stdin", &place.host()];
    let output = with_helpers(place.onggi(&words).stdin("secret"), &folder).run().success();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("Login Succeeded\n", ""));
    assert_eq!(place.config(), json!({ "psFormat": "x", "credsStore": "test", "auths": { place.host(): {} } }));
    let kept: Value = serde_json::from_slice(&fs::read(folder.join("kept")).unwrap()).unwrap();
    assert_eq!(kept, json!({ "ServerURL": place.host(), "Username": "me", "Secret": "secret" }));
    let again = with_helpers(place.onggi(&["login", &place.host()]), &folder).run().success();
    assert!(again.stderr.contains("[Username: me]"), "{}", again.stderr);
    let out = with_helpers(place.onggi(&["logout", &place.host()]), &folder).run().success();
    assert_eq!(out.stdout, format!("Removing login credentials for {}\n", place.host()));
    assert!(!folder.join("kept").exists());
    // Without the helper nothing is kept, above all not in the file.
    let failed = place.onggi(&words).stdin("secret").run().exits(1);
    assert!(failed.stderr.contains("credential helper `docker-credential-test`"), "{}", failed.stderr);
    assert!(failed.stderr.contains("hint: install `docker-credential-test`"), "{}", failed.stderr);
    assert!(!place.config().to_string().contains("bWU6"));
}

#[test]
fn c301_an_identity_token_is_kept_in_place_of_the_password() {
    let server = HttpServer::serving(|request| match request.path.split('?').next().unwrap_or_default() {
        "/v2/" if request.header("authorization") == Some("Bearer access") => Response::ok("{}"),
        "/v2/" => {
            let realm = format!("Bearer realm=\"http://{}/token\",service=\"test\"", request.host);
            Response::status(401).header("WWW-Authenticate", &realm)
        }
        "/token" => Response::ok(r#"{"token": "access", "access_token": "access", "refresh_token": "refresh"}"#),
        _ => Response::status(404),
    });
    let sandbox = Sandbox::new();
    let host = format!("127.0.0.1:{}", server.port());
    let words = ["login", "-u", "me", "--password-stdin", &host];
    let output = sandbox.onggi(words).stdin("canary-password").run().success();
    assert_eq!(output.stdout, "Login Succeeded\n");
    let config = fs::read_to_string(sandbox.home().join(".docker/config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config, json!({ "auths": { host: { "auth": "bWU6", "identitytoken": "refresh" } } }));
}

#[test]
fn s261_the_terminal_asks_and_shows_no_password() {
    let Some(place) = Place::new() else { return };
    let mut terminal = Terminal::start(&place.onggi(&["login", &place.host()]), 100, 30);
    terminal.wait_for("Username: ", LIMIT);
    terminal.write("me\n");
    terminal.wait_for("Password: ", LIMIT);
    terminal.write("secret\n");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Login Succeeded") && !shown.contains("secret"), "{shown}");
    assert!(place.config()["auths"][place.host()]["auth"].is_string());
    // Docker Hub is what is meant without a server, and the name that is known is offered.
    let proxy = HttpServer::serving(|_| Response::status(403));
    let command = place.onggi(&["login"]).env("HTTPS_PROXY", proxy.url(""));
    let mut terminal = Terminal::start(&command, 100, 30);
    terminal.wait_for("Docker Hub", LIMIT);
    terminal.wait_for("Username: ", LIMIT);
    terminal.write("me\n");
    terminal.wait_for("Password: ", LIMIT);
    terminal.write("canary\n");
    let (code, shown) = terminal.finish(LIMIT);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("cannot log in at `registry-1.docker.io`") && !shown.contains("canary"), "{shown}");
}

#[test]
fn s261_the_terminal_is_as_before_after_ctrl_c() {
    let Some(place) = Place::new() else { return };
    let login = format!("{} login -u me {}", testkit::binary().display(), place.host());
    let script =
        format!("trap : INT; stty -a > before; {login}; echo code $?; stty -a > after; cmp before after && echo same");
    let mut terminal = Terminal::start(&place.sandbox.command("sh").arguments(["-c", &script]), 100, 30);
    terminal.wait_for("Password: ", LIMIT);
    terminal.write("half\u{3}");
    let (_, shown) = terminal.finish(LIMIT);
    assert!(shown.contains("code 130") && shown.contains("same") && !shown.contains("half"), "{shown}");
    assert!(!place.config_path().exists());
}

#[test]
fn c303_docker_and_podman_read_what_we_write_and_we_what_they_write() {
    let Some(place) = Place::new() else { return };
    let host = place.host();
    let is_there = |program: &str| {
        let found = ["/usr/local/bin", "/usr/bin"].iter().any(|folder| PathBuf::from(folder).join(program).exists());
        if !found {
            eprintln!("not compared: no {program} on this machine");
        }
        found
    };
    if is_there("docker") {
        let docker =
            |words: &[&str]| place.sandbox.command("docker").arguments(words).env("DOCKER_HOST", "unix:///nowhere");
        place.login("me", "secret").success();
        let ours = fs::read(place.config_path()).unwrap();
        docker(&["login", "-u", "me", "-p", "secret", &host]).run().success();
        assert_eq!(fs::read(place.config_path()).unwrap(), ours, "the same bytes");
        place.onggi(&["login", &host]).run().success();
        docker(&["logout", &host]).run().success();
        let theirs = fs::read(place.config_path()).unwrap();
        place.login("me", "secret").success();
        place.onggi(&["logout", &host]).run().success();
        assert_eq!(fs::read(place.config_path()).unwrap(), theirs, "the same bytes");
    }
    if is_there("podman") {
        let file = place.sandbox.path().join("auth.json");
        let podman = |words: &[&str]| {
            place.sandbox.command("podman").arguments(words).env("REGISTRY_AUTH_FILE", &file).run().success()
        };
        let onggi = |words: &[&str]| place.onggi(words).env("REGISTRY_AUTH_FILE", &file);
        onggi(&["login", "-u", "me", "--password-stdin", &host]).stdin("secret").run().success();
        podman(&["login", "--tls-verify=false", &host]);
        podman(&["logout", &host]);
        podman(&["login", "--tls-verify=false", "-u", "me", "-p", "secret", &host]);
        let theirs = fs::read(&file).unwrap();
        let explained = onggi(&["config", "explain", &format!("{host}/app")]).run().success();
        assert!(explained.stdout.contains("user `me`"), "{}", explained.stdout);
        onggi(&["logout", &host]).run().success();
        onggi(&["login", "-u", "me", "--password-stdin", &host]).stdin("secret").run().success();
        assert_eq!(fs::read(&file).unwrap(), theirs, "the same bytes");
    }
}

#[test]
fn c330_a_private_authority_is_trusted_for_its_registry() {
    let users = vec![("me".to_owned(), "secret".to_owned())];
    let Some(registry) = Registry::start_with(&RegistryOptions { users, with_tls: true, ..RegistryOptions::default() })
    else {
        return;
    };
    let sandbox = Sandbox::new();
    let host = format!("localhost:{}", registry.port());
    let folder = sandbox.home().join(".config/containers/certs.d").join(&host);
    fs::create_dir_all(&folder).unwrap();
    let login = || sandbox.onggi(["login", "-u", "me", "--password-stdin", &host]).stdin("secret").run();
    // Docker takes any certificate of loopback; where an authority is given, it must be that one.
    login().success();
    let other = testkit::TestAuthority::new().unwrap();
    fs::write(folder.join("ca.crt"), other.certificate()).unwrap();
    let failed = login().exits(1);
    assert!(failed.stderr.contains("no secure connection"), "{}", failed.stderr);
    fs::write(folder.join("ca.crt"), registry.authority().unwrap().certificate()).unwrap();
    login().success();
    let explained = sandbox.onggi(["config", "explain", &format!("{host}/app")]).run().success();
    assert!(explained.stdout.contains("ca.crt"), "{}", explained.stdout);
}

#[test]
fn n042_the_way_explains_itself() {
    let sandbox = Sandbox::new();
    let conf = sandbox.write(
        "registries.conf",
        "[[registry]]\nprefix = 'quay.io/team'\nlocation = 'inner.example:5000/copies'\n\
         [[registry.mirror]]\nlocation = '127.0.0.1:5001/quay'\n[[registry]]\nlocation = 'closed.example'\nblocked = true\n",
    );
    let own = sandbox.write(
        "onggi.json",
        r#"{"insecure-registries": ["inner.example:5000"], "registry-mirrors": ["https://hub.example"]}"#,
    );
    let folder = sandbox.home().join(".docker");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config.json"), r#"{"auths": {"inner.example:5000": {"auth": "bWU6Y2FuYXJ5"}}}"#).unwrap();
    let explain = |words: &[&str]| {
        let command = sandbox.onggi([&["config", "explain"], words].concat());
        let command = command.env("CONTAINERS_REGISTRIES_CONF", &conf).env("ONGGI_CONFIG", &own);
        command.env("https_proxy", "http://me:canary@proxy.example:3128")
    };
    let output = explain(&["quay.io/team/app:v1"]).run().success();
    assert!(!output.stdout.contains("canary"));
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 0
    --- stdout
    quay.io/team/app:v1

    1. https://127.0.0.1:5001  (mirror)
       repository:  quay/app  [<sandbox>/work/registries.conf:5]
       TLS:         any certificate, or none at port 5001  [loopback]
       proxy:       none  [loopback is never reached through a proxy]
       credential:  none

    2. https://inner.example:5000
       repository:  copies/app  [<sandbox>/work/registries.conf:3]
       TLS:         any certificate, or none at port 5000  [<sandbox>/work/onggi.json: insecure-registries[0]]
       proxy:       http://***@proxy.example:3128  [$https_proxy]
       credential:  user `me`  [<sandbox>/home/.docker/config.json: auths["inner.example:5000"]]
    "#);
    let output = explain(&["quay.io/team/app:v1", "--format", "json"]).run().success();
    let data: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(data["Endpoints"][1]["Credential"]["Username"], "me");
    assert_eq!(data["Endpoints"][1]["TLS"]["PlainHTTPPort"], 5000);
    assert!(!output.stdout.contains("canary"));
    let template = "{{range .Endpoints}}{{.URL}} {{end}}";
    let output = explain(&["app", "--format", template]).run().success();
    assert_eq!(output.stdout, "https://hub.example https://registry-1.docker.io \n");
    let output = explain(&["app", "--push", "--format", template]).run().success();
    assert_eq!(output.stdout, "https://registry-1.docker.io \n");
    let failed = explain(&["closed.example/app"]).run().exits(1);
    assert!(
        failed.stderr.contains("is blocked by ") && failed.stderr.contains("registries.conf:8"),
        "{}",
        failed.stderr
    );
    // Docker's own `config` keeps its answer.
    let failed = sandbox.onggi(["config", "create", "x", "-"]).run().exits(1);
    assert!(failed.stderr.contains("`onggi config create` is not planned"), "{}", failed.stderr);
}

/// Blocks of the page: the path in the line before, if there is one, and the lines.
fn blocks(page: &str) -> Vec<(Option<String>, Vec<&str>)> {
    let mut blocks = Vec::new();
    let (mut before, mut block) = ("", None::<Vec<&str>>);
    for line in page.lines() {
        match (line.starts_with("```"), &mut block) {
            (true, None) => block = Some(Vec::new()),
            (true, Some(lines)) => {
                let path = before.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:")).map(str::to_owned);
                blocks.push((path, std::mem::take(lines)));
                (before, block) = ("", None);
            }
            (false, Some(lines)) => lines.push(line),
            (false, None) if line.is_empty() => {}
            (false, None) => before = line,
        }
    }
    blocks
}

#[test]
fn n042_the_examples_of_the_page_are_true() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/registries.md")).unwrap();
    let sandbox = Sandbox::new();
    let own = sandbox.path().join("etc-onggi-config.json");
    let mut count = 0;
    for (path, lines) in blocks(&page) {
        if let Some(path) = path {
            let path = match path.strip_prefix("~/") {
                Some(below) => sandbox.home().join(below),
                None => own.clone(),
            };
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, lines.join("\n")).unwrap();
            continue;
        }
        for command in lines.join("\n").split("$ onggi ").skip(1) {
            let (words, expected) = command.split_once('\n').unwrap();
            let command = sandbox.onggi(words.split(' ')).env("ONGGI_CONFIG", &own);
            let output = command.run();
            let shown = format!("{}{}", output.stdout, output.stderr)
                .replace(&sandbox.home().display().to_string(), "/home/me")
                .replace(&own.display().to_string(), "/etc/onggi/config.json");
            assert_eq!(shown.trim_end(), expected.trim_end(), "{words}");
            count += 1;
        }
    }
    assert_eq!(count, 6, "the page has lost an example, or the test its eyes");
}

#[test]
#[ignore = "requires root"]
fn c303_dockers_settings_hold_for_containers_and_lists_requires_root() {
    let sandbox = Sandbox::new();
    sandbox.import_busybox("busybox");
    let folder = sandbox.home().join(".docker");
    fs::create_dir(&folder).unwrap();
    let config = r#"{"imagesFormat": "{{.Repository}}!", "psFormat": "{{.Names}}!", "volumesFormat": "{{.Name}}!",
        "networksFormat": "{{.Name}}!", "statsFormat": "{{.Name}}!", "proxies": {"default": {"httpProxy": "http://p.example"}}}"#;
    fs::write(folder.join("config.json"), config).unwrap();
    let ask = |words: &[&str]| sandbox.onggi(words).run().success().stdout;
    ask(&["create", "--name", "one", "busybox", "true"]);
    ask(&["volume", "create", "data"]);
    assert_eq!(ask(&["images"]), "busybox!\n");
    assert_eq!(ask(&["ps", "-a"]), "one!\n");
    assert_eq!(ask(&["ps", "-a", "--format", "{{.Image}}"]), "busybox\n");
    assert_eq!(ask(&["volume", "ls"]), "data!\n");
    assert_eq!(ask(&["volume", "ls", "-q"]), "data\n");
    assert!(ask(&["network", "ls"]).contains("bridge!\n"));
    assert_eq!(ask(&["stats", "--no-stream", "-a"]), "one!\n");
    // As docker hands them on: to containers and to RUN, not into images.
    let show = "echo $HTTP_PROXY $http_proxy";
    assert_eq!(ask(&["run", "--rm", "busybox", "sh", "-c", show]), "http://p.example http://p.example\n");
    let own = ["run", "--rm", "-e", "HTTP_PROXY=own", "busybox", "sh", "-c", show];
    assert_eq!(ask(&own), "own http://p.example\n");
    sandbox.write("Dockerfile", format!("FROM busybox\nRUN {show} > /seen\n"));
    ask(&["build", "-q", "-t", "app", "."]);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(ask(&["run", "--rm", "app", "cat", "/seen"]), "http://p.example http://p.example\n");
    assert!(!ask(&["inspect", "app"]).contains("p.example"));
    assert!(!ask(&["history", "--no-trunc", "app"]).contains("p.example"));
    ask(&["rm", "-f", "one"]);
}
