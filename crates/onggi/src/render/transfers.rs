//! What `pull` and `push` print: a line for each layer, redrawn in place on a terminal, line after line elsewhere.

use engine::{LayerState, PullProgress, PushProgress, SentState};

use crate::ui::printable::printable;
use crate::ui::size::{CONTEXT_DIGITS, human_size};
use crate::ui::terminal::Terminal;
use crate::ui::width::clip;

/// Longest bar, as Docker's.
const BAR: usize = 50;
/// What stands beside a bar: digits, word and sizes.
const BESIDE_BAR: usize = 14 + 12 + 24;

/// The layers of one image after the other.
#[derive(Debug)]
pub(crate) struct TransferView {
    terminal: Terminal,
    layers: Vec<Line>,
    /// Lines of the last frame, which the cursor stands below.
    drawn: usize,
}

#[derive(Debug)]
struct Line {
    id: String,
    word: String,
    /// Bytes that are done, and bytes in all.
    progress: Option<(u64, u64)>,
}

/// What an event has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// This is to be written at once.
    Text(String),
    /// A frame is due at some time.
    Soon,
}

impl TransferView {
    /// A view without layers.
    pub(crate) fn new(terminal: Terminal) -> Self {
        Self { terminal, layers: Vec::new(), drawn: 0 }
    }

    /// Shows an event of `pull`.
    pub(crate) fn pull(&mut self, event: PullProgress) -> Shown {
        match event {
            PullProgress::DefaultTag(tag) => self.text(&format!("Using default tag: {tag}")),
            PullProgress::Begun { what, repository } => self.text(&format!("{what}: Pulling from {repository}")),
            PullProgress::Layers(layers) => self.begin(layers.iter().map(|layer| layer.short()).collect()),
            PullProgress::Layer { number, state } => {
                let (word, progress) = pull_state(state);
                self.layer(number, word.to_owned(), progress)
            }
            PullProgress::Pulled { digest } => self.text(&format!("Digest: {digest}")),
        }
    }

    /// Shows an event of `push`.
    pub(crate) fn push(&mut self, event: PushProgress) -> Shown {
        match event {
            PushProgress::DefaultTag(tag) => self.text(&format!("Using default tag: {tag}")),
            PushProgress::Repository(name) => self.text(&format!("The push refers to repository [{name}]")),
            // The uppermost first, as Docker shows them.
            PushProgress::Layers(layers) => self.begin(layers.iter().rev().map(|layer| layer.0.short()).collect()),
            PushProgress::Layer { number, state } => {
                let (word, progress) = push_state(state);
                let row = self.layers.len().saturating_sub(1 + number);
                self.layer(row, word, progress)
            }
            PushProgress::Pushed { tag, digest, size } => self.text(&format!("{tag}: digest: {digest} size: {size}")),
        }
    }

    /// The terminal may have another size by now.
    pub(crate) fn measure(&mut self) {
        self.terminal.measure();
    }

    /// The lines of all layers over those of the frame before; nothing where they are not redrawn.
    pub(crate) fn frame(&mut self) -> String {
        if !self.terminal.is_terminal || self.layers.is_empty() {
            return String::new();
        }
        self.draw(self.terminal.height.saturating_sub(1))
    }

    /// A frame of at most `room` lines: what has ended goes first when there are more.
    fn draw(&mut self, room: usize) -> String {
        let width = self.terminal.width.saturating_sub(1);
        let surplus = self.layers.len().saturating_sub(room);
        let hidden: Vec<usize> = (0..self.layers.len()).filter(|row| self.layers[*row].progress.is_none()).collect();
        let hidden = &hidden[..surplus.min(hidden.len())];
        let mut text = if self.drawn > 0 { format!("\r\x1b[{}A", self.drawn) } else { String::new() };
        let mut drawn = 0;
        for (_, line) in self.layers.iter().enumerate().filter(|(row, _)| !hidden.contains(row)) {
            if drawn == room || line.word.is_empty() {
                break;
            }
            text.push_str(clip(&line.text(width), width));
            text.push_str("\x1b[K\n");
            drawn += 1;
        }
        text.push_str("\x1b[J");
        self.drawn = drawn;
        text
    }

