use super::Plain;
use crate::progress::event::StepOutcome;
use crate::progress::tests::{Recording, explained, failure, rebuild, show};

/// S110: `#n …` lines.
#[test]
fn finished_build_looks_like_buildkits() {
    insta::assert_snapshot!(show(Plain::new(false), rebuild(), 2403), @"
    #1 [internal] load build definition from Dockerfile
    #1 transferring dockerfile: 119B done
    #1 DONE 0.0s

    #2 [internal] load .dockerignore
    #2 transferring context: 2B done
    #2 DONE 0.0s

    #3 [internal] load metadata for docker.io/library/node:18
    #3 DONE 2.2s

    #4 [1/3] FROM docker.io/library/node:18@sha256:c6ae79e38498325db67193d391e6ec1d224d96c693a8a4d943498556716d3783
    #4 CACHED

    #5 [internal] load build context
    #5 transferring context: 884B 0.0s done
    #5 DONE 0.0s

    #6 [3/3] COPY app.js .
    #6 DONE 0.1s

    #7 exporting to image
    #7 exporting layers done
    #7 writing image sha256:e3b6a0b0d1f2c4a5968778695a4b3c2d1e0f00112233445566778899aabbccdd done
    #7 naming to docker.io/library/hello-name:v2 done
    #7 DONE 0.1s
    ");
}

/// S112: all of the output, its end once more at the end.
#[test]
fn failure_shows_the_output() {
    let recording = failure().warning("`MAINTAINER` is deprecated", Some(3));
    insta::assert_snapshot!(show(Plain::new(true), recording, 310), @"
    #1 [1/3] FROM docker.io/library/node:18
    #1 CACHED

    #2 [2/3] RUN make
    #2 0.050 cc main.c
    #2 0.250 error: no such file
    #2 0.250 make: *** [all] Error 1
    #2 ERROR: exited with status 2
    ------
     > [2/3] RUN make:
    0.050 cc main.c
    0.250 error: no such file
    0.250 make: *** [all] Error 1
    ------
    warning: `MAINTAINER` is deprecated (line 3)
    ");
}

#[test]
fn output_is_passed_on_as_it_is_except_to_a_terminal() {
    let recording = || Recording::default().queue(0, "RUN x").start(0, 0).log(0, "\x1b[31mred\x1b[0m\n", 5);
    assert_eq!(show(Plain::new(false), recording(), 10), "#1 RUN x\n#1 0.005 \x1b[31mred\x1b[0m\n");
    assert_eq!(show(Plain::new(true), recording(), 10), "#1 RUN x\n#1 0.005 red\n");
}

/// Steps at the same time: the second waits until the first has ended.
#[test]
fn parallel_steps_are_not_mixed() {
    let recording = Recording::default()
        .queue(0, "[a 2/2] RUN one")
        .queue(1, "[b 2/2] RUN two")
        .start(0, 0)
        .start(1, 1)
        .log(0, "one 1\none ", 10)
        .log(1, "two 1\n", 20)
        .log(0, "2\n", 30)
        .finish(1, StepOutcome::Done, 40)
        .log(0, "one 3\n", 50)
        .finish(0, StepOutcome::Done, 60);
    insta::assert_snapshot!(show(Plain::new(false), recording, 60), @"
    #1 [a 2/2] RUN one
    #1 0.010 one 1
    #1 0.010 one 2
    #1 0.050 one 3
    #1 DONE 0.1s

    #2 [b 2/2] RUN two
    #2 0.019 two 1
    #2 DONE 0.0s
    ");
}

/// N017: the first keeps the floor however long the others wait, from its first line to its last.
#[test]
fn n017_a_step_is_never_interrupted() {
    let mut recording =
        Recording::default().queue(0, "[a 2/2] RUN busy").queue(1, "[b 2/2] RUN two").queue(2, "[c 2/2] RUN three");
    recording = recording.start(0, 0).start(1, 1).start(2, 1);
    for second in 1..=3 {
        recording = recording.log(0, &format!("busy {second}\n"), second * 9000).log(1, "two\n", second * 9000 + 1);
        recording = recording.log(2, "three\n", second * 9000 + 2);
    }
    // What is over comes first then, whole; the other one goes on as it is.
    recording = recording
        .finish(2, StepOutcome::Done, 29_000)
        .finish(0, StepOutcome::Done, 30_000)
        .log(1, "two at the end\n", 31_000)
        .finish(1, StepOutcome::Done, 32_000);
    insta::assert_snapshot!(show(Plain::new(false), recording, 32_000), @"
    #1 [a 2/2] RUN busy
    #1 ...

    #2 [b 2/2] RUN two
    #2 ...

    #3 [c 2/2] RUN three
    #3 9.001 three
    #3 18.001 three
    #3 27.001 three
    #3 DONE 29.0s

    #1 [a 2/2] RUN busy
    #1 9.000 busy 1
    #1 18.000 busy 2
    #1 27.000 busy 3
    #1 DONE 30.0s

    #2 [b 2/2] RUN two
    #2 9.000 two
    #2 18.000 two
    #2 27.000 two
    #2 30.999 two at the end
    #2 DONE 32.0s
    ");
}

/// Only one that has said nothing yet lets others in, after a second.
#[test]
fn n017_a_silent_step_lets_others_in() {
    let silent = Recording::default()
        .queue(0, "[a 2/2] RUN sleep")
        .queue(1, "[b 2/2] RUN two")
        .start(0, 0)
        .start(1, 1)
        .log(1, "two 1\n", 2)
        .log(1, "two 2\n", 1100)
        .log(0, "awake\n", 1150)
        .finish(1, StepOutcome::Done, 1200)
        .finish(0, StepOutcome::Done, 3000);
    insta::assert_snapshot!(show(Plain::new(false), silent, 3000), @"
    #1 [a 2/2] RUN sleep
    #1 ...

    #2 [b 2/2] RUN two
    #2 0.001 two 1
    #2 1.099 two 2
    #2 DONE 1.2s

    #1 [a 2/2] RUN sleep
    #1 1.150 awake
    #1 DONE 3.0s
    ");
}

/// N016, N017: a step that waits for the floor is not kept in memory, and is whole all the same.
#[test]
fn n017_what_waits_is_read_again() {
    for is_kept in [true, false] {
        let mut recording = Recording::default().queue(0, "[a 2/2] RUN one").queue(1, "[b 2/2] RUN two");
        recording = recording.start(0, 0).start(1, 0).log(0, "one\n", 1);
        let text = |line: u64| format!("{line} {}\n", "x".repeat(1000));
        let lines = 1000;
        if is_kept {
            recording = recording.kept(1, (0..lines).map(text).collect::<String>() + "open");
        }
        for line in 0..lines {
            recording = recording.log(1, &text(line), 10 * line);
        }
        recording = recording.log(1, "open", 10_000).status(1, "a status", true, 10_000);
        let waiting = waiting(Plain::new(false), &recording);
        assert!(waiting < 300 << 10, "{waiting} bytes wait");
        recording = recording.finish(1, StepOutcome::Done, 10_001).finish(0, StepOutcome::Done, 10_002);
        let shown = show(Plain::new(false), recording, 10_002);
        let (_, own) = shown.split_once("\n\n#2 [b 2/2] RUN two\n").unwrap();
        let mut shown = own.lines();
        if is_kept {
            for (line, shown) in (0..lines).zip(&mut shown) {
                let (head, rest) = shown.split_once(" x").unwrap();
                assert_eq!((head, rest.len()), (&*format!("#2 {:.3} {line}", line as f64 / 100.0), 999));
            }
            assert_eq!(shown.collect::<Vec<_>>(), ["#2 10.000 open", "#2 a status done", "#2 DONE 10.0s"]);
        } else {
            let rest: Vec<&str> = shown.skip_while(|line| line.contains(" xx")).collect();
            assert!(rest[0].starts_with("#2 [7") && rest[0].ends_with(" lines that could not be kept]"), "{rest:?}");
            assert_eq!(rest[1..], ["#2 a status done", "#2 DONE 10.0s"]);
        }
    }
}

/// How much the view holds of what it has not written after these events.
fn waiting(mut view: Plain, recording: &Recording) -> usize {
    let mut out = Vec::new();
    recording.events.iter().cloned().for_each(|event| crate::progress::View::event(&mut view, event, &mut out));
    view.speakers.iter().map(super::Speaker::size).sum()
}

/// A status that lasts is shown before it is done; a short one only once.
#[test]
fn lasting_status_is_announced() {
    let recording = Recording::default()
        .queue(0, "exporting to image")
        .start(0, 0)
        .status(0, "exporting layers", false, 1)
        .status(0, "writing image sha256:aa", false, 300)
        .status(0, "writing image sha256:aa", true, 301)
        .status(0, "exporting layers", true, 900)
        .finish(0, StepOutcome::Done, 901);
    insta::assert_snapshot!(show(Plain::new(false), recording, 901), @"
    #1 exporting to image
    #1 exporting layers 0.3s
    #1 writing image sha256:aa done
    #1 exporting layers 0.9s done
    #1 DONE 0.9s
    ");
}

/// N001, N002: reasons stand with their steps, what is not needed at the end.
#[test]
fn n001_n002_reasons_stand_with_their_steps() {
    insta::assert_snapshot!(show(Plain::new(false), explained(), 5), @"
    #1 [2/4] WORKDIR /app
    #1 made 2026-11-21T04:20:17Z
    #1 CACHED

    #2 [3/4] COPY app.js .
    #2 not cached: mode changed: new is `600`
    #2 not cached: a file changed: app.js
    #2 DONE 0.0s

    #3 [4/4] RUN make
    #3 not cached: the layers below changed
    #3 DONE 0.0s

    NOT NEEDED [test] 3 instructions
    NOT NEEDED [stage-3] 1 instruction
    ");
}

/// D178: as Docker shows them, below everything else.
#[test]
fn d178_findings_of_checks_come_together_at_the_end() {
    let one = Recording::default().check("JSONArgsRecommended", "JSON arguments recommended", 3);
    insta::assert_snapshot!(show(Plain::new(true), one, 0), @"

     1 warning found (use `onggi build --check` to expand):
     - JSONArgsRecommended: JSON arguments recommended (line 3)
    ");
    let several = Recording::default()
        .done(0, 0, 100)
        .warning("build argument `A` was given, but no ARG takes it", None)
        .check("UndefinedVar", "Usage of undefined variable '$\u{1b}[31mx'", 2)
        .check("MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label", 7);
    insta::assert_snapshot!(show(Plain::new(true), several, 100), @"
    #1 step 1
    #1 DONE 0.1s
    warning: build argument `A` was given, but no ARG takes it

     2 warnings found (use `onggi build --check` to expand):
     - UndefinedVar: Usage of undefined variable '$\\x1b[31mx' (line 2)
     - MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 7)
    ");
}
