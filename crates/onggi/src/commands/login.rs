//! `login` and `logout`, in the words of docker 28.

use std::io::{IsTerminal, Read};

use engine::registries::{self, Credential, LoginServer, SecretText, Stored};

use crate::cli::login::{LoginArgs, LogoutArgs};
use crate::failure::Failure;
use crate::render::problem::Problem;
use crate::session::{self, Session, variable};
use crate::ui::printable::printable;
use crate::ui::prompt;

/// More than any token.
const LONGEST_PASSWORD: u64 = 1 << 20;

pub(super) fn run(args: &LoginArgs, session: &Session) -> Result<u8, Failure> {
    let settings = session.registry_settings();
    check(args)?;
    if args.password.is_some() {
        session.note("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    }
    let typed = match (&args.password, args.password_stdin) {
        (Some(password), _) => Some(password.clone()),
        (None, true) => Some(password_from_stdin()?),
        (None, false) => None,
    };
    let server = LoginServer::find(&settings, session::fetch_surroundings(&variable), args.server.as_deref())?;
    let known = known_user(server.known());
    if args.username.is_none() && typed.is_none() && !matches!(server.known(), Credential::Anonymous) {
        let named = known.as_deref().map(|user| format!(" [Username: {}]", printable(user))).unwrap_or_default();
        session.note(&format!("Authenticating with existing credentials...{named}"));
        match server.check_known() {
            Ok(()) => return succeeded(session),
            Err(error) if !std::io::stdin().is_terminal() => {
                let name = server.name();
                return Err(Failure::from(
                    error.with_further_hint(format!("log in anew: `onggi login -u NAME {name}`")),
                ));
            }
            Err(error) => {
                let causes = error.causes.iter().map(|cause| format!(": {}", printable(cause)));
                session.note(&format!("Login did not succeed, error: {}{}", error.message, causes.collect::<String>()));
            }
        }
    }
    let (user, password) = match (args.username.clone(), typed) {
        (Some(user), Some(password)) => (user, password),
        (user, password) => ask(user, password, known.as_deref(), &server, session)?,
    };
    match server.log_in(&settings, &user, SecretText::new(password))? {
        Stored::Plain(path) => session.note(&format!(
            "\nWARNING! Your credentials are stored unencrypted in '{}'.\n\
             Configure a credential helper to remove this warning. See\n\
             https://docs.docker.com/go/credential-store/\n",
            path.display()
        )),
        Stored::Unchanged(_) | Stored::Helper(_) => {}
    }
    succeeded(session)
}

pub(super) fn logout(args: &LogoutArgs, session: &Session) -> Result<u8, Failure> {
    let (name, erased) = registries::log_out(&session.registry_settings(), args.server.as_deref())?;
    let shown = if name == "docker.io" { "https://index.docker.io/v1/".to_owned() } else { name };
    if let Some(failure) = erased.failure {
        let problem = Problem::error(format!("cannot forget the credentials for {shown}"));
        return Err(Failure::new(Problem { causes: vec![failure], ..problem }));
    }
    session.print(&match erased.was_known {
        true => format!("Removing login credentials for {shown}\n"),
        false => format!("Not logged in to {shown}\n"),
    })?;
    Ok(0)
}

fn succeeded(session: &Session) -> Result<u8, Failure> {
    session.print("Login Succeeded\n")?;
    Ok(0)
}

/// What makes no sense together.
fn check(args: &LoginArgs) -> Result<(), Failure> {
    if args.password.is_some() && args.password_stdin {
        return Err(Failure::new(Problem::error(
            "conflicting options: cannot specify both --password and --password-stdin",
        )));
    }
    if args.password_stdin && args.username.as_deref().unwrap_or_default().is_empty() {
        let server = args.server.as_deref().map(|server| format!(" {server}")).unwrap_or_default();
        let problem = Problem::error("the --password-stdin option requires --username to be set");
        return Err(Failure::new(
            problem.with_hint(format!("write `onggi login --username NAME --password-stdin{server}`")),
        ));
    }
    Ok(())
}

fn known_user(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Password { user, .. } => Some(user.clone()),
        _ => None,
    }
}

/// All of standard input, without the line's end (S260).
fn password_from_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let wrong = |text: &str, causes| Failure::new(Problem { causes, ..Problem::error(text) });
    std::io::stdin()
        .lock()
        .take(LONGEST_PASSWORD)
        .read_to_end(&mut bytes)
        .map_err(|error| wrong("cannot read the password from standard input", vec![error.to_string()]))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("the password is not UTF-8", Vec::new()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text {
        "" => Err(wrong("the password from standard input is empty", Vec::new())),
        text => Ok(text.to_owned()),
    }
}

/// Asks for what is missing.
fn ask(
    user: Option<String>,
    password: Option<String>,
    known: Option<&str>,
    server: &LoginServer,
    session: &Session,
) -> Result<(String, String), Failure> {
    if !std::io::stdin().is_terminal() {
        let problem = Problem::error("cannot perform an interactive login from a non TTY device");
        let name = if server.is_hub() { String::new() } else { format!(" {}", server.name()) };
        let way = format!("give both: `echo \"$TOKEN\" | onggi login --username NAME --password-stdin{name}`");
        return Err(Failure::new(problem.with_hint(way)));
    }
    let failed = |error: std::io::Error| {
        Failure::new(Problem { causes: vec![error.to_string()], ..Problem::error("cannot ask on the terminal") })
    };
    let needed = |what: &str| Failure::new(Problem::error(format!("{what} required")));
    let user = match user.filter(|user| !user.is_empty()) {
        Some(user) => user,
        None => {
            if server.is_hub() {
                session.note(
                    "Log in with your Docker ID to push and pull images from Docker Hub. If you have none, make one at https://hub.docker.com/.",
                );
            }
            let text = known.map_or("Username: ".to_owned(), |user| format!("Username ({}): ", printable(user)));
            let typed = prompt::line(&text).map_err(failed)?.trim().to_owned();
            if typed.is_empty() { known.map(str::to_owned).ok_or_else(|| needed("username"))? } else { typed }
        }
    };
    let password = match password {
        Some(password) => password,
        None => prompt::secret("Password: ").map_err(failed)?,
    };
    if password.is_empty() {
        return Err(needed("password"));
    }
    Ok((user, password))
}
