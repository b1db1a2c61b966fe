use super::*;
use crate::instruction::{Command, Healthcheck, Heredoc, KeyValue, MountKind, RunInstruction};
use crate::source::SourceMap;

/// Parses what must be free of errors.
fn good(text: &str) -> Dockerfile {
    let parsed = parse(text.as_bytes());
    assert!(!parsed.has_errors(), "{text:?}: {:?}", parsed.diagnostics);
    parsed.dockerfile
}

/// The one instruction behind FROM, as text.
fn show_one(line: &str) -> String {
    let text = format!("FROM alpine\n{line}\n");
    let stages = good(&text).stages;
    assert_eq!(stages[0].instructions.len(), 1, "{text}");
    show(&stages[0].instructions[0].kind)
}

fn words(words: &[Word]) -> String {
    words.iter().map(|word| format!("‹{}›", word.text)).collect()
}

fn option(name: &str, word: Option<&Word>) -> String {
    word.map_or(String::new(), |word| format!(" {name}={}", word.text))
}

fn command(command: &Command) -> String {
    match command {
        Command::Shell(text) => format!("shell‹{text}›"),
        Command::Exec(argv) => format!("exec{argv:?}"),
    }
}

fn pairs(pairs: &[KeyValue]) -> String {
    pairs.iter().map(|pair| format!("{}=‹{}›", pair.key.text, pair.value.text)).collect::<Vec<_>>().join(" ")
}

fn heredocs(list: &[Heredoc]) -> String {
    list.iter()
        .map(|heredoc| {
            let expand = if heredoc.expand { "" } else { " raw" };
            let descriptor = if heredoc.descriptor == 0 { String::new() } else { heredoc.descriptor.to_string() };
            format!(" {descriptor}<<{}{expand}{:?}", heredoc.name, heredoc.body.text)
        })
        .collect()
}

fn show_run(run: &RunInstruction) -> String {
    let mounts: String = run
        .mounts
        .iter()
        .map(|mount| {
            let options: Vec<String> = mount
                .options
                .iter()
                .map(|option| match &option.value {
                    Some(value) => format!("{}={value}", option.key),
                    None => option.key.clone(),
                })
                .collect();
            format!(" {:?}({})", mount.kind, options.join("|"))
        })
        .collect();
    format!(
        "{}{mounts}{}{}{}{}",
        command(&run.command),
        option("network", run.network.as_ref()),
        option("security", run.security.as_ref()),
        if run.devices.is_empty() { String::new() } else { format!(" device={}", words(&run.devices)) },
        heredocs(&run.heredocs),
    )
}

