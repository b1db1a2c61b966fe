//! Variables that look like secrets.

use crate::instruction::InstructionKind;

use super::quote::quoted;
use super::{Findings, LintRule, View};

pub(super) const RULE: LintRule = LintRule {
    name: "SecretsUsedInArgOrEnv",
    description: "Sensitive data should not be used in the ARG or ENV commands",
    page: "secrets-used-in-arg-or-env",
    is_experimental: false,
    why: "Values of ENV stay in the image's config, and those of ARG in its history: whoever has the image can \
     read them. A secret reaches a RUN by `--mount=type=secret,id=…`, and is left in no layer. The names are \
     what is looked at: `apikey`, `auth`, `credential(s)`, `key`, `password`, `pword`, `passwd`, `secret` and \
     `token` as a part between underscores; with `public`, `file` or `version` beside it a name is taken as \
     harmless.",
    bad: "FROM scratch\nARG AWS_SECRET_ACCESS_KEY\n",
    good: "FROM scratch\nRUN --mount=type=secret,id=aws,env=AWS_SECRET_ACCESS_KEY [\"/upload\"]\n",
    needs_values: false,
    check,
};

/// Parts of a name that are taken for those of a secret.
const SECRET: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

/// And parts that make it harmless.
const HARMLESS: [&str; 3] = ["public", "file", "version"];

fn check(view: &View<'_>, findings: &mut Findings) {
    for step in view.steps() {
        let (instruction, names): (_, Vec<&str>) = match &step.instruction.kind {
            InstructionKind::Arg(list) => ("ARG", list.iter().map(|one| one.name.text.as_str()).collect()),
            InstructionKind::Env(_) => ("ENV", step.values.iter().map(String::as_str).collect()),
            _ => continue,
        };
        for name in names.into_iter().filter(|name| has_part(name, &SECRET) && !has_part(name, &HARMLESS)) {
            let message =
                format!("Do not use ARG or ENV instructions for sensitive data ({instruction} {})", quoted(name));
            let id = name.to_ascii_lowercase();
            let help = format!("give it to the RUN that needs it: `RUN --mount=type=secret,id={id},env={name} …`");
            findings.add(step.instruction, message, help);
        }
    }
}

fn has_part(name: &str, parts: &[&str]) -> bool {
    name.split('_').any(|part| parts.iter().any(|known| part.eq_ignore_ascii_case(known)))
}
