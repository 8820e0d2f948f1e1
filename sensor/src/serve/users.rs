//! `serve user`: who may log in to the console.

use super::keeper;
use crate::cli::UserAction;
use crate::failure::{Exit, Failure};
use crate::paper::print;
use crate::stored::directory;
use std::io::{BufRead, IsTerminal};
use tapwire_console::{LEAST_PASSWORD, Role, Roll};

/// `tapwire serve user …`.
pub(super) fn carry_out(action: UserAction) -> Result<Exit, Failure> {
    let text = match action {
        UserAction::Add { name, role, data } => {
            let (data, role) = (directory(data)?, role_of(&role)?);
            // What is wrong is said before a password is typed.
            tapwire_store::prepare(&data)?;
            let password = password(&name)?;
            keeper::change(&data, |roll| {
                roll.put(&name, role, &password).map_err(|unfit| Failure::new(unfit.to_string()))
            })?;
            format!("{name} may log in as {}\n", role.name())
        }
        UserAction::Remove { name, data } => {
            let unknown =
                || Failure::new(format!("{name}: there is no such user; tapwire serve user list has them"));
            let remove = |roll: &mut Roll| roll.remove(&name).then_some(()).ok_or_else(unknown);
            let ((), left) = keeper::change(&directory(data)?, remove)?;
            let alone = match left.is_empty() {
                true => {
                    "; nobody is left: a console that is being served stays closed, one that is started anew is open to everybody on this machine"
                }
                false => "",
            };
            format!("{name} may log in no more{alone}\n")
        }
        UserAction::List { data } => {
            let roll = keeper::list(&directory(data)?)?;
            roll.iter().map(|(name, role)| format!("{name}\t{}\n", role.name())).collect()
        }
    };
    print(&text, true)?;
    Ok(Exit::Done)
}

fn role_of(name: &str) -> Result<Role, Failure> {
    Role::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
        Failure::new(format!("--role {name}: no such role; there are viewer, analyst and admin"))
    })
}

/// Typed without being shown, or the first line of standard input.
fn password(name: &str) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprint!("password of {name} ({LEAST_PASSWORD} bytes or more): ");
        return Ok(console::Term::stderr().read_secure_line()?);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
