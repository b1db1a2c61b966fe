use std::ffi::OsString;

use super::build::{BuildCommand, BuildContextArgs, BuildContextCommand, BuildNetwork, Progress};
use super::image::ObjectType;
use super::{Cli, Command, parse, tree};

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("onggi").chain(line.split_whitespace()).map(OsString::from).collect()
}

fn command(line: &str) -> Command {
    match parse(&words(line)) {
        Ok(Cli { command, .. }) => command,
        Err(usage) => panic!("{line}: {usage:?}"),
    }
}

#[test]
fn tree_is_sound() {
    tree().debug_assert();
    super::switches::take_values(tree()).debug_assert();
}

/// Style 7.10, rule 9.
#[test]
fn help_lines_are_short_imperatives() {
    fn check(command: &clap::Command, path: &str) {
        for line in command.get_about().map(ToString::to_string).into_iter().chain(
            command.get_arguments().filter(|arg| !arg.is_hide_set()).map(|arg| {
                arg.get_help().map(ToString::to_string).unwrap_or_else(|| panic!("{path} {} has no help", arg.get_id()))
            }),
        ) {
            let (text, _) = line.split_once(" [default").unwrap_or((&line, ""));
            assert!(!text.ends_with('.') && text.starts_with(char::is_uppercase), "{path}: {line}");
            assert!(text.chars().count() <= 75, "{path}: {line}");
        }
        let about = command.get_about().unwrap_or_else(|| panic!("{path} has no help")).to_string();
        assert!(about.chars().count() <= 60, "{path}: {about}");
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            check(sub, &format!("{path} {}", sub.get_name()));
        }
    }
    let mut tree = tree();
    tree.build();
    check(&tree, "onggi");
}

/// S080 to S083, S085, S087, B001 to B005, B023.
#[test]
fn build_takes_dockers_flags() {
    for name in ["build", "image build", "builder build"] {
        let line = format!(
            "{name} --tag web-ping -t x:v1 -f- --build-arg A=1 --build-arg B --target build-stage --no-cache -q \
             --iidfile id --progress=plain --network none --label a=b --explain --rm --force-rm --compress \
             --rm=false --isolation x ./"
        );
        let Command::Build(args) = command(&line) else { panic!("{line}") };
        assert_eq!(args.tags, ["web-ping", "x:v1"]);
        assert_eq!(args.file.as_deref(), Some("-"));
        assert_eq!(args.build_args, ["A=1", "B"]);
        assert_eq!(args.target.as_deref(), Some("build-stage"));
        assert!(args.cache.no_cache && args.quiet && args.explain);
        assert_eq!((args.progress, args.network), (Some(Progress::Plain), BuildNetwork::None));
        assert_eq!(args.context.as_deref(), Some("./"));
    }
    let Command::Build(args) = command("build -t my-app:v2") else { panic!() };
    assert_eq!(args.context, None, "X6");
}

#[test]
fn n004_build_context_stands_where_a_folder_would() {
    for (line, expected) in [
        ("build context ls", (None, None)),
        ("builder build context list --why src/a ./web", (Some("src/a"), Some("./web"))),
    ] {
        let Command::Build(args) = command(line) else { panic!("{line}") };
        let Some(BuildCommand::Context(BuildContextArgs { command: Some(BuildContextCommand::Ls(ls)) })) = args.command
        else {
            panic!("{line}")
        };
        assert_eq!((ls.why.as_deref(), ls.context.as_deref()), expected, "{line}");
    }
    for (line, context) in [("build ./context", "./context"), ("build -t x context", "context")] {
        let Command::Build(args) = command(line) else { panic!("{line}") };
        assert_eq!((args.command.is_none(), args.context.as_deref()), (true, Some(context)), "{line}");
    }
}

/// N016: questions about builds stand where the context would; what comes behind a flag is a context.
#[test]
fn n016_build_logs_is_asked_before_any_flag() {
    for (line, expected) in [
        ("build logs", (None, None)),
        ("build logs 3f2a", (Some("3f2a"), None)),
        ("image build logs 3f2a 12", (Some("3f2a"), Some("12"))),
    ] {
        let Command::Build(args) = command(line) else { panic!("{line}") };
        let Some(BuildCommand::Logs(logs)) = args.command else { panic!("{line}") };
        assert_eq!((logs.build.as_deref(), logs.step.as_deref()), expected);
    }
    for (line, context) in [("build ./logs", "./logs"), ("build -t x logs", "logs"), ("build help", "help")] {
        let Command::Build(args) = command(line) else { panic!("{line}") };
        assert_eq!((args.command.is_none(), args.context.as_deref()), (true, Some(context)), "{line}");
    }
}

/// N007: everything behind the ID belongs to the command; what comes behind a flag, or has a slash, is a context.
#[test]
fn n007_build_debug_stands_where_the_context_would() {
    for (line, expected) in [
        ("build debug", (None, "")),
        ("build debug 3f2a", (Some("3f2a"), "")),
        ("image build debug 3f2a ls -l --tag x -- y", (Some("3f2a"), "ls -l --tag x -- y")),
    ] {
        let Command::Build(args) = command(line) else { panic!("{line}") };
        let Some(BuildCommand::Debug(debug)) = args.command else { panic!("{line}") };
        assert_eq!((debug.id.as_deref(), debug.command.join(" ").as_str()), expected, "{line}");
    }
    for (line, context) in [("build ./debug", "./debug"), ("build -t x debug", "debug"), ("build help", "help")] {
        let Command::Build(args) = command(line) else { panic!("{line}") };
        assert_eq!((args.command.is_none(), args.context.as_deref()), (true, Some(context)), "{line}");
    }
}