fn show(kind: &InstructionKind) -> String {
    match kind {
        InstructionKind::Add(add) => format!(
            "ADD {} -> ‹{}›{}{}{}{}{}{}{}{}",
            words(&add.sources),
            add.destination.text,
            heredocs(&add.heredocs),
            option("chown", add.chown.as_ref()),
            option("chmod", add.chmod.as_ref()),
            option("checksum", add.checksum.as_ref()),
            if add.link { " link" } else { "" },
            add.keep_git_dir.map_or(String::new(), |keep| format!(" keep-git-dir={keep}")),
            add.unpack.map_or(String::new(), |unpack| format!(" unpack={unpack}")),
            if add.excludes.is_empty() { String::new() } else { format!(" exclude={}", words(&add.excludes)) },
        ),
        InstructionKind::Copy(copy) => format!(
            "COPY {} -> ‹{}›{}{}{}{}{}{}{}",
            words(&copy.sources),
            copy.destination.text,
            heredocs(&copy.heredocs),
            option("from", copy.from.as_ref()),
            option("chown", copy.chown.as_ref()),
            option("chmod", copy.chmod.as_ref()),
            if copy.link { " link" } else { "" },
            if copy.parents { " parents" } else { "" },
            if copy.excludes.is_empty() { String::new() } else { format!(" exclude={}", words(&copy.excludes)) },
        ),
        InstructionKind::Arg(list) => list
            .iter()
            .map(|arg| match &arg.default {
                Some(default) => format!("{}=‹{}›", arg.name.text, default.text),
                None => arg.name.text.clone(),
            })
            .collect::<Vec<_>>()
            .join(" "),
        InstructionKind::Cmd(cmd) | InstructionKind::Entrypoint(cmd) => command(cmd),
        InstructionKind::Env(list) | InstructionKind::Label(list) => pairs(list),
        InstructionKind::Expose(list) | InstructionKind::Volume(list) => words(list),
        InstructionKind::Healthcheck(check) => match check {
            Healthcheck::None => "none".to_owned(),
            Healthcheck::Check { command: probe, interval, timeout, start_period, start_interval, retries } => {
                format!("{} {interval:?} {timeout:?} {start_period:?} {start_interval:?} {retries:?}", command(probe))
            }
        },
        InstructionKind::Maintainer(word)
        | InstructionKind::StopSignal(word)
        | InstructionKind::User(word)
        | InstructionKind::Workdir(word) => format!("‹{}›", word.text),
        InstructionKind::OnBuild(trigger) => format!("‹{}› {}", trigger.text, show(&trigger.instruction.kind)),
        InstructionKind::Run(run) => show_run(run),
        InstructionKind::Shell(argv) => format!("{argv:?}"),
    }
}

#[test]
fn d005_d006_d008_commands() {
    for (line, expected) in [
        ("RUN make", "shell‹make›"),
        ("run make", "shell‹make›"),
        ("RUN   make  all  ", "shell‹make  all›"),
        ("RUN echo \"<h1>I-scream edu</h1>\" > eng.html", "shell‹echo \"<h1>I-scream edu</h1>\" > eng.html›"),
        // S159: directly behind the name, blanks of continuation lines stay
        ("RUN \\\n  apk add --no-cache bash && \\\n  true", "shell‹apk add --no-cache bash &&   true›"),
        ("RUN a \\\n# comment\n  # another\n  b", "shell‹a   b›"),
        ("RUN a \\  \n  b", "shell‹a   b›"),
        ("RUN a\\\nb", "shell‹ab›"),
        ("RUN a \\\n\n\n  b", "shell‹a   b›"),
        ("RUN echo a\\\\", "shell‹echo a\\\\›"),
        ("RUN a # not a comment", "shell‹a # not a comment›"),
        ("RUN echo $HOME ${x} '$y'", "shell‹echo $HOME ${x} '$y'›"),
        ("RUN a \\", "shell‹a›"),
        ("  RUN a", "shell‹a›"),
        ("RUN [\"a\", \"b c\"]", "exec[\"a\", \"b c\"]"),
        ("RUN [ -f /x ] || true", "shell‹[ -f /x ] || true›"),
        ("RUN [ \"$a\" = \"b\" ]", "shell‹[ \"$a\" = \"b\" ]›"),
        ("CMD [ \"npm\", \"start\" ]", "exec[\"npm\", \"start\"]"),
        ("CMD [\"node\", \"./app.js\"]", "exec[\"node\", \"./app.js\"]"),
        ("CMD [\"a\", \\\n  \"b\"]", "exec[\"a\", \"b\"]"),
        ("CMD []", "exec[]"),
        ("CMD node app.js", "shell‹node app.js›"),
        ("CMD ['node']", "shell‹['node']›"),
        ("ENTRYPOINT [\"python3\", \"app.py\"]", "exec[\"python3\", \"app.py\"]"),
        ("ENTRYPOINT exec top -b", "shell‹exec top -b›"),
        ("SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]", "[\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]"),
        ("RUN cat <<< \"word\"", "shell‹cat <<< \"word\"›"),
        ("RUN echo $((1<<2))", "shell‹echo $((1<<2))›"),
        ("RUN --network=none --security=insecure make", "shell‹make› network=none security=insecure"),
        ("RUN --device=a=b --device=c make", "shell‹make› device=‹a=b›‹c›"),
        ("RUN -- --help", "shell‹-- --help›"),
    ] {
        // `--` ends the flags and is gone.
        let expected = expected.replace("shell‹-- --help›", "shell‹--help›");
        let line = line.strip_suffix(" \\").map_or(line.to_owned(), |line| format!("{line} \\"));
        assert_eq!(show_one(&line), expected, "{line}");
    }
}

