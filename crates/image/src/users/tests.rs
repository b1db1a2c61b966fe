use super::*;

const PASSWD_TEXT: &str =
    "root:x:0:0:root:/root:/bin/sh\nbroken\nnode:x:1000:1000::/home/node:/bin/sh\n4294967296:x:0:0::/:\n";
const GROUPS_TEXT: &str = "root:x:0:\nnode:x:1000:\naudio:x:29:node,other\nvideo:x:44:node\n";

fn user(text: &str) -> Result<Result<User, u32>, String> {
    find_user(PASSWD_TEXT, text).map_err(|error| error.to_string())
}

#[test]
fn names_and_numbers() {
    let node = User { uid: 1000, gid: 1000, additional_gids: vec![], home: Some("/home/node".into()) };
    assert_eq!(user("node"), Ok(Ok(node.clone())));
    assert_eq!(user("1000"), Ok(Ok(node.clone())));
    assert_eq!(user("77"), Ok(Err(77)));
    assert_eq!(memberships(PASSWD_TEXT, GROUPS_TEXT, &node), [29, 44]);
    assert_eq!(find_group(GROUPS_TEXT, "audio").unwrap(), 29);
    assert_eq!(find_group(GROUPS_TEXT, "7").unwrap(), 7);
}

#[test]
fn d079_a_group_alone_goes_with_root() {
    let none = Tree::default();
    assert_eq!(resolve_owner(&none, ":5").unwrap(), (0, 5));
    assert_eq!(resolve_owner(&none, ":root").unwrap(), (0, 0));
    assert!(resolve_owner(&none, ":nobody").is_err());
}

#[test]
fn strange_numbers_are_refused() {
    for text in ["4294967296", "4294967295", "-1", "+0"] {
        assert!(user(text).unwrap_err().contains("not a valid user"), "{text}");
    }
    assert!(user("0x0").unwrap_err().contains("unable to find user 0x0: no matching entries in /etc/passwd"));
    assert!(find_group(GROUPS_TEXT, "nobody").unwrap_err().to_string().contains("unable to find group nobody"));
}