/// S040 to S046, S049, S050, S054, S057, C200, C201.
#[test]
fn c200_run_stops_reading_flags_at_the_image() {
    for name in ["run", "container run"] {
        let line = format!("{name} -it --rm -e A=1 --env B --net none -v /a:/b:ro img --version -e X --rm=false -- y");
        let Command::Run(args) = command(&line) else { panic!("{line}") };
        assert_eq!(args.create.words, ["img", "--version", "-e", "X", "--rm=false", "--", "y"]);
        assert!(args.create.streams.interactive && args.create.streams.tty && args.create.life.rm && !args.detach);
        assert_eq!(args.create.env, ["A=1", "B"]);
        assert_eq!(
            (args.create.network.networks.first().map(String::as_str), args.create.mounts.volumes.as_slice()),
            (Some("none"), &["/a:/b:ro".to_owned()][..])
        );
    }
    let Command::Run(args) = command("run -d --rm --name x -h host -w / -u 0:0 img") else { panic!() };
    assert!(args.detach && args.create.life.rm);
    assert_eq!(args.create.network.hostname.as_deref(), Some("host"));
    let empty = ["onggi", "run", "--entrypoint", "", "img"].map(OsString::from);
    let Ok(Cli { command: Command::Run(args), .. }) = parse(&empty) else { panic!() };
    assert_eq!(args.create.entrypoint.as_deref(), Some(""));
}

/// What few people need: it is taken, or said not to be there yet, and never unknown.
#[test]
fn c209_the_rest_of_run_is_known() {
    let taken = "--blkio-weight 10 --link a --mac-address 02:42:ac:11:00:02 --runtime runc --annotation a=b --volume-driver local";
    for name in ["run", "create"] {
        command(&format!("{name} {taken} img"));
        for flag in [
            "--blkio-weight-device",
            "--cpu-rt-period",
            "--cpu-rt-runtime",
            "--device-read-bps",
            "--device-write-iops",
            "--storage-opt",
        ] {
            assert!(super::missing::has_flag(name, flag), "{name} {flag}");
        }
    }
}

/// Go's flags: `--rm=false` and the like.
#[test]
fn switches_take_values() {
    let Command::Run(args) = command("run --rm=false -it=true -d=0 --tty=F img -x=1") else { panic!() };
    assert!(!args.create.life.rm && args.create.streams.interactive && !args.detach && !args.create.streams.tty);
    let Command::History(args) = command("history -H=false --no-trunc=1 img") else { panic!() };
    assert!(!args.human && args.no_trunc);
    let Command::History(args) = command("history --human=false img") else { panic!() };
    assert!(!args.human);
    let Command::History(args) = command("history -H img") else { panic!() };
    assert!(args.human && args.image == "img");
}

/// S080, S200, S210, S231 and the other long forms.
#[test]
fn long_and_short_forms_are_the_same() {
    for (long, short) in [
        ("image ls -a x", "images --all x"),
        ("image list --format json", "images --format json"),
        ("image history x", "history x"),
        ("image import f n -c CMD -m text", "import f n --change CMD --message text"),
        ("image load -i f -q", "load --input f --quiet"),
        ("image save -o f a b", "save --output f a b"),
        ("image tag a b", "tag a b"),
        ("image rm -f x", "rmi --force x"),
        ("image remove --no-prune x", "rmi --no-prune x"),
        ("image inspect x", "inspect --type image x"),
        ("container inspect -f t x", "inspect --type=container --format t x"),
        ("container ls -a", "ps --all"),
        ("container list -q", "ps --quiet"),
        ("container ps --no-trunc", "ps --no-trunc"),
        ("container rm -fv x", "rm --force --volumes x"),
        ("container remove x", "rm x"),
        ("container logs x", "logs x"),
        ("container stop -t 1 x", "stop --time 1 x"),
        ("container stop --timeout -1 x", "stop -t -1 x"),
        ("container kill -s HUP x", "kill --signal HUP x"),
        ("container wait x y", "wait x y"),
        ("system info", "info"),
    ] {
        assert_eq!(format!("{:?}", command(long)), format!("{:?}", command(short)), "{long}");
    }
    let Command::Inspect(args) = command("inspect nginx:latest") else { panic!() };
    assert_eq!((args.object_type, args.names.as_slice()), (None, &["nginx:latest".to_owned()][..]));
    let Command::Inspect(args) = command("image inspect x") else { panic!() };
    assert_eq!(args.object_type, Some(ObjectType::Image));
}

#[test]
fn global_flags_stand_before_the_command() {
    let cli = parse(&words("--root /tmp/x --debug images")).unwrap();
    assert_eq!(cli.global.root.as_deref(), Some(std::path::Path::new("/tmp/x")));
    assert!(cli.global.debug);
}