    /// A line that stays, below the layers; those are shown once more before it.
    fn text(&mut self, text: &str) -> Shown {
        let mut shown = self.end();
        shown.push_str(&printable(text));
        shown.push('\n');
        Shown::Text(shown)
    }

    /// The last frame of the layers, all of them.
    pub(crate) fn end(&mut self) -> String {
        let is_redrawn = self.terminal.is_terminal && !self.layers.is_empty();
        let shown = if is_redrawn { self.draw(usize::MAX) } else { String::new() };
        self.layers.clear();
        self.drawn = 0;
        shown
    }

    fn begin(&mut self, ids: Vec<String>) -> Shown {
        let shown = self.end();
        self.layers = ids.into_iter().map(|id| Line { id, word: String::new(), progress: None }).collect();
        Shown::Text(shown)
    }

    fn layer(&mut self, row: usize, word: String, progress: Option<(u64, u64)>) -> Shown {
        let is_terminal = self.terminal.is_terminal;
        let Some(line) = self.layers.get_mut(row) else { return Shown::Soon };
        let is_same = line.word == word;
        line.word = word;
        line.progress = progress;
        match (is_terminal, is_same || progress.is_some()) {
            (true, true) => Shown::Soon,
            (true, false) => Shown::Text(self.frame()),
            // How far something is means nothing in lines that stay.
            (false, true) => Shown::Text(String::new()),
            (false, false) => Shown::Text(format!("{}: {}\n", line.id, line.word)),
        }
    }
}

impl Line {
    /// `ID: Downloading [==>   ]  1.2MB/3.4MB`, the bar as long as there is room.
    fn text(&self, width: usize) -> String {
        let Some((done, total)) = self.progress else { return format!("{}: {} ", self.id, self.word) };
        let length = BAR.min(width.saturating_sub(BESIDE_BAR));
        let bar = if length < 5 || total == 0 { String::new() } else { bar(done, total, length) };
        let sizes = format!("{:>8}/{}", human_size(done, CONTEXT_DIGITS), human_size(total, CONTEXT_DIGITS));
        format!("{}: {} {bar}{sizes}", self.id, self.word)
    }
}

fn bar(done: u64, total: u64, length: usize) -> String {
    let parts = u128::from(done.min(total)) * length as u128 / u128::from(total.max(1));
    let filled = usize::try_from(parts).unwrap_or(length).min(length);
    format!("[{}>{}] ", "=".repeat(filled), " ".repeat(length - filled))
}

fn pull_state(state: LayerState) -> (&'static str, Option<(u64, u64)>) {
    match state {
        LayerState::AlreadyExists => ("Already exists", None),
        LayerState::Queued => ("Pulling fs layer", None),
        LayerState::Waiting => ("Waiting", None),
        LayerState::Elsewhere => ("Waiting for another process", None),
        LayerState::Downloading { done, total } => ("Downloading", Some((done, total))),
        LayerState::Verifying => ("Verifying Checksum", None),
        LayerState::Downloaded => ("Download complete", None),
        LayerState::Extracting { done, total } => ("Extracting", Some((done, total))),
        LayerState::Complete => ("Pull complete", None),
    }
}

fn push_state(state: SentState) -> (String, Option<(u64, u64)>) {
    match state {
        SentState::Preparing => ("Preparing".to_owned(), None),
        SentState::Waiting => ("Waiting".to_owned(), None),
        SentState::Pushing { done, total } => ("Pushing".to_owned(), Some((done, total))),
        SentState::Pushed => ("Pushed".to_owned(), None),
        SentState::AlreadyExists => ("Layer already exists".to_owned(), None),
        SentState::MountedFrom(name) => (format!("Mounted from {name}"), None),
    }
}

#[cfg(test)]
mod tests;
