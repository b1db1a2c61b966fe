//! RUN: here-documents, and what surrounds a command.

use std::net::IpAddr;

use builder::{HostAddress, RunLimits, RunNetwork, RunResources, Ulimit};

use crate::kitchen::{Kitchen, Outcome};

#[track_caller]
fn check(view: impl Fn(&Outcome<'_>) -> String, cases: &[(&str, &str)]) {
    for (dockerfile, expected) in cases {
        let kitchen = Kitchen::with("a=text");
        let outcome = kitchen.build(dockerfile);
        assert_eq!(view(&outcome), *expected, "for\n{dockerfile}");
    }
}

#[test]
fn d120_d121_d123_d124_here_documents_are_run_as_buildkit_runs_them() {
    check(
        |outcome| outcome.calls(),
        &[
            // The body itself is for the shell, whatever the marker's quotes say.
            ("FROM base\nRUN <<EOF\nnothing\nEOF", "/bin/sh -c nothing\n"),
            ("FROM base\nARG A=1\nRUN <<EOF\nnothing $A\nEOF", "/bin/sh -c nothing $A\n A=1"),
            ("FROM base\nRUN <<\"EOF\"\nnothing $A\nEOF", "/bin/sh -c nothing $A\n"),
            ("FROM base\nRUN <<-EOF\n\tnothing\n\t\tEOF", "/bin/sh -c nothing\n"),
            ("FROM base\nSHELL [\"/bin/bash\", \"-ec\"]\nRUN <<EOF\nnothing\nEOF", "/bin/bash -ec nothing\n"),
            // A script is a file of its own, executed by the shell.
            (
                "FROM base\nRUN <<EOF\n#!/bin/x\nnothing\nEOF",
                "/bin/sh -c /dev/pipes/EOF script=/dev/pipes/EOF:755:0:0:ro",
            ),
            (
                "FROM base\nSHELL [\"/bin/bash\", \"-ec\"]\nRUN <<-'END'\n\t#!/bin/x\n\tEND",
                "/bin/bash -ec /dev/pipes/END script=/dev/pipes/END:755:0:0:ro",
            ),
            // A marker that is no plain name gives none.
            (
                "FROM base\nRUN <<../../etc/x\n#!/bin/x\n../../etc/x",
                "/bin/sh -c /dev/pipes/script script=/dev/pipes/script:755:0:0:ro",
            ),
            // All others are handed to the shell as written.
            ("FROM base\nRUN <<EOF bash\nnothing\nEOF", "/bin/sh -c <<EOF bash\nnothing\nEOF"),
            ("FROM base\nRUN python3 <<EOF > /x\nprint('$A')\nEOF", "/bin/sh -c python3 <<EOF > /x\nprint('$A')\nEOF"),
            ("FROM base\nRUN cat <<-EOF\n\tone\n\tEOF", "/bin/sh -c cat <<-EOF\n\tone\nEOF"),
            (
                "FROM base\nRUN <<A cat > f1 && <<\"B\" cat > f2\none\nA\ntwo\nB",
                "/bin/sh -c <<A cat > f1 && <<\"B\" cat > f2\none\nA\ntwo\nB",
            ),
            // The exec form has none.
            ("FROM base\nRUN [\"nothing\", \"<<EOF\"]", "nothing <<EOF"),
        ],
    );
}

#[test]
fn d125_here_documents_are_in_history_and_in_the_step_s_name() {
    check(
        |outcome| outcome.history(),
        &[
            ("FROM base\nRUN <<EOF\nsay a\nEOF", "RUN /bin/sh -c say a\n # buildkit"),
            ("FROM base\nRUN <<EOF\n#!/bin/x\nsay\nEOF", "RUN /bin/sh -c /dev/pipes/EOF # buildkit"),
            ("FROM base\nRUN say <<-EOF\n\tx\nEOF", "RUN /bin/sh -c say <<-EOF\n\tx\nEOF # buildkit"),
        ],
    );
    let names = |outcome: &Outcome<'_>| {
        let steps = outcome.steps();
        let line = steps.lines().find(|line| line.contains("] RUN ")).unwrap_or_else(|| panic!("{steps}"));
        line.split_once("] ").unwrap().1.split(" (because ").next().unwrap().to_owned()
    };
    check(
        names,
        &[
            ("FROM base\nRUN <<EOF\nnothing\nEOF", "RUN <<EOF (nothing)"),
            ("FROM base\nrun <<EOF\n\n  nothing &&\n  nothing\nEOF", "RUN <<EOF (nothing &&...)"),
            ("FROM base\nENV A=b\nRUN <<EOF\nsay $A\nEOF", "RUN <<EOF (say b)"),
            ("FROM base\nRUN <<EOF\nsay it's\nEOF", "RUN <<EOF (say it's)"),
            ("FROM base\nRUN nothing <<EOF\nx\nEOF", "RUN nothing <<EOF"),
        ],
    );
}