#[test]
fn d102_to_d109_mounts() {
    for (line, expected) in [
        ("RUN --mount=type=cache,target=/c make", "shell‹make› Cache(type=cache|target=/c)"),
        ("RUN --mount=target=/c,rw make", "shell‹make› Bind(target=/c|readwrite)"),
        ("RUN --mount=type=bind,src=a,dst=b,ro=true x", "shell‹x› Bind(type=bind|source=a|target=b|readonly=true)"),
        ("RUN --mount=type=secret,id=k,env=K x", "shell‹x› Secret(type=secret|id=k|env=K)"),
        ("RUN --mount=type=ssh x", "shell‹x› Ssh(type=ssh)"),
        ("RUN --mount=type=tmpfs,target=/t,size=1g x", "shell‹x› Tmpfs(type=tmpfs|target=/t|size=1g)"),
        (
            "RUN --mount=type=ssh --mount=type=cache,target=$d,uid=$u x",
            "shell‹x› Ssh(type=ssh) Cache(type=cache|target=$d|uid=$u)",
        ),
    ] {
        assert_eq!(show_one(line), expected, "{line}");
    }
    for line in [
        "RUN --mount=type=cache x",
        "RUN --mount=type=secret x",
        "RUN --mount=type=cache,target=/c,sharing=all x",
        "RUN --mount=type=cache,target=/c,mode=9 x",
        "RUN --mount=type=cache,target=/c,uid=me x",
        "RUN --mount=from=$s,target=/c x",
        "RUN --mount=target=/c,ro=maybe x",
        "RUN --mount=type=tmpfs,target=/c,id=x x",
        "RUN --mount=target x",
    ] {
        assert!(parse(format!("FROM a\n{line}\n").as_bytes()).has_errors(), "{line}");
    }
}

#[test]
fn d070_to_d087_copies() {
    for (line, expected) in [
        ("COPY app.js .", "COPY ‹app.js› -> ‹.›"),
        ("COPY package*.json ./", "COPY ‹package*.json› -> ‹./›"),
        ("COPY a b c/", "COPY ‹a›‹b› -> ‹c/›"),
        ("COPY a b .", "COPY ‹a›‹b› -> ‹.›"),
        ("COPY a b $dir", "COPY ‹a›‹b› -> ‹$dir›"),
        ("COPY [\"a b\", \"c\"]", "COPY ‹a b› -> ‹c›"),
        ("COPY \"a\" 'b'", "COPY ‹\"a\"› -> ‹'b'›"),
        ("COPY ['a', 'b/']", "COPY ‹['a',› -> ‹'b/']›"),
        ("COPY --from=build /a /b", "COPY ‹/a› -> ‹/b› from=build"),
        (
            "COPY --from=nginx:1 --chown=1:2 --chmod=u=rwX,go=rX a b",
            "COPY ‹a› -> ‹b› from=nginx:1 chown=1:2 chmod=u=rwX,go=rX",
        ),
        ("COPY --link --parents --exclude=*.md --exclude=x a b", "COPY ‹a› -> ‹b› link parents exclude=‹*.md›‹x›"),
        ("COPY --link=false a b", "COPY ‹a› -> ‹b›"),
        ("COPY --chown=\"$u\":g a b", "COPY ‹a› -> ‹b› chown=$u:g"),
        ("COPY --chmod=+x a b", "COPY ‹a› -> ‹b› chmod=+x"),
        ("COPY --chmod=$m a b", "COPY ‹a› -> ‹b› chmod=$m"),
        ("COPY \\\n  a \\\n  b", "COPY ‹a› -> ‹b›"),
        ("COPY -- --a b", "COPY ‹--a› -> ‹b›"),
        ("ADD https://example.com/a.tar /b", "ADD ‹https://example.com/a.tar› -> ‹/b›"),
        (
            "ADD --checksum=sha256:00 --keep-git-dir=true --unpack=false --link --exclude=x --chmod=644 --chown=a a b",
            "ADD ‹a› -> ‹b› chown=a chmod=644 checksum=sha256:00 link keep-git-dir=true unpack=false exclude=‹x›",
        ),
        ("ADD . $FOO", "ADD ‹.› -> ‹$FOO›"),
    ] {
        if line.contains("--from=build") {
            let text = format!("FROM alpine AS build\nFROM alpine\n{line}\n");
            assert_eq!(show(&good(&text).stages[1].instructions[0].kind), expected);
        } else {
            assert_eq!(show_one(line), expected, "{line}");
        }
    }
}

