//! `onggi`: the command line. Only it reads the environment, prints and exits; what the commands do is in `engine`.

mod cli;
mod progress;
mod render;
mod template;
mod ui;

fn main() {}
