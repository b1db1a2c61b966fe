//! `RUN --mount`: what is mounted where, what of it is in the key, and who waits for whom.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use builder::{Event, Secret, SecretSource};

use crate::kitchen::{Kitchen, Outcome};

#[track_caller]
fn check(view: impl Fn(&Outcome<'_>) -> String, cases: &[(&str, &str)]) {
    for (dockerfile, expected) in cases {
        let kitchen = Kitchen::with("a=text d/b=deep d/e/f=deeper");
        let outcome = kitchen.build(dockerfile);
        assert_eq!(view(&outcome), *expected, "for\n{dockerfile}");
    }
}

/// What the commands said, a line for each.
fn said(outcome: &Outcome<'_>) -> String {
    let data = outcome.events.iter().filter_map(|event| match event {
        Event::StepLog { data, .. } => Some(String::from_utf8_lossy(data).into_owned()),
        _ => None,
    });
    data.collect::<String>().trim_end().to_owned()
}

/// What the commands had mounted, without the commands.
fn mounted(outcome: &Outcome<'_>) -> String {
    let calls = outcome.calls();
    calls
        .lines()
        .map(|call| call.strip_prefix("/bin/sh -c nothing").unwrap_or(call).trim())
        .collect::<Vec<_>>()
        .join("\n")
}

fn secret(value: &str) -> SecretSource {
    SecretSource::Variable { name: "VARIABLE".to_owned(), value: Secret::new(value) }
}

#[test]
fn d102_bind_mounts_show_the_context_stages_and_images() {
    check(
        said,
        &[
            ("FROM base\nRUN --mount=target=/src show /src/a && show /src/d/e/f", "text\ndeeper"),
            ("FROM base\nRUN --mount=type=bind,source=d,target=/src show /src/b && show /src/a", "deep\nnothing"),
            ("FROM base\nRUN --mount=source=/d/../a,dst=/x show /x", "text"),
            ("FROM base\nRUN --mount=source=../../a,destination=/x show /x", "text"),
            ("FROM base AS one\nRUN write /o/x 1\nFROM base\nRUN --mount=from=one,src=/o,target=/y show /y/x", "1"),
            ("FROM base AS one\nRUN write /o/x 1\nFROM base\nRUN --mount=from=0,src=o/x,target=/y show /y", "1"),
            ("FROM base\nRUN --mount=from=base,source=link,target=/y show /y/old", "old"),
        ],
    );
}

#[test]
fn d102_bind_mounts_are_read_only_unless_asked() {
    check(
        mounted,
        &[
            ("FROM base\nRUN --mount=target=/src nothing", "bind=/src:ro"),
            ("FROM base\nRUN --mount=target=/src,rw nothing", "bind=/src"),
            ("FROM base\nRUN --mount=target=/src,readwrite=true nothing", "bind=/src"),
            ("FROM base\nRUN --mount=target=/src,rw=false nothing", "bind=/src:ro"),
            ("FROM base\nRUN --mount=target=/src,ro=0 nothing", "bind=/src"),
            ("FROM base\nRUN --mount=source=a,target=/src nothing", "bind=/src:file:ro"),
        ],
    );
}

#[test]
fn d102_what_a_bind_mount_shows_is_part_of_the_key() {
    let kitchen = Kitchen::with("a=1 hidden/x=1 other=1 .dockerignore=hidden");
    let build =
        || kitchen.build("FROM base\nRUN --mount=target=/s nothing 1\nRUN --mount=source=a,target=/s nothing 2");
    let short = |outcome: &Outcome<'_>| outcome.calls().replace("/bin/sh -c nothing ", "");
    assert_eq!(short(&build()), "1 bind=/s:ro\n2 bind=/s:file:ro");
    assert_eq!(build().calls(), "");
    kitchen.files("hidden/x=2 hidden/y=new");
    assert_eq!(build().calls(), "", "what is ignored does not count");
    kitchen.set_mtime("a", 5);
    assert_eq!(build().calls(), "", "times do not count");
    kitchen.files("a=2");
    let changed = build();
    assert_eq!(short(&changed), "1 bind=/s:ro\n2 bind=/s:file:ro");
    assert!(changed.steps().contains("(because a file changed: a)"), "{}", changed.steps());
    kitchen.files("other=2");
    assert_eq!(short(&build()), "1 bind=/s:ro", "the second mount shows only the one file");
    kitchen.files("other:755=2");
    assert_eq!(short(&build()), "1 bind=/s:ro");
    kitchen.files("-other link->a");
    assert_eq!(short(&build()), "1 bind=/s:ro");
    // A stage that ran again and made the same files changes nothing.
    let stages = |command: &str| {
        let text =
            format!("FROM base AS s\nRUN {command}\nFROM base\nRUN --mount=from=s,source=/o,target=/s nothing 3");
        kitchen.build(&text).calls()
    };
    assert!(stages("write /o/x 1").contains("nothing 3"));
    assert_eq!(stages("write /o/x 1 && write /p 1"), "/bin/sh -c write /o/x 1 && write /p 1");
    assert!(stages("write /o/x 2").contains("nothing 3"));
}

#[test]
fn d102_how_a_mount_is_made_is_part_of_the_key() {
    let kitchen = Kitchen::with("a=1");
    let flags = [
        "target=/s",
        "target=/s,rw",
        "target=/t",
        "type=tmpfs,target=/s",
        "type=tmpfs,target=/s,size=1m",
        "type=cache,target=/s",
        "type=cache,target=/s,id=x",
        "type=cache,target=/s,sharing=locked",
        "type=cache,target=/s,ro",
        "type=cache,target=/s,uid=5",
        "type=secret,id=s",
        "type=secret,id=s,mode=0444",
        "type=secret,id=s,env=S",
        "type=secret,id=s,env=T",
        "type=ssh",
        "type=ssh,id=other",
    ];
    let build = |flag: &str| kitchen.build(&format!("FROM base\nRUN --mount={flag} nothing")).calls();
    for flag in flags {
        assert_ne!(build(flag), "", "{flag}");
    }
    for flag in flags {
        assert_eq!(build(flag), "", "{flag}");
    }
}

#[test]
fn d102_files_that_change_while_a_command_uses_them_leave_no_result() {
    let kitchen = Kitchen::with("a=1");
    let text = "FROM base\nRUN --mount=target=/s nothing && hold && say done";
    let request = kitchen.request(text);
    let outcome = kitchen.run_watched(&request, &|event| {
        if matches!(event, Event::StepRuns { .. }) {
            kitchen.files("a=2");
            kitchen.recorder.let_go();
        }
    });
    outcome.id();
    assert!(
        outcome.text().contains("warning: files of the build context changed while a command used them"),
        "{}",
        outcome.text()
    );
    kitchen.files("a=1");
    assert_ne!(kitchen.build(text).calls(), "", "what a mixture of both gave is not taken for the first");
}

#[test]
fn d103_caches_stay_and_are_known_by_their_ids() {
    let kitchen = Kitchen::new();
    let run = |flags: &str, command: &str| {
        let text = format!("FROM base\nRUN --mount=type=cache,{flags} {command}");
        said(&kitchen.build_as(&text, |request| request.no_cache = true))
    };
    assert_eq!(run("target=/c", "show /c/x && keep /c/x 1 && show /c/x"), "nothing\n1");
    assert_eq!(run("target=/c", "show /c/x"), "1");
    assert_eq!(run("target=/c/", "show /c/x"), "1", "the target is the ID");
    assert_eq!(run("target=/./c//d/..", "show /c/x"), "1");
    assert_eq!(run("id=/c,target=/other", "show /other/x"), "1");
    assert_eq!(run("target=/d", "show /d/x"), "nothing");
    assert_eq!(run("target=c", "show /c/x"), "nothing", "an ID is what was written, not where it is");
    for flags in ["uid=5", "gid=5", "mode=0700"] {
        assert_eq!(run(&format!("target=/c,{flags}"), "show /c/x"), "nothing", "{flags} is another cache");
        assert_eq!(run(&format!("target=/c,{flags}"), "keep /c/x 2 && show /c/x"), "2");
    }
    assert_eq!(run("target=/c,uid=0,gid=0,mode=0755", "show /c/x"), "1", "the usual owner and mode");
    assert_eq!(run("target=/c,sharing=private", "show /c/x"), "1");
    assert_eq!(run("target=/c,sharing=LOCKED", "show /c/x"), "1");
    let mode = |folder: &fs::DirEntry| fs::metadata(folder.path().join("0/data")).unwrap().permissions().mode() & 0o777;
    let folders: Vec<_> = fs::read_dir(kitchen.store.path().join("caches")).unwrap().map(Result::unwrap).collect();
    assert_eq!(folders.iter().filter(|folder| mode(folder) == 0o700).count(), 1);
}

#[test]
fn d103_a_namespace_keeps_caches_apart() {
    let kitchen = Kitchen::new();
    let run = |namespace: &str, command: &str| {
        let text = format!("FROM base\nRUN --mount=type=cache,target=/c {command}");
        said(&kitchen.build_as(&text, |request| {
            request.no_cache = true;
            if !namespace.is_empty() {
                request.build_args = vec![("BUILDKIT_CACHE_MOUNT_NS".to_owned(), namespace.to_owned())];
            }
        }))
    };
    assert_eq!(run("", "keep /c/x 1 && show /c/x"), "1");
    assert_eq!(run("pr", "show /c/x"), "nothing");
    assert_eq!(run("pr", "keep /c/x 2 && show /c/x"), "2");
    assert_eq!(run("", "show /c/x"), "1");
}

/// CVE-2024-9675: an ID is never part of a path.
#[test]
fn d103_ids_are_hostile_text() {
    let kitchen = Kitchen::new();
    let outside = kitchen.folder().join("x");
    for id in ["../../x", "a/b", "/etc", ".", "..", "a\\nb", "é", &"long".repeat(100), "{}", "id with blanks"] {
        let text = format!("FROM base\nRUN --mount='type=cache,target=/c,\"id={id}\"' keep /c/x {id} && show /c/x");
        let outcome = kitchen.build(&text);
        outcome.id();
        assert_eq!(said(&outcome), id, "{id}");
        assert!(!outside.exists());
    }
    for entry in fs::read_dir(kitchen.store.path().join("caches")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
}

#[test]
fn d103_what_a_cache_holds_is_not_in_the_key_and_what_it_begins_with_is() {
    let kitchen = Kitchen::with("seed/x=1 seed/d/y=2");
    let text = "FROM base\nRUN --mount=type=cache,target=/c,from=seeds,source=/s show /c/x && keep /c/x 9";
    let stages = |content: &str| format!("FROM base AS seeds\nRUN write /s/x {content}\n{text}");
    assert_eq!(said(&kitchen.build(&stages("1"))), "1");
    assert_eq!(kitchen.build(&stages("1")).calls(), "");
    let again = kitchen.build_as(&stages("1"), |request| request.no_cache = true);
    assert_eq!(said(&again), "9", "what is there is not written over");
    assert_eq!(said(&kitchen.build(&stages("2"))), "2", "a cache that begins otherwise is another one");
    let file = kitchen.build("FROM base\nRUN --mount=type=cache,target=/c,from=base,source=/etc/passwd nothing");
    assert!(file.error().starts_with("line 2: a cache cannot begin with a single file\n  help: "), "{}", file.error());
}

/// Two stages at the same time, with caches that are used as `flags` say.
fn two_stages(kitchen: &Kitchen, flags: [&str; 2], command: &str, watch: &(dyn Fn(&Event) + Sync)) -> Vec<String> {
    let stage = |name: &str, flags: &str| {
        format!(
            "FROM base AS {name}\nRUN --mount=type=cache,target=/c,{flags} {command} && write /done-{name} {name}\n"
        )
    };
    let copies = "FROM base\nCOPY --from=one /done-one /\nCOPY --from=two /done-two /\n";
    let text = stage("one", flags[0]) + &stage("two", flags[1]) + copies;
    let mut request = kitchen.request(&text);
    request.no_cache = true;
    let outcome = kitchen.run_watched(&request, watch);
    outcome.id();
    let mut lines: Vec<String> = said(&outcome).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn d103_shared_caches_are_used_by_several_at_once() {
    let kitchen = Kitchen::new();
    two_stages(&kitchen, ["sharing=shared", "id=/c"], "meet 2 && keep /c/x 1", &|_| {});
    assert_eq!(cache_folders(&kitchen), ["0"]);
}

#[test]
fn d103_private_caches_are_used_by_one_at_a_time_and_more_are_made() {
    let kitchen = Kitchen::new();
    two_stages(&kitchen, ["sharing=private", "sharing=private"], "meet 2", &|_| {});
    assert_eq!(cache_folders(&kitchen), ["0", "1"]);
    // One after the other both take the first.
    let text = "FROM base\nRUN --mount=type=cache,target=/c,sharing=private keep /c/x 1\n\
                RUN --mount=type=cache,target=/c,sharing=private show /c/x";
    assert_eq!(said(&kitchen.build(text)), "1");
    assert_eq!(cache_folders(&kitchen), ["0", "1"]);
}

#[test]
fn d103_locked_caches_are_waited_for_and_that_is_said() {
    for flags in [["sharing=locked", "sharing=locked"], ["sharing=locked", "sharing=shared"]] {
        let kitchen = Kitchen::new();
        // The first one goes on as soon as the second one is seen waiting.
        two_stages(&kitchen, flags, "hold && nothing", &|event| {
            if matches!(event, Event::StepStatus { text, .. } if text.starts_with("waiting for the cache on /c")) {
                kitchen.recorder.let_go();
            }
        });
        assert_eq!(cache_folders(&kitchen), ["0"]);
    }
}

/// Numbers of the folders of the only cache.
fn cache_folders(kitchen: &Kitchen) -> Vec<String> {
    let caches: Vec<_> = fs::read_dir(kitchen.store.path().join("caches")).unwrap().map(Result::unwrap).collect();
    assert_eq!(caches.len(), 1);
    let names = fs::read_dir(caches[0].path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "id").collect();
    names.sort();
    names
}

#[test]
fn d103_one_step_may_mount_a_cache_twice() {
    let kitchen = Kitchen::new();
    for sharing in ["shared", "private", "locked"] {
        let mount = |target: &str| format!("--mount=type=cache,id=x,target={target},sharing={sharing}");
        let text = format!("FROM base\nRUN {} {} keep /a/x {sharing} && show /b/x", mount("/a"), mount("/b"));
        assert_eq!(said(&kitchen.build(&text)), sharing);
    }
}

#[test]
fn d103_a_build_that_waits_for_a_cache_can_be_cancelled() {
    let kitchen = Kitchen::new();
    let text = "FROM base AS one\nRUN --mount=type=cache,target=/c,sharing=locked until-cancelled\n\
                FROM base AS two\nRUN --mount=type=cache,target=/c,sharing=locked until-cancelled && nothing\n\
                FROM base\nCOPY --from=one / /\nCOPY --from=two / /";
    let request = kitchen.request(text);
    let outcome = kitchen.run_watched(&request, &|event| {
        if matches!(event, Event::StepStatus { text, .. } if text.starts_with("waiting for the cache")) {
            kitchen.cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    assert_eq!(outcome.error(), "the build was cancelled");
}

#[test]
fn d104_tmpfs_mounts_have_a_size() {
    check(
        mounted,
        &[
            ("FROM base\nRUN --mount=type=tmpfs,target=/t nothing", "tmpfs=/t"),
            ("FROM base\nRUN --mount=type=tmpfs,target=/t,size=64m nothing", "tmpfs=/t:67108864"),
            ("FROM base\nRUN --mount=type=tmpfs,target=/t,size=0 nothing", "tmpfs=/t"),
            ("FROM base\nRUN --mount=type=tmpfs,target=/t,ro nothing", "tmpfs=/t:ro"),
        ],
    );
    check(
        |outcome| outcome.error(),
        &[(
            "FROM base\nRUN --mount=type=tmpfs,target=/t,size=much nothing",
            "line 2: `much` is not a size\n  help: write for example `size=64m`",
        )],
    );
}

/// Builds with the secrets `tok` and `other`.
fn with_secrets<'k>(kitchen: &'k Kitchen, dockerfile: &str) -> Outcome<'k> {
    kitchen.build_as(dockerfile, |request| {
        request.no_cache = true;
        request.run.secrets.insert("tok".to_owned(), secret("value"));
        request.run.secrets.insert("dir/other".to_owned(), secret("second"));
    })
}

#[test]
fn d105_secrets_are_files_and_variables() {
    let kitchen = Kitchen::new();
    for (flags, command, calls, expected) in [
        ("id=tok", "show /run/secrets/tok", "file=/run/secrets/tok:400:0:0:ro", "VALUE"),
        ("source=tok", "show /run/secrets/tok", "file=/run/secrets/tok:400:0:0:ro", "VALUE"),
        ("id=dir/other", "show /run/secrets/other", "file=/run/secrets/other:400:0:0:ro", "SECOND"),
        ("target=/x/tok", "show /x/tok", "file=/x/tok:400:0:0:ro", "VALUE"),
        ("id=tok,target=t", "show /w/t", "file=/w/t:400:0:0:ro", "VALUE"),
        ("id=tok,mode=0440,uid=5,gid=6", "show /run/secrets/tok", "file=/run/secrets/tok:440:5:6:ro", "VALUE"),
        ("id=tok,required", "show /run/secrets/tok", "file=/run/secrets/tok:400:0:0:ro", "VALUE"),
        ("id=tok,env=T", "secret T && show /run/secrets/tok", "T=****", "VALUE\nnothing"),
        ("id=tok,env=T,target=/t", "secret T && show /t", "file=/t:400:0:0:ro T=****", "VALUE\nVALUE"),
        ("id=none", "show /run/secrets/none", "", "nothing"),
        ("id=none,env=T", "secret T", "", "nothing"),
    ] {
        let text = format!("FROM base\nWORKDIR /w\nRUN --mount=type=secret,{flags} {command}");
        let outcome = with_secrets(&kitchen, &text);
        outcome.id();
        assert_eq!(said(&outcome), expected, "{flags}");
        let call = format!("/bin/sh -c {command} in=/w {calls}");
        assert_eq!(outcome.calls(), call.trim_end(), "{flags}");
    }
}

#[test]
fn d105_what_a_command_betrays_is_masked() {
    let kitchen = Kitchen::new();
    let text =
        "FROM base\nRUN --mount=type=secret,id=tok --mount=type=secret,id=dir/other,env=T betray /run/secrets/tok";
    let outcome = with_secrets(&kitchen, text);
    outcome.id();
    assert_eq!(said(&outcome), "****it is ****.");
}

#[test]
fn d105_secrets_that_are_required_or_cannot_be_used_stop_the_build() {
    let kitchen = Kitchen::with("large=x");
    let error =
        |flags: &str| with_secrets(&kitchen, &format!("FROM base\nRUN --mount=type=secret,{flags} nothing")).error();
    assert_eq!(
        error("id=none,required"),
        "line 2: the secret `none` was not given\n  help: build with `--secret id=none,src=FILE`, or with `env=VARIABLE`"
    );
    assert!(error("id=none,env=T,required=true").starts_with("line 2: the secret `none` was not given"));
    assert!(error("id=tok,target=/").starts_with("line 2: a mount cannot take the place of the whole root"));
    let with = |source: SecretSource, flags: &str| {
        let outcome =
            kitchen.build_as(&format!("FROM base\nRUN --mount=type=secret,id=s,{flags} nothing"), |request| {
                request.run.secrets.insert("s".to_owned(), source);
            });
        assert_eq!(outcome.calls(), "", "the command does not run");
        outcome.error()
    };
    let missing = with(SecretSource::File("/no/such".into()), "required");
    assert!(
        missing.starts_with("line 2: cannot read the secret `s` from /no/such\n  help: check the file of `--secret id=s,src=/no/such`\n  cause: No such file"),
        "{missing}"
    );
    let large = with(secret(&"x".repeat(512_001)), "mode=0400");
    assert!(large.starts_with("line 2: the secret `s` is larger than 512000 bytes"), "{large}");
    let zero = with(secret("a\0b"), "env=S");
    assert!(zero.starts_with("line 2: the secret `s` has a NUL byte in it, which no variable can hold"), "{zero}");
    let folder = with(SecretSource::File(kitchen.context()), "required");
    assert!(folder.starts_with("line 2: cannot read the secret `s`"), "{folder}");
}

#[test]
fn d105_the_value_of_a_secret_is_in_no_key_record_history_or_name() {
    let kitchen = Kitchen::new();
    let text =
        "FROM base\nARG TOKEN=default\nRUN --mount=type=secret,id=s,env=TOKEN --mount=type=secret,id=s nothing $TOKEN";
    let build = |value: &str| {
        kitchen.build_as(text, |request| {
            request.run.secrets.insert("s".to_owned(), secret(value));
        })
    };
    let first = build("canary-one");
    first.id();
    assert_eq!(first.history(), "- ARG TOKEN=default\nRUN |1 TOKEN=**** /bin/sh -c nothing $TOKEN # buildkit");
    assert!(first.text().contains("nothing ****"), "{}", first.text());
    assert_eq!(build("canary-two").calls(), "", "another value is not another step");
    assert!(!format!("{:?} {:?}", first.events, kitchen.request(text)).contains("canary"));
    for file in kitchen.snapshot() {
        let path = file.split(' ').next().unwrap();
        let content = fs::read(path).unwrap_or_default();
        assert!(!content.windows(6).any(|part| part == b"canary"), "{path}");
    }
}

#[test]
fn d106_agents_are_passed_on_where_they_were_given() {
    let kitchen = Kitchen::new();
    let build = |flags: &str| {
        kitchen.build_as(&format!("FROM base\nRUN {flags} nothing"), |request| {
            request.run.agents.insert("default".to_owned(), "/a".into());
            request.run.agents.insert("git".to_owned(), "/g".into());
            request.no_cache = true;
        })
    };
    for (flags, expected) in [
        ("--mount=type=ssh", "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0 agent=/run/buildkit/ssh_agent.0:600:0:0:/a:ro"),
        (
            "--mount=type=ssh,required",
            "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0 agent=/run/buildkit/ssh_agent.0:600:0:0:/a:ro",
        ),
        ("--mount=type=ssh,id=git,target=/s,mode=0666,uid=5,gid=6", "SSH_AUTH_SOCK=/s agent=/s:666:5:6:/g:ro"),
        (
            "--mount=type=ssh,id=git --mount=type=ssh",
            "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0 agent=/run/buildkit/ssh_agent.0:600:0:0:/g:ro \
             agent=/run/buildkit/ssh_agent.1:600:0:0:/a:ro",
        ),
        ("--mount=type=ssh,id=none", ""),
    ] {
        assert_eq!(mounted(&build(flags)), expected, "{flags}");
    }
    let required = build("--mount=type=ssh,id=none,required").error();
    assert_eq!(
        required,
        "line 2: the SSH agent `none` was not given\n  help: build with `--ssh none=$SSH_AUTH_SOCK`; `eval $(ssh-agent)` \
         starts an agent"
    );
    let own = kitchen.build_as("FROM base\nENV SSH_AUTH_SOCK=/mine\nRUN --mount=type=ssh nothing", |request| {
        request.run.agents.insert("default".to_owned(), "/a".into());
    });
    assert_eq!(mounted(&own), "SSH_AUTH_SOCK=/mine agent=/run/buildkit/ssh_agent.0:600:0:0:/a:ro");
}

#[test]
fn d106_where_the_agent_is_does_not_count() {
    let kitchen = Kitchen::new();
    let build = |socket: Option<&str>| {
        kitchen.build_as("FROM base\nRUN --mount=type=ssh nothing", |request| {
            request.run.agents.extend(socket.map(|socket| ("default".to_owned(), socket.into())));
        })
    };
    assert_ne!(build(Some("/one")).calls(), "");
    assert_eq!(build(Some("/other")).calls(), "");
    assert_eq!(build(None).calls(), "");
}

#[test]
fn d107_d060_several_mounts_with_quotes_variables_and_relative_targets() {
    let kitchen = Kitchen::with("a,b=comma c=3");
    let outcome = kitchen.build(
        "FROM base\nARG KIND=tmpfs WHERE=there NAME=c SIZE=1m MODE=0700 RO=1\nWORKDIR /w\n\
         RUN --mount=type=$KIND,target=/t/$WHERE,size=${SIZE} --mount=source=$NAME,target=x/../y,ro=$RO \
         --mount='\"source=a,b\",target=\"quoted\"' --mount=type=cache,target=/c,mode=$MODE,id=\"$NAME\" nothing",
    );
    assert!(outcome.error().starts_with("line 4: a quote stands within a field"), "{}", outcome.error());
    let outcome = kitchen.build(
        "FROM base\nARG KIND=tmpfs WHERE=there NAME=c SIZE=1m MODE=0700 RO=1\nWORKDIR /w\n\
         RUN --mount=type=$KIND,target=/t/$WHERE,size=${SIZE} --mount=source=$NAME,target=x/../y,ro=$RO \
         --mount='\"source=a,b\",target=quoted' --mount=type=cache,target=/c,mode=$MODE,id=$NAME show /w/quoted",
    );
    assert_eq!(said(&outcome), "comma");
    let calls = outcome.calls();
    let mounts = calls.split_once("in=/w ").unwrap().1;
    let expected = "KIND=tmpfs";
    assert!(calls.contains(expected));
    assert_eq!(mounts, "cache=/c tmpfs=/t/there:1048576 bind=/w/quoted:file:ro bind=/w/y:file:ro");
}

#[test]
fn d107_mounts_within_mounts_come_after_what_they_are_in() {
    check(
        mounted,
        &[(
            "FROM base\nRUN --mount=type=cache,target=/s/d/cache --mount=target=/s --mount=type=tmpfs,target=/s/d nothing",
            "bind=/s:ro tmpfs=/s/d cache=/s/d/cache",
        )],
    );
}

#[test]
fn d102_to_d107_mistakes_are_told_with_line_and_help() {
    check(
        |outcome| outcome.error(),
        &[
            (
                "FROM base\nRUN --mount=target=/ nothing",
                "line 2: a mount cannot take the place of the whole root\n  help: choose another place, as in `target=/src`",
            ),
            (
                "FROM base\nRUN --mount=target=. nothing",
                "line 2: a mount cannot take the place of the whole root\n  help: choose another place, as in `target=/src`",
            ),
            (
                "FROM base\nRUN --mount=type=tmpfs,target=/proc/x nothing",
                "line 2: a mount cannot be below `/proc`\n  help: choose another place, as in `target=/src`",
            ),
            (
                "FROM base\nRUN --mount=type=tmpfs,target=/a --mount=type=tmpfs,target=/b/../a nothing",
                "line 2: two mounts of this RUN are on `/a`\n  help: give one of them another target",
            ),
            (
                "FROM base\nRUN --mount=source=missing,target=/x nothing",
                "line 2: `missing` is not in the build context [no such file or folder in the context]\n  help: create \
                 `missing`, or give another context",
            ),
            (
                "FROM base\nRUN --mount=source=d/bb,target=/x nothing",
                "line 2: `d/bb` is not in the build context [no such file or folder in the context]\n  help: a similar \
                 name is there: `d/b`",
            ),
            (
                "FROM base\nRUN --mount=from=base,source=/nowhere,target=/x nothing",
                "line 2: `/nowhere` is not in image `docker.io/library/base`\n  help: check the path: it is taken \
                 from the root of the stage or image",
            ),
            (
                "FROM base AS one\nFROM base\nRUN --mount=from=onee,target=/x nothing",
                "line 3: image `docker.io/library/onee` is not in the store [not found locally]\n  help: a stage has a similar name: `one`",
            ),
            (
                "FROM base\nARG M=rwx\nRUN --mount=type=cache,target=/x,mode=$M nothing",
                "line 3: invalid value `rwx` for the mount's key `mode`\n  help: write for example `mode=0755`",
            ),
            (
                "FROM base\nARG T=volume\nRUN --mount=type=$T,target=/x nothing",
                "line 3: unknown mount type `volume`\n  help: the types are `bind`, `cache`, `tmpfs`, `secret`, `ssh`",
            ),
            (
                "FROM base\nRUN --mount=type=cache,target=$NOWHERE nothing",
                "line 2: invalid value `` for the mount's key `target`\n  help: write for example `target=/path`",
            ),
        ],
    );
}

#[test]
fn d102_a_build_without_a_context_says_so() {
    let kitchen = Kitchen::new();
    let outcome = kitchen.build_as("FROM base\nRUN --mount=target=/x nothing", |request| request.context = None);
    assert_eq!(
        outcome.error(),
        "line 2: nothing can be mounted from the context: this build has none\n  help: give a folder as the build \
         context, as in `onggi build .`"
    );
    let cache =
        kitchen.build_as("FROM base\nRUN --mount=type=cache,target=/x nothing", |request| request.context = None);
    cache.id();
}

#[test]
fn d102_an_ignored_file_is_not_mounted() {
    let kitchen = Kitchen::with("a=1 secret=2 .dockerignore=secret");
    let outcome = kitchen.build("FROM base\nRUN --mount=source=secret,target=/x nothing");
    assert!(outcome.error().starts_with("line 2: `secret` is excluded from the build context"), "{}", outcome.error());
    let outcome = kitchen.build("FROM base\nRUN --mount=target=/x show /x/secret && show /x/a");
    assert_eq!(said(&outcome), "nothing\n1");
}

#[test]
fn d102_d138_triggers_may_have_mounts() {
    let kitchen = Kitchen::with("a=of-the-child");
    kitchen.build_as("FROM base\nONBUILD RUN --mount=source=a,target=/x show /x", |request| {
        request.tags = vec!["parent".parse().unwrap()];
    });
    assert_eq!(said(&kitchen.build("FROM parent")), "of-the-child");
    let missing = kitchen.build_as("FROM parent", |request| {
        request.context = Some(kitchen.folder().join("store/stubs").into());
    });
    assert!(missing.error().starts_with("line 1: `a` is not in the build context"), "{}", missing.error());
}

#[test]
fn d036_steps_of_a_file_with_mounts_have_their_stage_in_front() {
    let kitchen = Kitchen::new();
    let text = kitchen.build("FROM base\nRUN --mount=type=cache,target=/c nothing").text();
    assert!(text.contains("[stage-0 2/2] RUN --mount=type=cache,target=/c nothing"), "{text}");
}