#[test]
fn d027_d132_d133_keys_and_values() {
    for (line, expected) in [
        ("ENV TARGET=\"blog.sixeyed.com\"", "TARGET=‹\"blog.sixeyed.com\"›"),
        ("ENV a=1 b=\"x y\" c='$d' e=f\\ g", "a=‹1› b=‹\"x y\"› c=‹'$d'› e=‹f\\ g›"),
        ("ENV a= b=", "a=‹› b=‹›"),
        ("ENV a=b=c", "a=‹b=c›"),
        ("ENV a \"b c\" d", "a=‹\"b c\" d›"),
        ("ENV a b=c", "a=‹b=c›"),
        ("ENV a \\\n  b", "a=‹b›"),
        ("ENV a=1 \\\n    b=2", "a=‹1› b=‹2›"),
        ("ENV A = x", "A=‹= x›"),
        ("LABEL maintainer=\"you@example.com\"", "maintainer=‹\"you@example.com\"›"),
        ("LABEL \"com.example.a b\"=\"c\" d.e=f", "\"com.example.a b\"=‹\"c\"› d.e=‹f›"),
        ("LABEL a b", "a=‹b›"),
        ("ARG VERSION=1.0", "VERSION=‹1.0›"),
        ("ARG a b=1 c= d=\"x y\"", "a b=‹1› c=‹› d=‹\"x y\"›"),
        ("ARG A=${B:-x}", "A=‹${B:-x}›"),
    ] {
        assert_eq!(show_one(line), expected, "{line}");
    }
}

#[test]
fn d134_to_d142_metadata() {
    for (line, expected) in [
        ("EXPOSE 80 443/tcp 53/udp 8000-8010", "‹80›‹443/tcp›‹53/udp›‹8000-8010›"),
        ("EXPOSE $PORT/tcp", "‹$PORT/tcp›"),
        ("USER node", "‹node›"),
        ("USER $uid:${gid}", "‹$uid:${gid}›"),
        ("VOLUME /a /b", "‹/a›‹/b›"),
        ("VOLUME [\"/a\", \"/b c\"]", "‹/a›‹/b c›"),
        ("WORKDIR /web-ping", "‹/web-ping›"),
        ("WORKDIR /a b", "‹/a b›"),
        ("STOPSIGNAL SIGTERM", "‹SIGTERM›"),
        ("STOPSIGNAL 9", "‹9›"),
        ("STOPSIGNAL $sig", "‹$sig›"),
        ("MAINTAINER Jane Doe <j@example.com>", "‹Jane Doe <j@example.com>›"),
        ("HEALTHCHECK NONE", "none"),
        ("HEALTHCHECK none", "none"),
        ("HEALTHCHECK CMD curl -f http://x || exit 1", "shell‹curl -f http://x || exit 1› None None None None None"),
        (
            "HEALTHCHECK --interval=1m30s --timeout=10s --start-period=0s --start-interval=5s --retries=3 CMD [\"a\"]",
            "exec[\"a\"] Some(90s) Some(10s) Some(0ns) Some(5s) Some(3)",
        ),
        ("HEALTHCHECK --interval=5m \\\n  CMD true", "shell‹true› Some(300s) None None None None"),
        ("ONBUILD RUN make", "‹RUN make› shell‹make›"),
        ("ONBUILD   COPY --from=x a \\\n b", "‹COPY --from=x a  b› COPY ‹a› -> ‹b› from=x"),
        ("onbuild env a=b", "‹env a=b› a=‹b›"),
    ] {
        assert_eq!(show_one(line), expected, "{line}");
    }
}

