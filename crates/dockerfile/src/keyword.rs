//! The instructions' names and what is true of each as a whole: its flags, whether variables are put into it.

/// Names of the instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Keyword {
    Add,
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
}

/// How variables are put into an instruction's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expansion {
    /// Not at all: the shell of the container does it, or nobody.
    None,
    /// In the values of flags only: RUN expands `--mount` options (but not `from`).
    Flags,
    /// Every word stays one word ([`crate::Expander::expand`]).
    Word,
    /// A value may become several words ([`crate::Expander::expand_words`]).
    Words,
}

/// What values a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlagKind {
    /// `--link`, `--link=true`, `--link=false`
    Switch,
    /// `--from=value`, once
    Value,
    /// `--mount=value`, any number
    Values,
}

impl Keyword {
    /// All instructions, in alphabetical order.
    pub const ALL: [Keyword; 18] = [
        Keyword::Add,
        Keyword::Arg,
        Keyword::Cmd,
        Keyword::Copy,
        Keyword::Entrypoint,
        Keyword::Env,
        Keyword::Expose,
        Keyword::From,
        Keyword::Healthcheck,
        Keyword::Label,
        Keyword::Maintainer,
        Keyword::OnBuild,
        Keyword::Run,
        Keyword::Shell,
        Keyword::StopSignal,
        Keyword::User,
        Keyword::Volume,
        Keyword::Workdir,
    ];

    /// The name in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Keyword::Add => "ADD",
            Keyword::Arg => "ARG",
            Keyword::Cmd => "CMD",
            Keyword::Copy => "COPY",
            Keyword::Entrypoint => "ENTRYPOINT",
            Keyword::Env => "ENV",
            Keyword::Expose => "EXPOSE",
            Keyword::From => "FROM",
            Keyword::Healthcheck => "HEALTHCHECK",
            Keyword::Label => "LABEL",
            Keyword::Maintainer => "MAINTAINER",
            Keyword::OnBuild => "ONBUILD",
            Keyword::Run => "RUN",
            Keyword::Shell => "SHELL",
            Keyword::StopSignal => "STOPSIGNAL",
            Keyword::User => "USER",
            Keyword::Volume => "VOLUME",
            Keyword::Workdir => "WORKDIR",
        }
    }

    /// Finds an instruction by name, upper or lower case.
    pub fn lookup(name: &str) -> Option<Keyword> {
        Keyword::ALL.into_iter().find(|keyword| keyword.as_str().eq_ignore_ascii_case(name))
    }

    /// Which words of the instruction are expanded (Dockerfile reference, "Environment replacement"). ONBUILD's
    /// trigger is expanded by the build that it triggers, so not when it is read.
    pub const fn expansion(self) -> Expansion {
        match self {
            Keyword::Add
            | Keyword::Arg
            | Keyword::Copy
            | Keyword::Env
            | Keyword::From
            | Keyword::Label
            | Keyword::StopSignal
            | Keyword::User
            | Keyword::Volume
            | Keyword::Workdir => Expansion::Word,
            Keyword::Expose => Expansion::Words,
            Keyword::Run => Expansion::Flags,
            Keyword::Cmd
            | Keyword::Entrypoint
            | Keyword::Healthcheck
            | Keyword::Maintainer
            | Keyword::OnBuild
            | Keyword::Shell => Expansion::None,
        }
    }

    /// Whether here-documents may follow.
    pub(crate) const fn takes_heredocs(self) -> bool {
        matches!(self, Keyword::Add | Keyword::Copy | Keyword::Run)
    }

    /// Names of the flags that the instruction has.
    pub(crate) const fn flags(self) -> &'static [(&'static str, FlagKind)] {
        use FlagKind::{Switch, Value, Values};
        match self {
            Keyword::Add => &[
                ("checksum", Value),
                ("chmod", Value),
                ("chown", Value),
                ("exclude", Values),
                ("keep-git-dir", Switch),
                ("link", Switch),
                ("unpack", Switch),
            ],
            Keyword::Copy => &[
                ("chmod", Value),
                ("chown", Value),
                ("exclude", Values),
                ("from", Value),
                ("link", Switch),
                ("parents", Switch),
            ],
            Keyword::From => &[("platform", Value)],
            Keyword::Healthcheck => &[
                ("interval", Value),
                ("retries", Value),
                ("start-interval", Value),
                ("start-period", Value),
                ("timeout", Value),
            ],
            Keyword::Run => &[("device", Values), ("mount", Values), ("network", Value), ("security", Value)],
            _ => &[],
        }
    }
}
