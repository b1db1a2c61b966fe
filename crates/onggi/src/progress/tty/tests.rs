use super::Tty;
use crate::progress::View;
use crate::progress::event::StepOutcome;
use crate::progress::tests::{Recording, explained, failure, ms, rebuild, show};
use crate::ui::terminal::Terminal;

fn tty(width: usize, height: usize) -> Tty {
    Tty::new(Terminal { is_terminal: false, has_color: false, width, height }, "onggi:default")
}

/// The last frame, as it stays on the screen.
fn last_frame(view: Tty, recording: Recording, end: u64) -> String {
    let all = show(view, recording, end);
    let frame = all.rsplit("A[+]").next().unwrap_or(&all);
    let frame = match frame.len() == all.len() {
        true => all.clone(),
        false => format!("[+]{frame}"),
    };
    frame.replace("\x1b[K", "").replace("\x1b[J\x1b[?25h", "")
}

/// S100 to S104, S106, S107, S109, S110.
#[test]
fn finished_build_looks_like_buildkits() {
    insta::assert_snapshot!(last_frame(tty(80, 24), rebuild(), 2403), @"
    [+] Building 2.4s (7/7) FINISHED                                  onggi:default
     => [internal] load build definition from Dockerfile                       0.0s
     => => transferring dockerfile: 119B                                       0.0s
     => [internal] load .dockerignore                                          0.0s
     => => transferring context: 2B                                            0.0s
     => [internal] load metadata for docker.io/library/node:18                 2.2s
     => CACHED [1/3] FROM docker.io/library/node:18@sha256:c6ae79e38498325db6  0.0s
     => [internal] load build context                                          0.0s
     => => transferring context: 884B                                          0.0s
     => [3/3] COPY app.js .                                                    0.1s
     => exporting to image                                                     0.1s
     => => exporting layers                                                    0.0s
     => => writing image sha256:e3b6a0b0d1f2c4a5968778695a4b3c2d1e0f001122334  0.0s
     => => naming to docker.io/library/hello-name:v2                           0.0s
    ");
}

/// A build that is over before the first frame is due is printed once, without any control code.
#[test]
fn quick_build_is_shown_once() {
    let recording = Recording::default()
        .queue(0, "[1/2] FROM docker.io/library/node:18")
        .queue(1, "[2/2] WORKDIR /web-ping")
        .finish(0, StepOutcome::Cached, 1)
        .finish(1, StepOutcome::Cached, 1);
    insta::assert_snapshot!(show(tty(60, 24), recording, 3), @"
    [+] Building 0.0s (2/2) FINISHED              onggi:default
     => CACHED [1/2] FROM docker.io/library/node:18        0.0s
     => CACHED [2/2] WORKDIR /web-ping                     0.0s
    ");
}

#[test]
fn nothing_is_drawn_for_no_steps() {
    assert_eq!(show(tty(80, 24), Recording::default(), 3), "");
}

/// S112: the tail of what runs, six lines, and harmless.
#[test]
fn running_step_shows_its_tail() {
    let mut view = tty(60, 24);
    let mut recording =
        Recording::default().queue(0, "[2/2] RUN npm install").queue(1, "exporting to image").start(0, 10);
    for line in 1..=8 {
        recording = recording.log(0, &format!("line {line}\x1b[2J\n"), 20);
    }
    recording = recording.log(0, " 10%\r 55%", 30);
    let mut out = Vec::new();
    for event in recording.events {
        view.event(event, &mut out);
    }
    view.tick(ms(99), &mut out);
    assert!(out.is_empty(), "the first frame is due at 100 ms");
    view.tick(ms(100), &mut out);
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
    [+] Building 0.1s (0/2)                       onggi:default
     => [2/2] RUN npm install                              0.1s
     => => # line 4
     => => # line 5
     => => # line 6
     => => # line 7
     => => # line 8
     => => #  55%
    ");
}

/// Frames replace each other: cursor up by as many lines as were drawn, no clearing before.
#[test]
fn frames_are_drawn_over_each_other() {
    let recording =
        Recording::default().queue(0, "[2/2] RUN sleep 1").start(0, 0).log(0, "a\nb\n", 100).log(0, "c\n", 250);
    let recording = recording.finish(0, StepOutcome::Done, 1200);
    let all = show(tty(40, 24), recording, 1200);
    insta::assert_snapshot!(all.replace('\x1b', "ESC").replace('\r', "CR"), @"
    [+] Building 0.1s (0/1)   onggi:default
     => [2/2] RUN sleep 1              0.1s
    ESC[?25lCRESC[2A[+] Building 0.2s (0/1)   onggi:defaultESC[K
     => [2/2] RUN sleep 1              0.2sESC[K
     => => # aESC[K
     => => # bESC[K
    ESC[JESC[?25hESC[?25lCRESC[4A[+] Building 1.2s (0/1)   onggi:defaultESC[K
     => [2/2] RUN sleep 1              1.2sESC[K
     => => # aESC[K
     => => # bESC[K
     => => # cESC[K
    ESC[JESC[?25hESC[?25lCRESC[5A[+] Building 1.2s (1/1) FINISHED onggi:ESC[K
     => [2/2] RUN sleep 1              1.2sESC[K
    ESC[JESC[?25h
    ");
}

/// S112: the whole output again, and the Dockerfile's line follows as the error's excerpt.
#[test]
fn failure_shows_the_output() {
    insta::assert_snapshot!(last_frame(tty(60, 24), failure().warning("`MAINTAINER` is deprecated", Some(3)), 310), @"
    [+] Building 0.3s (2/3)                       onggi:default
     => CACHED [1/3] FROM docker.io/library/node:18        0.0s
     => ERROR [2/3] RUN make                               0.3s
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
fn a_low_screen_keeps_what_runs() {
    let mut view = tty(50, 8);
    let mut recording = Recording::default();
    for step in 0..10 {
        recording = recording.queue(step, &format!("[{step}/10] COPY {step} .")).start(step, u64::from(step));
        if step != 3 && step != 9 {
            recording = recording.finish(step, StepOutcome::Done, u64::from(step) + 1);
        }
    }
    recording = recording.log(9, "1\n2\n3\n4\n5\n6\n7\n", 50);
    let mut out = Vec::new();
    for event in recording.events {
        view.event(event, &mut out);
    }
    view.tick(ms(200), &mut out);
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
    [+] Building 0.2s (8/10)            onggi:default
     => [3/10] COPY 3 .                          0.2s
     => [8/10] COPY 8 .                          0.0s
     => [9/10] COPY 9 .                          0.2s
     => => # 5
     => => # 6
     => => # 7
    ");
}

/// Field-notes, section 2, row 29: names come from Dockerfiles.
#[test]
fn names_are_harmless_and_cut_to_the_width() {
    let name = "[2/2] RUN printf '\x1b[2J' # \u{202e}gnirts \u{c774}\u{bbf8}\u{c9c0}\u{c774}\u{bbf8}\u{c9c0}\u{c774}\u{bbf8}\u{c9c0}\u{c774}\u{bbf8}\u{c9c0}\u{c774}\u{bbf8}\u{c9c0}";
    let recording = Recording::default().queue(0, name).done(0, 0, 1);
    insta::assert_snapshot!(show(tty(70, 24), recording, 3), @r"
    [+] Building 0.0s (1/1) FINISHED                        onggi:default
     => [2/2] RUN printf '\x1b[2J' # \u{202e}gnirts 이미지이미지이   0.0s
    ");
}

#[test]
fn colors_mark_what_ended() {
    let mut view = tty(50, 24);
    view.terminal.has_color = true;
    let recording = Recording::default()
        .queue(0, "[1/3] FROM a")
        .queue(1, "[2/3] RUN b")
        .queue(2, "[x 1/1] RUN c")
        .done(0, 0, 1)
        .start(1, 1)
        .start(2, 1)
        .finish(1, StepOutcome::Failed("x".to_owned()), 2)
        .finish(2, StepOutcome::Canceled, 2);
    insta::assert_snapshot!(show(view, recording, 3).replace('\x1b', "ESC"), @"
    [+] Building 0.0s (3/3) FINISHED    onggi:default
    ESC[34m => [1/3] FROM a                             0.0sESC[0m
    ESC[31m => ERROR [2/3] RUN b                        0.0sESC[0m
    ESC[33m => CANCELED [x 1/1] RUN c                   0.0sESC[0m
    ");
}

/// S110: whatever size a terminal says it has, no line wraps, which would put the next frame in the wrong place.
#[test]
fn s110_odd_sizes_are_survived() {
    for size in 1..60 {
        let mut view = tty(size, 30);
        let mut out = Vec::new();
        let wide = "\u{c774}\u{bbf8}\u{c9c0} \x1b[2J".repeat(20) + "\n";
        let recording = Recording::default()
            .queue(0, &format!("[2/2] RUN {wide}"))
            .start(0, 1)
            .log(0, &wide, 2)
            .status(0, &wide, false, 3)
            .queue(1, "[internal] load build context");
        recording.events.into_iter().for_each(|event| view.event(event, &mut out));
        view.tick(ms(100), &mut out);
        view.tick(ms(200), &mut out);
        let text = String::from_utf8(out).unwrap();
        for sequence in ["\x1b[K", "\x1b[J", "\x1b[?25l", "\x1b[?25h", "\r"] {
            assert!(text.contains(sequence), "{sequence:?}");
        }
        let plain =
            text.replace("\x1b[K", "").replace("\x1b[J", "").replace("\x1b[?25h", "").replace("\x1b[?25l\r", "");
        for line in plain.lines().map(|line| line.rsplit("\x1b[").next().unwrap_or(line)) {
            let line = line.split_once('A').filter(|(up, _)| up.parse::<u32>().is_ok()).map_or(line, |(_, rest)| rest);
            assert!(crate::ui::width::columns(line) < size.max(1), "{size}: {line:?}");
        }
        for recording in [rebuild(), failure()] {
            assert!(!show(tty(size, 60 - size), recording, 3000).is_empty());
        }
    }
}

#[test]
fn d178_findings_of_checks_come_together_at_the_end() {
    let recording = Recording::default().queue(0, "exporting to image").done(0, 0, 100).check(
        "UndefinedVar",
        "Usage of undefined variable '$x'",
        2,
    );
    insta::assert_snapshot!(last_frame(tty(60, 24), recording, 100), @"
    [+] Building 0.1s (1/1) FINISHED              onggi:default
     => exporting to image                                 0.1s

     1 warning found (use `onggi build --check` to expand):
     - UndefinedVar: Usage of undefined variable '$x' (line 2)
    ");
}

/// N001, N002: in full below the last frame, where nothing is cut.
#[test]
fn n001_n002_reasons_stand_below() {
    insta::assert_snapshot!(show(tty(50, 24), explained(), 5), @"
    [+] Building 0.0s (3/3) FINISHED    onggi:default
     => CACHED [2/4] WORKDIR /app                0.0s
     => [3/4] COPY app.js .                      0.0s
     => [4/4] RUN make                           0.0s

    CACHED [2/4] WORKDIR /app
      made 2026-11-21T04:20:17Z
    [3/4] COPY app.js .
      not cached: mode changed: new is `600`
      not cached: a file changed: app.js
    [4/4] RUN make
      not cached: the layers below changed

    NOT NEEDED [test] 3 instructions
    NOT NEEDED [stage-3] 1 instruction
    ");
}