#[test]
fn d009_d120_to_d125_here_documents() {
    for (lines, expected) in [
        ("RUN <<EOF\nmake\n  all\nEOF", "shell‹<<EOF› <<EOF\"make\\n  all\\n\""),
        ("RUN <<EOF bash\nmake\nEOF", "shell‹<<EOF bash› <<EOF\"make\\n\""),
        ("RUN <<A cat > f1 && <<B cat > f2\n1\nA\n2\nB", "shell‹<<A cat > f1 && <<B cat > f2› <<A\"1\\n\" <<B\"2\\n\""),
        ("RUN <<-EOF\n\tmake\n\t\tall\n\tEOF", "shell‹<<-EOF› <<EOF\"make\\nall\\n\""),
        ("RUN <<\"EOF\"\n$a\nEOF", "shell‹<<\"EOF\"› <<EOF raw\"$a\\n\""),
        ("RUN <<'E F'\nx\nE F", "shell‹<<'E F'› <<E F raw\"x\\n\""),
        ("RUN cat 3<<EOF\nx\nEOF", "shell‹cat 3<<EOF› 3<<EOF\"x\\n\""),
        ("RUN <<EOF\nEOF", "shell‹<<EOF› <<EOF\"\""),
        ("RUN <<EOF\n# no comment\nRUN \\\nEOF", "shell‹<<EOF› <<EOF\"# no comment\\nRUN \\\\\\n\""),
        ("COPY <<EOF /file\nhello $A\nEOF", "COPY  -> ‹/file› <<EOF\"hello $A\\n\""),
        ("COPY a <<B <<'C' /d/\nb\nB\nc\nC", "COPY ‹a› -> ‹/d/› <<B\"b\\n\" <<C raw\"c\\n\""),
        ("ADD --chmod=600 <<EOF /f\nx\nEOF", "ADD  -> ‹/f› <<EOF\"x\\n\" chmod=600"),
        ("ONBUILD RUN <<EOF\nx\nEOF", "‹RUN <<EOF\nx\nEOF› shell‹<<EOF› <<EOF\"x\\n\""),
        ("RUN --network=none <<EOF\nx\nEOF", "shell‹<<EOF› network=none <<EOF\"x\\n\""),
        ("RUN [\"cat\", \"<<EOF\"]", "exec[\"cat\", \"<<EOF\"]"),
        ("RUN echo \"<<EOF\"", "shell‹echo \"<<EOF\"›"),
        ("CMD <<EOF", "shell‹<<EOF›"),
    ] {
        assert_eq!(show_one(lines), expected, "{lines}");
    }
    let crlf = good("FROM a\r\nRUN <<EOF\r\nx\r\nEOF\r\nRUN b\r\n");
    assert_eq!(show(&crlf.stages[0].instructions[0].kind), "shell‹<<EOF› <<EOF\"x\\r\\n\"");
    assert_eq!(show(&crlf.stages[0].instructions[1].kind), "shell‹b›");
}

