use oci::{DiffId, Digest};

use super::*;

fn terminal(is_terminal: bool, width: usize, height: usize) -> Terminal {
    Terminal { is_terminal, has_color: false, width, height }
}

fn digests(count: u8) -> Vec<Digest> {
    (0..count).map(|number| Digest::of(&[number])).collect()
}

fn layer(number: usize, state: LayerState) -> PullProgress {
    PullProgress::Layer { number, state }
}

fn all(view: &mut TransferView, events: Vec<PullProgress>) -> String {
    let shown = events.into_iter().map(|event| match view.pull(event) {
        Shown::Text(text) => text,
        Shown::Soon => String::new(),
    });
    shown.collect()
}

#[test]
fn s021_s022_s023_lines_that_stay() {
    let mut view = TransferView::new(terminal(false, 80, 24));
    let shown = all(
        &mut view,
        vec![
            PullProgress::DefaultTag("latest".to_owned()),
            PullProgress::Begun { what: "latest".to_owned(), repository: "diamol/ch03-web-ping".to_owned() },
            PullProgress::Layers(digests(2)),
            layer(0, LayerState::AlreadyExists),
            layer(1, LayerState::Queued),
            layer(1, LayerState::Downloading { done: 1, total: 2 }),
            layer(1, LayerState::Downloading { done: 2, total: 2 }),
            layer(1, LayerState::Verifying),
            layer(1, LayerState::Downloaded),
            layer(1, LayerState::Extracting { done: 1, total: 2 }),
            layer(1, LayerState::Complete),
            PullProgress::Pulled { digest: Digest::of(b"manifest") },
        ],
    );
    let expected = "\
Using default tag: latest
latest: Pulling from diamol/ch03-web-ping
6e340b9cffb3: Already exists
4bf5122f3445: Pulling fs layer
4bf5122f3445: Verifying Checksum
4bf5122f3445: Download complete
4bf5122f3445: Pull complete
Digest: sha256:"
        .to_owned();
    assert!(shown.starts_with(&expected), "{shown}");
}

#[test]
fn s264_the_uppermost_layer_is_shown_first() {
    let mut view = TransferView::new(terminal(false, 80, 24));
    let mut shown = String::new();
    let layers = digests(2).into_iter().map(DiffId).collect();
    let states = [SentState::Preparing, SentState::MountedFrom("team/app".to_owned())];
    let events = [PushProgress::Repository("docker.io/team/x".to_owned()), PushProgress::Layers(layers)];
    for event in events.into_iter().chain(states.map(|state| PushProgress::Layer { number: 1, state })) {
        if let Shown::Text(text) = view.push(event) {
            shown.push_str(&text);
        }
    }
    let expected = "\
The push refers to repository [docker.io/team/x]
4bf5122f3445: Preparing
4bf5122f3445: Mounted from team/app
";
    assert_eq!(shown, expected);
    assert_eq!(view.layers[0].id, "4bf5122f3445");
}

#[test]
fn s023_a_terminal_is_redrawn_in_place() {
    let mut view = TransferView::new(terminal(true, 80, 24));
    all(&mut view, vec![PullProgress::Layers(digests(2))]);
    all(&mut view, vec![layer(0, LayerState::Queued), layer(1, LayerState::Queued)]);
    let moved = layer(0, LayerState::Downloading { done: 1_200_000, total: 3_400_000 });
    assert_eq!(view.pull(moved), Shown::Soon);
    let frame = view.draw(24);
    let expected = "\r\u{1b}[2A\
6e340b9cffb3: Downloading [==========>                   ]    1.2MB/3.4MB\u{1b}[K
4bf5122f3445: Pulling fs layer \u{1b}[K
\u{1b}[J";
    assert_eq!(frame, expected);
    // What stays goes below the last frame.
    let Shown::Text(text) = view.pull(PullProgress::Pulled { digest: Digest::of(b"") }) else { panic!("no text") };
    assert!(text.starts_with("\r\u{1b}[2A6e340b9cffb3: Downloading"), "{text:?}");
    assert!(text.contains("\u{1b}[JDigest: sha256:"), "{text:?}");
}

#[test]
fn more_layers_than_the_screen_has_lines() {
    let mut view = TransferView::new(terminal(true, 40, 5));
    all(&mut view, vec![PullProgress::Layers(digests(9))]);
    (0..9).for_each(|number| drop(view.pull(layer(number, LayerState::Queued))));
    view.pull(layer(8, LayerState::Downloading { done: 1, total: 2 }));
    let frame = view.draw(4);
    assert_eq!(frame.matches('\n').count(), 4);
    assert!(
        frame.contains("Downloading       1B/2B"),
        "what moves is seen, without a bar where there is no room: {frame}"
    );
    let last = view.end();
    assert_eq!(last.matches('\n').count(), 9);
    assert!(frame.lines().chain(last.lines()).all(|line| line.len() < 60), "no line wraps");
}

#[test]
fn what_a_registry_says_does_nothing_to_a_terminal() {
    let mut view = TransferView::new(terminal(false, 80, 24));
    let what = "v1\u{1b}]52;c;x\u{7}".to_owned();
    let shown = all(&mut view, vec![PullProgress::Begun { what, repository: "a\nb".to_owned() }]);
    assert!(!shown.contains('\u{1b}') && shown.lines().count() == 1, "{shown:?}");
}
