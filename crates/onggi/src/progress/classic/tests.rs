use oci::{Digest, ImageId};

use super::Classic;
use crate::progress::View;
use crate::progress::event::InstructionEvent::{
    Begun, Built, Context, Image, NotNeeded, Ran, Running, Tagged, Triggers, UsingCache,
};
use crate::progress::event::Stream;
use crate::progress::tests::{Recording, show};
use crate::ui::terminal::Terminal;

fn classic(is_terminal: bool, has_color: bool) -> Classic {
    Classic::new(Terminal { is_terminal, has_color, width: 80, height: 24 })
}

fn id(text: &str) -> ImageId {
    ImageId(Digest::of(text.as_bytes()))
}

fn begun(number: u32, text: &str) -> super::InstructionEvent {
    Begun { number, total: 8, text: text.to_owned() }
}

fn running(text: &str) -> super::InstructionEvent {
    Running { container: Digest::of(text.as_bytes()).hex(), step: None }
}

/// S120 to S128: word for word as note 4 has it.
#[test]
fn s120_to_s128_a_build_in_dockers_words() {
    let recording = Recording::default()
        .queue(0, "[1/3] FROM docker.io/library/ubuntu:18.04")
        .queue(1, "[2/3] RUN npm install")
        .instruction(Context { size: 3072 })
        .instruction(begun(1, "FROM ubuntu:18.04"))
        .done(0, 0, 1)
        .instruction(Image(Some(id("a"))))
        .instruction(begun(2, "MAINTAINER me"))
        .instruction(UsingCache)
        .instruction(Image(Some(id("b"))))
        .instruction(begun(3, "RUN npm install"))
        .start(1, 2)
        .instruction(running("c"))
        .log(1, "added 1\n\n", 3)
        .log(1, "no line end", 4)
        .instruction(Ran)
        .instruction(Image(Some(id("c"))))
        .instruction(begun(4, "ADD index.html ."))
        .instruction(Image(Some(id("d"))))
        .instruction(begun(5, "FROM other"))
        .instruction(NotNeeded)
        .instruction(begun(6, "FROM scratch"))
        .instruction(Image(None))
        .instruction(begun(7, "FROM base"))
        .instruction(Triggers { count: 1 })
        .instruction(running("e"))
        .instruction(Ran)
        .instruction(Image(Some(id("e"))))
        .instruction(begun(8, "EXPOSE 80"))
        .instruction(running("f"))
        .instruction(Ran)
        .instruction(Image(Some(id("f"))))
        .instruction(Built(id("f")))
        .instruction(Tagged("apache-ubuntu:1".to_owned()))
        .instruction(Tagged("app:latest".to_owned()));
    insta::assert_snapshot!(show(classic(false, false), recording, 9), @"
    Sending build context to Docker daemon  3.072kB
    Step 1/8 : FROM ubuntu:18.04
     ---> ca978112ca1b
    Step 2/8 : MAINTAINER me
     ---> Using cache
     ---> 3e23e8160039
    Step 3/8 : RUN npm install
     ---> Running in 2e7d2c03a950
    added 1

    no line end
    Removing intermediate container 2e7d2c03a950
     ---> 2e7d2c03a950
    Step 4/8 : ADD index.html .
     ---> 18ac3e7343f0
    Step 5/8 : FROM other
     ---> Not needed
    Step 6/8 : FROM scratch
     ---> 
    Step 7/8 : FROM base
    # Executing 1 build trigger
     ---> Running in 3f79bb7b435b
    Removing intermediate container 3f79bb7b435b
     ---> 3f79bb7b435b
    Step 8/8 : EXPOSE 80
     ---> Running in 252f10c83610
    Removing intermediate container 252f10c83610
     ---> 252f10c83610
    Successfully built 252f10c83610
    Successfully tagged apache-ubuntu:1
    Successfully tagged app:latest
    ");
}

#[test]
fn s120_the_size_stands_in_eight_columns() {
    for (size, line) in [
        (3072, "Sending build context to Docker daemon  3.072kB\n"),
        (5120, "Sending build context to Docker daemon   5.12kB\n"),
        (1_918_000, "Sending build context to Docker daemon  1.918MB\n"),
        (512, "Sending build context to Docker daemon     512B\n"),
        (123_456_789, "Sending build context to Docker daemon  123.5MB\n"),
    ] {
        let recording = Recording::default().instruction(Context { size });
        assert_eq!(show(classic(false, false), recording, 0), line);
    }
}

/// S127, and field-notes, section 2, row 29: as it came to a file, harmless on a terminal.
#[test]
fn s127_output_is_inline() {
    let recording = || {
        Recording::default()
            .queue(0, "RUN x")
            .log(0, "\x1b[2Jout\n\n", 1)
            .log_to(0, Stream::Stderr, "err\x1b]0;t\x07\nop", 2)
            .log(0, " 10%\r 20%\n", 3)
            .log_to(0, Stream::Stderr, "en", 4)
    };
    assert_eq!(
        show(classic(false, true), recording(), 5),
        "\x1b[2Jout\n\nerr\x1b]0;t\x07\nop 10%\r 20%\nen\n",
        "a line end is added"
    );
    assert_eq!(show(classic(true, false), recording(), 5), "out\n\nerr\n 20%\nopen\n");
    assert_eq!(show(classic(true, true), recording(), 5), "out\n\n\x1b[91merr\x1b[0m\n 20%\n\x1b[91mopen\x1b[0m\n");
}

#[test]
fn n001_misses_are_told_and_warnings_kept_apart() {
    let recording = Recording::default()
        .queue(0, "[2/2] COPY a /")
        .instruction(begun(2, "COPY a /"))
        .miss(0, "a file changed: a")
        .status(0, "waiting for another build that runs the same step", true, 1)
        .status(0, "transferring context: 2B", true, 1)
        .warning("odd", Some(3));
    let mut view = classic(false, false);
    let mut out = Vec::new();
    recording.events.into_iter().for_each(|event| view.event(event, &mut out));
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "Step 2/8 : COPY a /\n ---> Not cached: a file changed: a\n \
         ---> waiting for another build that runs the same step\n"
    );
    assert_eq!(view.remarks(), "warning: odd (line 3)\n");
}

/// Instructions come from Dockerfiles that a stranger may have written.
#[test]
fn s121_instructions_are_harmless() {
    let recording = Recording::default().instruction(begun(1, "RUN printf '\x1b[2J' \u{202e}x"));
    assert_eq!(show(classic(false, false), recording, 0), "Step 1/8 : RUN printf '\\x1b[2J' \\u{202e}x\n");
}