#[test]
fn d020_to_d024_stages() {
    let file = good(
        "ARG V=18\nARG a b=1\n# build compiles the app\nFROM --platform=$BUILDPLATFORM node:${V} AS Build-Stage\n\
         RUN make\nFROM build-stage\nFROM alpine:3@sha256:00 as x.y_z\n",
    );
    assert_eq!(file.global_args.len(), 2);
    let [first, second, third] = file.stages.as_slice() else { panic!("three stages") };
    assert_eq!(first.name.as_ref().map(|name| name.text.as_str()), Some("build-stage"));
    assert_eq!(first.base.text, "node:${V}");
    assert_eq!(first.platform.as_ref().map(|word| word.text.as_str()), Some("$BUILDPLATFORM"));
    assert_eq!((first.first_line, first.last_line), (4, 4));
    assert_eq!(first.text, "FROM --platform=$BUILDPLATFORM node:${V} AS Build-Stage");
    assert_eq!(first.instructions.len(), 1);
    assert_eq!((second.name.as_ref(), second.base.text.as_str()), (None, "build-stage"));
    assert_eq!(third.name.as_ref().map(|name| name.text.as_str()), Some("x.y_z"));
    assert_eq!(third.base.text, "alpine:3@sha256:00");
    let described = good("# build compiles\n# the rest\nFROM a AS build\n");
    assert_eq!(described.stages[0].description.as_deref(), Some("compiles"));
    let not_described = good("# other compiles\n#\nFROM a AS build\n");
    assert_eq!(not_described.stages[0].description, None);
}

#[test]
fn d001_to_d004_d007_directives() {
    for (text, escape, syntax) in [
        ("FROM a\n", '\\', None),
        ("# escape=`\nFROM a\n", '`', None),
        ("#escape=`\nFROM a\n", '`', None),
        ("  #  ESCAPE  =  `  \nFROM a\n", '`', None),
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM a\n", '`', Some("docker/dockerfile:1")),
        ("#!/usr/bin/env onggi\n# escape=`\nFROM a\n", '`', None),
        ("\u{feff}# escape=`\r\nFROM a\r\n", '`', None),
        // a blank line, a comment, an unknown directive or an instruction ends them
        ("\n# escape=`\nFROM a\n", '\\', None),
        ("# comment\n# escape=`\nFROM a\n", '\\', None),
        ("# unknown=x\n# escape=`\nFROM a\n", '\\', None),
        ("FROM a\n# escape=`\n", '\\', None),
        ("# escape=`", '`', None),
    ] {
        let directives = parse(text.as_bytes()).dockerfile.directives;
        assert_eq!(directives.escape, escape, "{text:?}");
        assert_eq!(directives.syntax.as_ref().map(|word| word.text.as_str()), syntax, "{text:?}");
    }
    let checks = good("# check=skip=A,B;error=true;experimental=C\nFROM a\n").directives.check.expect("given");
    assert_eq!((checks.skip, checks.experimental), (vec!["A".to_owned(), "B".to_owned()], vec!["C".to_owned()]));
    assert!(checks.warnings_are_errors && !checks.skip_all);
    assert!(good("# check=skip=all\nFROM a\n").directives.check.expect("given").skip_all);
}

#[test]
fn d003_skipped_checks() {
    let count = |text: &str| parse(text.as_bytes()).diagnostics.len();
    let odd = "FROM builder AS c\nCMD ['a']\nFROM b AS builder\n";
    assert_eq!(count(odd), 2);
    assert_eq!(count(&format!("# check=skip=BrokenJson\n{odd}")), 1);
    assert_eq!(count(&format!("# check=skip=all\n{odd}")), 0);
    assert_eq!(count("# check=skip=all\nFROM a\nRUNN x\n"), 1);
}

#[test]
fn d002_backtick_as_escape_character() {
    let file = good("# escape=`\nFROM a\nRUN dir `\n  c:\\\nCOPY a c:\\\nENV P=c:\\x`\ny\n");
    let shown: Vec<String> = file.stages[0].instructions.iter().map(|instruction| show(&instruction.kind)).collect();
    assert_eq!(shown, ["shell‹dir   c:\\›", "COPY ‹a› -> ‹c:\\›", "P=‹c:\\xy›"].map(|text| text.to_owned()));
}

