//! Who calls: `actor`, and what is known of the caller and of both ends beside it.

use super::Writer;
use crate::json;
use crate::number;
use crate::pen::Pen;
use crate::render::{Class, Detail};
use crate::view::View;
use std::net::IpAddr;
use tapwire_inspect::{Token, Word};
use tapwire_inventory::context::{List, Placed};
use tapwire_inventory::{AddressSource, Caller, ClientAddress, PrincipalKind, TokenFact};

impl Writer<'_> {
    /// `actor`: the caller where one is known, else its User-Agent, else `unknown`.
    pub(super) fn actor(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        json::object(out, "actor");
        let known = view.call.and_then(|call| call.principal).filter(|p| p.kind != PrincipalKind::Network);
        let roles =
            view.caller().and_then(|caller| caller.grants.as_deref()).map_or(&[][..], |all| &all.roles);
        match (known, self.pen.principal(view)) {
            (Some(principal), Some((_, token))) => match principal.kind {
                PrincipalKind::JwtSubject | PrincipalKind::BasicUser | PrincipalKind::LoginUser => {
                    json::object(out, "user");
                    json::text(out, "uid", token);
                    // User.
                    json::integer(out, "type_id", 1);
                    self.groups(roles, out);
                    json::close(out);
                    self.session(view, out);
                }
                PrincipalKind::Bearer | PrincipalKind::Session => {
                    json::object(out, "session");
                    json::text(out, "uid", token);
                    json::close(out);
                }
                PrincipalKind::Certificate => {
                    json::object(out, "user");
                    json::text(out, "uid", token);
                    // Service: programs show certificates.
                    json::integer(out, "type_id", 4);
                    json::close(out);
                    self.session(view, out);
                }
                PrincipalKind::ApiKey | PrincipalKind::Network => json::text(out, "app_uid", token),
            },
            _ => self.app_name(view, out),
        }
        json::close(out);
    }

    /// Roles, as OCSF has groups.
    fn groups(&mut self, roles: &[Word], out: &mut Vec<u8>) {
        if roles.is_empty() {
            return;
        }
        json::list(out, "groups");
        for role in roles {
            json::element(out);
            json::raw(out, r#"{"name":"#);
            json::string(out, self.pen.payload_name(role.as_str()).bytes());
            json::close(out);
        }
        json::close_list(out);
    }

    fn session(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        if let Some(session) = view.caller().and_then(|caller| caller.session) {
            json::object(out, "session");
            json::text(out, "uid", self.pen.token(session));
            json::close(out);
        }
    }

    fn app_name(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let agent = view.request_head().and_then(|head| self.pen.user_agent(head));
        match agent.filter(|agent| !agent.bytes().is_empty()) {
            Some(agent) => json::text(out, "app_name", agent),
            None => json::own(out, "app_name", "unknown"),
        }
    }

    /// The caller as `--where` and the lake know it, and what files say of both ends.
    pub(super) fn caller(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let Some((kind, token)) = self.pen.principal(view) else { return };
        json::object(out, "principal");
        json::own(out, "kind", kind);
        // `actor` names everybody but a network.
        if self.detail == Detail::Full || kind == PrincipalKind::Network.name() || self.class == Class::Http {
            json::text(out, "token", token);
        }
        let Some(caller) = view.caller() else { return json::close(out) };
        json::own(out, "by", caller.by.name());
        self.lineage(caller, out);
        if !caller.facts.is_empty() {
            json::words(out, "facts", caller.facts.iter().map(TokenFact::name));
        }
        if let Some(grants) = &caller.grants {
            words("roles", &grants.roles, self.pen, out);
            words("scopes", &grants.scopes, self.pen, out);
        }
        json::close(out);
        ends(view, caller, out);
    }

    /// Where the credential of the session comes from.
    fn lineage(&mut self, caller: &Caller, out: &mut Vec<u8>) {
        let told = self.detail == Detail::Full || self.class == Class::Http;
        let mut token = |name: &str, token: Option<Token>, out: &mut Vec<u8>| {
            if let Some(token) = token {
                json::text(out, name, self.pen.token(token));
            }
        };
        token("session", caller.session.filter(|_| told), out);
        token("login", caller.login, out);
        if let Some(uid) = caller.issued_in {
            json::key(out, "issued_in");
            out.push(b'"');
            number::hex(out, &uid.0);
            out.push(b'"');
        }
        if caller.renewals > 0 {
            json::count(out, "renewals", caller.renewals.into());
        }
    }
}

fn words(name: &str, words: &[Word], pen: &mut Pen, out: &mut Vec<u8>) {
    if words.is_empty() {
        return;
    }
    json::list(out, name);
    for word in words {
        json::element(out);
        json::string(out, pen.payload_name(word.as_str()).bytes());
    }
    json::close_list(out);
}

/// What is said of the client and of the server beside their addresses; nothing where there is nothing to say.
fn ends(view: &View<'_>, caller: &Caller, out: &mut Vec<u8>) {
    let address = caller.address.filter(says);
    if address.is_some() || !is_empty(&caller.client) {
        json::object(out, "client");
        if let Some(address) = address {
            said(view, &address, out);
        }
        placed(&caller.client, out);
        json::close(out);
    }
    if !is_empty(&caller.server) {
        json::object(out, "server");
        placed(&caller.server, out);
        json::close(out);
    }
    if !caller.lists.is_empty() {
        json::words(out, "lists", caller.lists.iter().map(List::name));
    }
}

/// Whether more is to be said of an address than where the packets and a PROXY header come from.
const fn says(client: &ClientAddress) -> bool {
    client.claimed.is_some() || !matches!(client.source, AddressSource::Wire | AddressSource::ProxyProtocol)
}

fn said(view: &View<'_>, client: &ClientAddress, out: &mut Vec<u8>) {
    if client.source != AddressSource::Wire {
        json::own(out, "by", client.source.name());
        ip("peer", view.exchange.flow.client().ip(), out);
    }
    if let Some(claimed) = client.claimed {
        ip("claimed", claimed, out);
    }
}

fn ip(name: &str, address: IpAddr, out: &mut Vec<u8>) {
    json::key(out, name);
    out.push(b'"');
    number::ip(out, address);
    out.push(b'"');
}

const fn is_empty(placed: &Placed) -> bool {
    placed.zone.is_none() && placed.asset.is_none()
}

/// Zone and asset; their texts are the operator's own.
fn placed(placed: &Placed, out: &mut Vec<u8>) {
    let asset = placed.asset.as_deref();
    let texts = [
        ("zone", placed.zone.as_deref()),
        ("name", asset.and_then(|asset| asset.name.as_deref())),
        ("owner", asset.and_then(|asset| asset.owner.as_deref())),
        ("criticality", asset.and_then(|asset| asset.criticality.as_deref())),
    ];
    for (name, text) in texts {
        text.into_iter().for_each(|text| json::own(out, name, text));
    }
}
