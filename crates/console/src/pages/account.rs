//! Logging in, who one is, and why something was refused.

use super::{frame, lone};
use crate::books::Snapshot;
use crate::doors::Visitor;
use crate::users::Role;
use maud::{Markup, html};

/// The page to log in; `why` the last try failed, or nothing.
pub(crate) fn login(why: &str) -> Markup {
    lone(
        "Log in",
        &html! {
            h1 { "Log in" }
            @if !why.is_empty() { p.empty role="alert" { (why) } }
            form.act method="post" action="/login" {
                label { "Name" input type="text" name="name" autocomplete="username" required autofocus; }
                label { "Password" input type="password" name="password" autocomplete="current-password" required; }
                button type="submit" { "Log in" }
            }
            p.of { "Users are added on the sensor: " code { "tapwire serve user add NAME --role viewer --data DIR" } }
        },
    )
}

/// Why something was not done.
pub(crate) fn refused(why: &str) -> Markup {
    lone("Not done", &html! { h1 { "Not done" } p { (why) } p { a href="/" { "To the overview" } } })
}

/// Who one is, and what that allows.
pub(crate) fn account(snapshot: &Snapshot, visitor: &Visitor) -> Markup {
    let may = match visitor.role {
        Role::Viewer => "read",
        Role::Analyst => {
            "read, see single exchanges, ask tables by SQL, have blast radii counted, say what incidents were, mute, and have packets"
        }
        Role::Admin => "do what analysts may, and read the audit log",
    };
    let body = html! {
        h1 { "Account" }
        dl.facts {
            div { dt { "Name" } dd { (visitor.name) } }
            div { dt { "Role" } dd { (visitor.role.name()) ": may " (may) } }
        }
        @if visitor.logged_in {
            form.act method="post" action="/logout" {
                input type="hidden" name="token" value=(visitor.token);
                button type="submit" { "Log out" }
            }
        } @else {
            p { "There is no log-in: the console answers to this machine only, and whoever works on it may do everything. Once there is a user, everybody logs in:" }
            pre tabindex="0" { code { "tapwire serve user add NAME --role viewer --data DIR" } }
        }
        @if visitor.role == Role::Admin { p { a href="/api/v1/audit" { "The audit log" } " (JSON)" } }
    };
    frame(snapshot, "/account", "Account", &body)
}