#[test]
fn texts_lines_and_step_names() {
    let text = "from alpine\n# one\n\n# two\ncopy  app.js   .\nRUN a && \\\n    # no\n    b\n\nRUN <<EOF\nx\nEOF\n";
    let file = good(text);
    let [copy, run, heredoc] = file.stages[0].instructions.as_slice() else { panic!("three") };
    assert_eq!(file.stages[0].step_name(), "FROM alpine");
    assert_eq!((copy.text.as_str(), copy.step_name().as_str()), ("copy  app.js   .", "COPY  app.js   ."));
    assert_eq!(copy.comment.lines, ["one", "two"]);
    assert_eq!((run.text.as_str(), run.first_line, run.last_line), ("RUN a &&     b", 6, 8));
    assert_eq!(&text[run.span.range()], "RUN a && \\\n    # no\n    b");
    assert_eq!((heredoc.text.as_str(), heredoc.first_line, heredoc.last_line), ("RUN <<EOF", 10, 12));
    assert_eq!(&text[heredoc.span.range()], "RUN <<EOF\nx\nEOF");
}

#[test]
fn words_stand_where_their_spans_say() {
    let text = "# escape=\\\nFROM --platform=linux/amd64 node:18 AS web\nCOPY --chown=me a \\\n # c\n b\\\nc d/\nENV k=\"v w\" \\\n l=m\nEXPOSE 80 81\n";
    let file = good(text);
    let stage = &file.stages[0];
    let at = |word: &Word| text[word.span.range()].to_owned();
    assert_eq!(at(&stage.base), "node:18");
    assert_eq!(stage.name.as_ref().map(at).as_deref(), Some("web"));
    assert_eq!(stage.platform.as_ref().map(at).as_deref(), Some("linux/amd64"));
    let InstructionKind::Copy(copy) = &stage.instructions[0].kind else { panic!("COPY") };
    assert_eq!(copy.chown.as_ref().map(at).as_deref(), Some("me"));
    // A word that is joined from two lines covers both.
    assert_eq!(copy.sources.iter().map(at).collect::<Vec<_>>(), ["a", "b\\\nc"]);
    assert_eq!(at(&copy.destination), "d/");
    let InstructionKind::Env(env) = &stage.instructions[1].kind else { panic!("ENV") };
    assert_eq!(env.iter().map(|pair| at(&pair.value)).collect::<Vec<_>>(), ["\"v w\"", "m"]);
    let map = SourceMap::new(text.as_bytes());
    let place = map.line_column(env[1].key.span.start);
    assert_eq!((place.line, place.column), (8, 2));
    assert_eq!(map.line_text(8), " l=m");
    assert_eq!(map.line_count(), 9);
}

#[test]
fn d138_triggers_are_read_back() {
    let trigger = parse_trigger("RUN make").expect("good");
    assert_eq!(show(&trigger.kind), "shell‹make›");
    let with_heredoc = parse_trigger("COPY <<EOF /f\nx\nEOF").expect("good");
    assert_eq!(show(&with_heredoc.kind), "COPY  -> ‹/f› <<EOF\"x\\n\"");
    for text in ["", "ONBUILD RUN a", "FROM a", "RUNN a", "RUN a\nRUN b", "# only", "RUN <<EOF\n"] {
        assert!(parse_trigger(text).is_err_and(|problems| !problems.is_empty()), "{text:?}");
    }
}