#[test]
fn d125_the_text_of_a_here_document_is_part_of_the_key() {
    let kitchen = Kitchen::new();
    let build = |text: &str| kitchen.build(&format!("FROM base\nRUN {text}")).calls();
    for (one, other) in [
        ("<<EOF\nnothing\nEOF", "<<EOF\nnothing \nEOF"),
        ("<<EOF\n#!/x\nEOF", "<<EOF\n#!/y\nEOF"),
        ("nothing <<EOF\na\nEOF", "nothing <<EOF\nb\nEOF"),
        ("nothing <<-EOF\n\ta\nEOF", "nothing <<-EOF\n\t\ta\nEOF"),
    ] {
        for text in [one, other] {
            assert_ne!(build(text), "", "{text}");
        }
        for text in [one, other] {
            assert_eq!(build(text), "", "{text}");
        }
    }
    // A script is told apart from a command that names it.
    assert_ne!(build("[\"/bin/sh\", \"-c\", \"/dev/pipes/EOF\", \"#!/x\\n\"]"), "");
}

#[test]
fn d009_d138_triggers_may_have_here_documents() {
    let kitchen = Kitchen::new();
    let text = "FROM base\nONBUILD RUN <<-EOF\n\tnothing\nEOF\nONBUILD RUN nothing <<-A\n\tx\nA";
    let parent = kitchen.build_as(text, |request| request.tags = vec!["parent".parse().unwrap()]);
    assert!(
        parent.config().contains(r#"["RUN <<-EOF\n\tnothing\nEOF","RUN nothing <<-A\n\tx\nA"]"#),
        "{}",
        parent.config()
    );
    let child = kitchen.build("FROM parent");
    assert_eq!(child.calls(), "/bin/sh -c nothing\n\n/bin/sh -c nothing <<-A\n\tx\nA");
}

#[test]
fn d109_b017_b021_the_host_s_network_must_be_allowed() {
    let kitchen = Kitchen::new();
    let text = "FROM base\nRUN --network=host nothing";
    let refused = kitchen.build(text);
    assert_eq!(
        refused.error(),
        "line 2: the network of the host is not allowed in this build [needs the entitlement `network.host`]\n  \
         help: build with `--allow network.host`"
    );
    assert_eq!(refused.calls(), "");
    let allowed = kitchen.build_as(text, |request| request.run.allow_host_network = true);
    assert_eq!(allowed.calls(), "/bin/sh -c nothing network=host");
    let for_all = "FROM base\nRUN --network=host nothing 1\nRUN nothing 2\nRUN --network=default nothing 3\nRUN --network=none nothing 4";
    let for_all = kitchen.build_as(for_all, |request| request.network = RunNetwork::Host);
    assert_eq!(
        for_all.calls(),
        "/bin/sh -c nothing 1 network=host\n/bin/sh -c nothing 2 network=host\n/bin/sh -c nothing 3 network=host\n\
         /bin/sh -c nothing 4 network=none"
    );
}

#[test]
fn d110_d111_what_is_not_there_is_said() {
    let kitchen = Kitchen::new();
    assert_eq!(kitchen.build("FROM base\nRUN --security=sandbox nothing").calls(), "/bin/sh -c nothing");
    for (flag, feature) in [("--security=insecure", "RUN --security=insecure"), ("--device=a/b=c", "RUN --device")] {
        let error = kitchen.build(&format!("FROM base\nRUN {flag} nothing")).error();
        assert!(error.starts_with(&format!("line 2: {feature}: not supported yet")), "{error}");
    }
}

#[test]
fn b018_names_of_hosts_count_and_not_where_they_lead() {
    let kitchen = Kitchen::new();
    let build = |hosts: &[(&str, HostAddress)]| {
        let outcome = kitchen.build_as("FROM base\nRUN nothing", |request| {
            request.run.hosts = hosts.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        });
        outcome.calls()
    };
    let address = |text: &str| HostAddress::Address(text.parse::<IpAddr>().unwrap());
    assert_eq!(build(&[("a", address("10.0.0.1"))]), "/bin/sh -c nothing host=a:10.0.0.1");
    assert_eq!(build(&[("a", address("::1"))]), "");
    assert_eq!(build(&[("a", HostAddress::Gateway)]), "");
    assert_eq!(build(&[("b", HostAddress::Gateway)]), "/bin/sh -c nothing host=b:gateway");
    assert_eq!(build(&[]), "/bin/sh -c nothing");
}

#[test]
fn d036_the_name_of_the_machine_is_part_of_the_key() {
    let kitchen = Kitchen::new();
    let build = |name: Option<&str>| {
        let change = |request: &mut builder::BuildRequest| request.run.hostname = name.map(str::to_owned);
        kitchen.build_as("FROM base\nRUN nothing", change).calls()
    };
    assert_eq!(build(None), "/bin/sh -c nothing");
    assert_eq!(build(Some("box")), "/bin/sh -c nothing on=box");
    assert_eq!(build(Some("other")), "/bin/sh -c nothing on=other");
    assert_eq!([build(None), build(Some("box"))], ["", ""]);
}

#[test]
fn d036_a_cache_in_the_image_is_asked_for_in_vain() {
    let kitchen = Kitchen::new();
    for (value, is_told) in [("1", true), ("true", true), ("0", false), ("", false)] {
        let built = kitchen.build_as("FROM base\nLABEL a=b", |request| {
            request.build_args = vec![("BUILDKIT_INLINE_CACHE".to_owned(), value.to_owned())];
        });
        assert_eq!(
            built.text().contains("BUILDKIT_INLINE_CACHE is ignored: images carry no cache"),
            is_told,
            "{value}"
        );
    }
}

#[test]
fn b019_b020_limits_that_a_command_can_see_count_and_resources_do_not() {
    let kitchen = Kitchen::new();
    let build =
        |limits: RunLimits| kitchen.build_as("FROM base\nRUN nothing", |request| request.run.limits = limits).calls();
    let nofile = |soft| Ulimit { name: "nofile".to_owned(), soft, hard: 100 };
    assert_eq!(build(RunLimits::default()), "/bin/sh -c nothing");
    let resources = RunResources {
        memory: Some(1),
        memory_swap: Some(2),
        cpu_shares: Some(3),
        cpu_period: Some(4),
        cpu_quota: Some(5),
        cpuset_cpus: Some("0".to_owned()),
        cpuset_mems: Some("0".to_owned()),
    };
    assert_eq!(build(RunLimits { resources, cgroup_parent: Some("/x".to_owned()), ..RunLimits::default() }), "");
    for limits in [
        RunLimits { shm_size: Some(1), ..RunLimits::default() },
        RunLimits { shm_size: Some(2), ..RunLimits::default() },
        RunLimits { ulimits: vec![nofile(1)], ..RunLimits::default() },
        RunLimits { ulimits: vec![nofile(2)], ..RunLimits::default() },
    ] {
        assert_eq!(build(limits.clone()), "/bin/sh -c nothing limited", "{limits:?}");
        assert_eq!(build(limits), "");
    }
}
