//! Services that honest scenes play on. All about a stage follows from its number; its words from the half of each list that
//! belongs to its part, so that what is held out has names, texts and forms that tuning never saw.

use crate::apis::{Api, Auth, Ids, Kind, Owner, Reach, Resource, SHOP, Subject};
use crate::attacks::Part;
use crate::people::BROWSERS;
use crate::values::{choose, mix, number_of};
use crate::world::{Client, World};

/// A service with its words.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) api: &'static Api,
    pub(super) number: u64,
    part: Option<Part>,
    /// In front of every path.
    pub(super) root: &'static str,
}

/// The rule that splits words and stages: a bit of their hash, so nobody chooses.
fn part_of(hash: u64) -> Part {
    if mix(hash, 77) >> 20 & 1 == 0 { Part::Tuning } else { Part::HeldOut }
}

const NAMES: &[&str] = &[
    "harbor", "lumen", "orchid", "quarry", "sparrow", "tundra", "walnut", "cinder", "drift", "falcon",
    "grove", "helix", "ivory", "jasper", "kestrel", "lagoon", "mosaic", "nimbus", "opal", "prairie", "raven",
    "sable",
];
const ROOTS: &[&str] = &[
    "/api",
    "/api/v1",
    "/v1",
    "/rest",
    "/api/v2",
    "/v3",
    "/rest/v1",
    "/gateway/api",
    "/services",
    "/mobile/v4",
];
const LOGINS: &[&str] = &[
    "/login",
    "/auth/login",
    "/session",
    "/signin",
    "/auth/token",
    "/users/login",
    "/accounts/sign-in",
    "/authenticate",
];
const NOUNS: &[&str] = &[
    "orders",
    "bookings",
    "letters",
    "claims",
    "parcels",
    "contracts",
    "requests",
    "cases",
    "shipments",
    "policies",
    "rentals",
    "quotes",
];
const OWNERS: &[&str] =
    &["ownerId", "userId", "customerId", "accountId", "owner", "createdBy", "user_id", "holderId"];
const TITLES: &[&str] = &["title", "label", "subject", "summary", "headline", "caption"];

impl Stage {
    /// The stage of a scene in this world.
    pub(super) fn new(world: &World, scene: &'static str) -> Self {
        let numbers = (0..).map(|variant| mix(number_of(scene), variant));
        let fits = |number: &u64| world.part.is_none_or(|part| part_of(*number) == part);
        let number = numbers.filter(fits).nth((world.seed % 5) as usize).unwrap_or_default();
        let mut stage = Self { api: &SHOP, number, part: world.part, root: "" };
        stage.root = stage.word(ROOTS, 1);
        stage.api = Box::leak(Box::new(stage.service(scene)));
        stage
    }

    fn service(&self, scene: &'static str) -> Api {
        let mut hash = 0;
        let mut next = || {
            hash += 1;
            mix(self.number, 900 + hash)
        };
        let host = format!("{}.{}.example", self.word(&["api", "app", "www", "svc"], 2), self.word(NAMES, 3));
        let [a, b, ..] = next().to_be_bytes();
        let subjects = [
            Subject::Number(1_000 + next() % 90_000),
            Subject::Uuid,
            Subject::Code("u_"),
            Subject::Padded("K"),
        ];
        Api {
            name: scene,
            host: leak(host),
            server: [10, 61, a, 1 + b % 250],
            port: choose(&[8080, 80, 8000, 3000], next()),
            auth: choose(&[Auth::Bearer, Auth::Bearer, Auth::Cookie], next()),
            users: choose(&[211, 307, 401, 503], next()),
            staff: 5,
            tenants: if scene == "workspace" { 23 } else { 1 },
            subject: choose(&subjects, next()),
            login: leak(format!("{}{}", self.root, self.word(LOGINS, 4))),
            quiet_failures: next() % 4 == 0,
            me: leak(format!("{}{}", self.root, self.word(&["/me", "/profile", "/account", "/users/me"], 5))),
            resources: Vec::leak(vec![self.things(scene, next()), self.goods()]),
            admin: &[],
            share: 0,
            ..SHOP
        }
    }

    /// What belongs to users.
    fn things(&self, scene: &str, hash: u64) -> Resource {
        let name = self.word(NOUNS, 6);
        let shared = scene == "workspace";
        let fields = vec![
            (self.word(TITLES, 7), Kind::Title),
            ("state", Kind::Status(&["new", "open", "done"])),
            ("amount", Kind::Amount),
            ("createdAt", Kind::Time),
            ("note", Kind::Sentence),
        ];
        Resource {
            name,
            path: leak(format!("{}/{name}", self.root)),
            ids: choose(&[Ids::Sequential(4_000 + hash % 90_000), Ids::Uuid], hash >> 7),
            owner: Owner::Field(self.word(OWNERS, 8)),
            reach: if shared { Reach::Tenant } else { Reach::Own },
            each: 6,
            fields: Vec::leak(fields),
            writable: true,
        }
    }

    /// What everybody may see.
    fn goods(&self) -> Resource {
        let name =
            self.word(&["items", "articles", "offers", "places", "titles", "rooms", "parts", "plants"], 9);
        Resource {
            name,
            path: leak(format!("{}/{name}", self.root)),
            ids: Ids::Slug,
            owner: Owner::Nowhere,
            reach: Reach::Public,
            each: 1,
            fields: &[("title", Kind::Title), ("price", Kind::Amount), ("text", Kind::Sentence)],
            writable: false,
        }
    }

    /// One of those of a list that belong to this part; the same for the same salt.
    pub(super) fn word(&self, list: &[&'static str], salt: u64) -> &'static str {
        self.among(list, mix(self.number, salt))
    }

    /// One of those of a list that belong to this part.
    pub(super) fn among(&self, list: &[&'static str], hash: u64) -> &'static str {
        let fits = |word: &&&'static str| self.part.is_none_or(|part| part_of(number_of(word)) == part);
        let own: Vec<&'static str> = list.iter().filter(fits).copied().collect();
        if own.is_empty() { choose(list, hash) } else { choose(&own, hash) }
    }

    /// A path below the root.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.root)
    }

    pub(super) fn things_of_users(&self) -> &'static Resource {
        &self.api.resources[0]
    }

    pub(super) fn goods_of_all(&self) -> &'static Resource {
        &self.api.resources[1]
    }

    /// A user at home.
    pub(super) fn client(&self, user: u32) -> Client {
        let hash = mix(self.number, u64::from(user));
        let address = [
            choose(&[84, 86, 92, 188], hash),
            (hash >> 8) as u8,
            (hash >> 16) as u8,
            1 + (hash >> 24) as u8 % 250,
        ];
        Client::new(address, choose(BROWSERS, hash >> 33))
    }

    /// The one address that a company's people share.
    pub(super) fn office(&self, user: u32) -> Client {
        let own = self.client(user);
        Client::new([194, (self.number >> 8) as u8, (self.number >> 16) as u8, 9], own.agent)
    }
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_have_words_of_every_list() {
        for list in [NAMES, ROOTS, LOGINS, NOUNS, OWNERS, TITLES] {
            let held = list.iter().filter(|word| part_of(number_of(word)) == Part::HeldOut).count();
            assert!(held > 0 && held < list.len(), "{list:?}");
        }
    }
}