#[test]
fn text_that_cannot_be_read() {
    let parsed = parse(b"FROM alpine\nRUN caf\xe9 \xe9\nRUN b\0\nRUNN\n");
    let map_bytes = b"FROM alpine\nRUN caf\xe9 \xe9\nRUN b\0\nRUNN\n";
    let map = SourceMap::new(map_bytes);
    let told: Vec<String> = parsed
        .diagnostics
        .iter()
        .map(|problem| {
            let at = map.line_column(problem.span.start);
            format!("{}:{} {}", at.line, at.column, problem.message)
        })
        .collect();
    assert_eq!(
        told,
        [
            "2:8 the line holds text that is not UTF-8",
            "3:6 the line holds a NUL byte",
            "4:1 unknown instruction `RUNN`"
        ]
    );
    assert_eq!(map.line_text(2), "RUN caf\u{fffd} \u{fffd}");
    let large = parse(&vec![b'#'; MAX_LENGTH + 1]);
    assert_eq!(large.diagnostics[0].code, Code::FileTooLarge);
    assert!(!parse(&[b"FROM a\n".as_slice(), &vec![b'#'; 1 << 20]].concat()).has_errors());
}

#[test]
fn good_files_give_no_warnings() {
    for text in [
        "FROM node AS node\nRUN make\n",
        "FROM alpine AS alpine2\nFROM alpine\nCOPY --from=alpine2 /a /b\n",
        "FROM debian AS base\nFROM bash\n",
        "FROM golang AS build\nFROM alpine\nCOPY --from=busybox /bin/sh /sh\nCOPY --from=0 /a /b\n",
        "ARG base=x\nFROM ${base}\nFROM $base AS y\n",
        "FROM a\nRUN [ -n \"$x\" ] && echo 'it''s' || true\nCMD exec top\nENTRYPOINT [\"a\"]\n",
        "FROM scratch\nENV A=\"it's\" B='say \"hi\"' C=it\\'s\nLABEL d=\"a \\\n  b\"\n",
        "# just a comment: key=value\n\nFROM a\n# escape=` is only text here\nRUN b\n",
    ] {
        assert_eq!(parse(text.as_bytes()).diagnostics, [], "{text}");
    }
}

#[test]
fn files_that_nobody_writes_are_refused_in_time() {
    let docs = 20_000;
    for text in [
        "FROM a AS b\n".repeat(50_000),
        "FROM a\nCOPY --from=zz a b\n".repeat(30_000),
        format!("FROM a\n{}", "CMD a\n".repeat(50_000)),
        format!("FROM a\nEXPOSE{}\n", " x".repeat(200_000)),
        format!("FROM a\nENV{}\n", " a=b".repeat(200_000)),
        format!("FROM a\n{}", format!("ARG{}\n", " a".repeat(3000)).repeat(4)),
        format!("FROM a\nONBUILD LABEL{}\n", " a=b".repeat(20_000)),
        format!("FROM a\nEXPOSE{}\n", " 1-65535".repeat(2000)),
        format!("FROM a\nVOLUME{}\n", " /a".repeat(20_000)),
        "RUNN x\n".repeat(100_000),
        "RUN \u{0}\n".repeat(100_000),
        format!("FROM a\n{}", "RUN <<A\n A\n".repeat(20_000)),
        format!("FROM a\nRUN {}\n", "<<A ".repeat(100_000)),
    ] {
        let parsed = parse(&text.as_bytes()[..text.len().min(MAX_LENGTH)]);
        assert!(parsed.has_errors() && parsed.diagnostics.len() <= Diagnostics::LIMIT, "{}", &text[..20]);
    }
    // Large, but good.
    good(&format!("FROM a\nCOPY {} /x/\n{}", "<<A ".repeat(docs), "A\n".repeat(docs)));
    good(&format!("FROM a\nRUN a{}", "\\\nb".repeat(200_000)));
    let one_line = [b"FROM a\nRUN ".to_vec(), b"\xe9a".repeat(1 << 18)].concat();
    assert_eq!(parse(&one_line).diagnostics.len(), 1);
}

#[test]
fn mount_kinds_default_to_bind() {
    let file = good("FROM a\nRUN --mount=target=/x make\n");
    let InstructionKind::Run(run) = &file.stages[0].instructions[0].kind else { panic!("RUN") };
    assert_eq!(run.mounts[0].kind, MountKind::Bind);
}
