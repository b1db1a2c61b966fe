//! Which commit a name stands for, by what `git ls-remote` lists.

/// A ref's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The whole digest.
    pub commit: String,
    /// Full name of the ref.
    pub reference: Option<String>,
}

pub(super) fn is_digest(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Lines of `ls-remote`: digest, tab, name.
fn lines(listed: &str) -> impl Iterator<Item = (&str, &str)> {
    listed.lines().filter_map(|line| line.split_once('\t')).filter(|(digest, _)| is_digest(digest))
}

pub(super) fn default_branch(listed: &str) -> Option<Resolved> {
    let target = listed.lines().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD"));
    let (commit, _) = lines(listed).find(|(_, name)| *name == "HEAD")?;
    Some(Resolved { commit: commit.to_owned(), reference: target.map(str::to_owned) })
}

/// The ref that a name stands for, of those whose names end like it: as a whole, a branch, a tag. An annotated tag stands for its
/// commit.
pub(super) fn choose(listed: &str, name: &str) -> Option<Resolved> {
    let names = [name.to_owned(), format!("refs/{name}"), format!("refs/heads/{name}"), format!("refs/tags/{name}")];
    names.iter().filter(|name| name.starts_with("refs/")).find_map(|full| {
        let peeled = format!("{full}^{{}}");
        let of = |wanted: &str| lines(listed).find(|(_, name)| *name == wanted).map(|(digest, _)| digest.to_owned());
        let commit = of(&peeled).or_else(|| of(full))?;
        Some(Resolved { commit, reference: Some(full.clone()) })
    })
}

#[cfg(test)]
mod tests {
    use super::{choose, default_branch};

    fn digest(letter: char) -> String {
        letter.to_string().repeat(40)
    }

    #[test]
    fn d155_a_name_is_a_branch_before_it_is_a_tag() {
        let (a, b, c, d) = (digest('a'), digest('b'), digest('c'), digest('d'));
        let listed = format!(
            "{a}\trefs/heads/deep/v1\n{b}\trefs/tags/v1\n{c}\trefs/tags/v1^{{}}\n{d}\trefs/pull/7/head\nnoise\nx\ty\n"
        );
        let found = |name: &str| choose(&listed, name).map(|found| (found.commit, found.reference.unwrap()));
        assert_eq!(found("v1"), Some((c.clone(), "refs/tags/v1".to_owned())), "not a branch that only ends so");
        assert_eq!(found("deep/v1"), Some((a, "refs/heads/deep/v1".to_owned())));
        assert_eq!(found("refs/tags/v1").unwrap().0, c);
        assert_eq!(found("pull/7/head").unwrap().1, "refs/pull/7/head");
        assert_eq!(found("nope"), None);
        let both = format!("{b}\trefs/heads/x\n{d}\trefs/tags/x\n");
        assert_eq!(choose(&both, "x").unwrap().commit, b);
    }

    #[test]
    fn d155_the_default_branch() {
        let a = digest('a');
        let found = default_branch(&format!("ref: refs/heads/trunk\tHEAD\n{a}\tHEAD\n")).unwrap();
        assert_eq!((found.commit, found.reference.as_deref()), (a, Some("refs/heads/trunk")));
        assert_eq!(default_branch(""), None);
    }
}
