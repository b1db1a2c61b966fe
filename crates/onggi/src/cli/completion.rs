//! `completion`: scripts for shells, and what they call.

use clap::{Args, ValueEnum};

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Print the script that completes commands in a shell
#[derive(Debug, Args)]
#[command(after_help = "bash: onggi completion bash > /etc/bash_completion.d/onggi\n\
                        zsh:  onggi completion zsh > \"${fpath[1]}/_onggi\"\n\
                        fish: onggi completion fish > ~/.config/fish/completions/onggi.fish")]
pub(crate) struct CompletionArgs {
    /// Which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Say what could be typed next
#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    /// The words behind the program's name, the last as far as it is typed
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}
