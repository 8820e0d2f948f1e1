//! How services answer: objects, lists, logins and refusals. What is allowed is for the caller to say.

use crate::apis::{Api, Auth, Ids, Kind, Owner, Reach, Resource};
use crate::exchange::{Body, Exchange};
use crate::json::{Json, quoted};
use crate::values::{self, Person, choose, mix, number_of, percent};
use crate::world::{DAY, Identity, MONDAY, SECOND, World};

const MILLI: i64 = 1_000_000;

impl World {
    /// The id of an object, as it stands in paths.
    pub(crate) fn id(&self, api: &Api, resource: &Resource, object: u32) -> String {
        let hash = self.hash(api, resource, object);
        match resource.ids {
            Ids::Sequential(first) => (first + u64::from(object)).to_string(),
            Ids::Uuid => values::uuid(hash),
            Ids::Slug => format!("{}-{object}", values::words(hash, 2, "-")),
        }
    }

    pub(crate) fn path(&self, api: &Api, resource: &Resource, object: u32) -> String {
        format!("{}/{}", resource.path, self.id(api, resource, object))
    }

    /// Reads an object, which is answered.
    pub(crate) fn get(&self, api: &Api, resource: &Resource, object: u32) -> Exchange {
        let body = Body::json(self.object(api, resource, object, true));
        let mut exchange = self.about("GET", api, resource, object).answer(200, body);
        exchange.latency = self.latency(object, 4);
        exchange.persons = self.person_in(api, resource, object).into_iter().collect();
        exchange
    }

    /// Asks for an object, not yet answered.
    pub(crate) fn about(
        &self,
        method: &'static str,
        api: &Api,
        resource: &Resource,
        object: u32,
    ) -> Exchange {
        let mut exchange = Exchange::ask(method, self.path(api, resource, object));
        exchange.object = Some(format!("{}/{}", resource.name, self.id(api, resource, object)));
        exchange.takes(self.latency(object, 3))
    }

    /// Lists objects that are answered as they are given.
    pub(crate) fn list(
        &self,
        api: &Api,
        resource: &Resource,
        objects: &[u32],
        page: u32,
        limit: u32,
    ) -> Exchange {
        let items: Vec<String> =
            objects.iter().map(|object| self.object(api, resource, *object, false)).collect();
        let total =
            if resource.reach == Reach::Own { objects.len() as u32 } else { api.users * resource.each };
        let answer =
            format!(r#"{{"items":[{}],"page":{page},"limit":{limit},"total":{total}}}"#, items.join(","));
        let mut exchange = Exchange::ask("GET", format!("{}?page={page}&limit={limit}", resource.path));
        exchange.persons =
            objects.iter().filter_map(|object| self.person_in(api, resource, *object)).collect();
        exchange.answer(200, Body::json(answer)).takes(self.latency(page, 6) + 20_000 * objects.len() as i64)
    }

    /// Objects that a reader is given as a page of a list.
    pub(crate) fn page(
        &self,
        api: &Api,
        resource: &Resource,
        reader: u32,
        page: u32,
        limit: u32,
    ) -> Vec<u32> {
        let all = api.users * resource.each;
        match resource.reach {
            Reach::Own => {
                (0..resource.each.min(limit)).map(|nth| api.object_of(resource, reader, nth)).collect()
            }
            Reach::Public => (0..limit).map(|nth| (page * limit + nth) % all).collect(),
            // Of one tenant: users that are so many apart.
            Reach::Tenant => {
                let mate = |nth: u32| (reader % api.tenants + api.tenants * (page * limit + nth)) % api.users;
                let same = |user: &u32| user % api.tenants == reader % api.tenants;
                (0..limit).map(mate).filter(same).map(|user| api.object_of(resource, user, page)).collect()
            }
        }
    }

    pub(crate) fn create_exchange(
        &mut self,
        api: &'static Api,
        resource: &'static Resource,
        user: u32,
    ) -> Exchange {
        let object = self.create(api, resource, user);
        let body = self.written(api, resource, object);
        let answer = self.object(api, resource, object, true);
        let place = self.path(api, resource, object);
        Exchange::ask("POST", resource.path)
            .with(Body::json(body))
            .answer(201, Body::json(answer))
            .says("Location", place)
            .takes(self.latency(object, 12))
    }

    pub(crate) fn update(&self, api: &Api, resource: &Resource, object: u32) -> Exchange {
        let method = if number_of(resource.name).is_multiple_of(2) { "PUT" } else { "PATCH" };
        let mut exchange = self.about(method, api, resource, object);
        exchange.body = Some(Body::json(self.written(api, resource, object)));
        exchange.persons = self.person_in(api, resource, object).into_iter().collect();
        exchange
            .answer(200, Body::json(self.object(api, resource, object, true)))
            .takes(self.latency(object, 9))
    }

    /// What a client sends to create or change: the first fields that are no one's but the object's.
    fn written(&self, api: &Api, resource: &Resource, object: u32) -> String {
        let mut json = Json::new();
        let hash = self.hash(api, resource, object);
        let owner = self.person(api, self.owner(api, resource, object));
        for (name, kind) in resource.fields.iter().filter(|(_, kind)| kind.is_input()).take(3) {
            write_field(&mut json, name, *kind, owner, hash);
        }
        json.end()
    }

    pub(crate) fn search(&self, api: &Api, resource: &Resource, text: &str, found: u32) -> Exchange {
        let first = number_of(text) as u32;
        let all = api.users * resource.each;
        let objects: Vec<u32> = (0..found).map(|nth| first.wrapping_add(nth * 31) % all).collect();
        let mut exchange = self.list(api, resource, &objects, 0, 20);
        exchange.target = format!("{}?q={}&limit=20", resource.path, percent(text));
        exchange
    }

    /// What a user sees of themselves.
    pub(crate) fn me(&self, api: &Api, user: u32) -> Exchange {
        let mut exchange = Exchange::ask("GET", api.me).answer(200, Body::json(self.profile(api, user)));
        exchange.persons = vec![user];
        exchange.takes(self.latency(user, 3))
    }

    pub(crate) fn profile(&self, api: &Api, user: u32) -> String {
        let mut json = Json::new();
        json.text("id", &self.subject(api, user));
        self.write_fields(&mut json, api, "me", api.me_fields, user, mix(u64::from(user), 5));
        json.text("role", api.role(user)).end()
    }

    /// A login with the right password, or not.
    pub(crate) fn login(
        &self,
        api: &Api,
        login: &str,
        password: &str,
        as_user: Option<&Identity>,
    ) -> Exchange {
        let mut json = Json::new();
        json.text(if api.quiet_failures { "username" } else { "email" }, login).text("password", password);
        let exchange = Exchange::ask("POST", api.login).with(Body::json(json.end())).takes(85 * MILLI);
        let mut exchange = Exchange { anonymous: true, ..exchange };
        exchange = match as_user {
            Some(identity) => greeted(exchange, api, identity),
            None if api.quiet_failures => {
                let refusal = r#"{"success":false,"error":"INVALID_CREDENTIALS","message":"Customer number or password is wrong"}"#;
                exchange.answer(200, Body::json(refusal))
            }
            None => exchange.error(401, "invalid_credentials", "E-mail or password is wrong"),
        };
        exchange
    }

    /// The password of a user that types rightly.
    pub(crate) fn password(&self, api: &Api, user: u32) -> String {
        let hash = mix(mix(self.seed, number_of(api.name)), u64::from(user) + 99);
        format!("{}{}!{}", values::words(hash, 1, ""), hash % 97, values::words(hash, 2, ""))
    }

    /// An object as JSON: all of it, or the first fields as in lists.
    pub(crate) fn object(&self, api: &Api, resource: &Resource, object: u32, whole: bool) -> String {
        let owner = self.owner(api, resource, object);
        let mut json = Json::new();
        match resource.ids {
            Ids::Sequential(_) => json.plain("id", self.id(api, resource, object)),
            _ => json.text("id", &self.id(api, resource, object)),
        };
        match resource.owner {
            Owner::Nowhere => {}
            Owner::Field(name) => {
                write_subject(&mut json, name, &self.subject(api, owner));
                if api.tenants > 1 {
                    json.text("tenantId", &api.tenant(owner));
                }
            }
            Owner::Tenant(name) => drop(json.text(name, &api.tenant(owner))),
            Owner::Nested(outer, name) => {
                let value = match resource.owner_value(api, self, owner) {
                    value if value.bytes().all(|digit| digit.is_ascii_digit()) => value,
                    value => quoted(&value),
                };
                json.plain(outer, format_args!(r#"{{"{name}":{value}}}"#));
            }
        }
        let shown = if whole { resource.fields.len() } else { 4 };
        let fields = &resource.fields[..shown.min(resource.fields.len())];
        self.write_fields(&mut json, api, resource.name, fields, owner, self.hash(api, resource, object));
        json.end()
    }

    fn write_fields(
        &self,
        json: &mut Json,
        api: &Api,
        resource: &str,
        fields: &[(&'static str, Kind)],
        owner: u32,
        hash: u64,
    ) {
        let person = self.person(api, owner);
        let released = self.releases.iter().filter(|release| {
            release.api == api.name
                && release.resource == resource
                && (release.from..release.until).contains(&self.now)
        });
        let added = released.flat_map(|release| release.fields);
        for (name, kind) in fields.iter().chain(added) {
            write_field(json, name, *kind, person, hash);
        }
    }

    /// Whose record an object is, where it says anything of a person.
    pub(crate) fn person_in(&self, api: &Api, resource: &Resource, object: u32) -> Option<u32> {
        let personal = resource.fields.iter().any(|(_, kind)| kind.is_personal());
        personal.then(|| self.owner(api, resource, object))
    }

    fn hash(&self, api: &Api, resource: &Resource, object: u32) -> u64 {
        mix(mix(self.seed, number_of(api.name) ^ number_of(resource.name)), u64::from(object))
    }

    /// Some milliseconds, and more now and then.
    fn latency(&self, of: u32, usual: i64) -> i64 {
        let hash = mix(self.now as u64, u64::from(of));
        let tail = if hash.is_multiple_of(100) { 12 } else { 1 };
        usual * tail * (MILLI + (hash >> 8) as i64 % (2 * MILLI))
    }
}

fn greeted(exchange: Exchange, api: &Api, identity: &Identity) -> Exchange {
    let mut json = Json::new();
    if api.auth == Auth::Cookie {
        json.plain("success", true).text("customerNumber", &identity.subject).text("role", identity.role);
        let cookie = format!("{}; Path=/; HttpOnly; Secure; SameSite=Lax", identity.credential.1);
        return exchange.answer(200, Body::json(json.end())).says("Set-Cookie", cookie);
    }
    let token = identity.credential.1.trim_start_matches("Bearer ");
    let refresh = values::opaque(number_of(token), 48);
    json.text("access_token", token)
        .text("refresh_token", &refresh)
        .text("token_type", "Bearer")
        .plain("expires_in", 3_600);
    if api.tenants > 1 {
        let mut user = Json::new();
        user.text("id", &identity.subject).text("tenantId", &api.tenant(identity.user));
        json.plain("user", user.end());
    }
    exchange.answer(200, Body::json(json.end()))
}

impl Resource {
    /// What stands in the owner field.
    pub(crate) fn owner_value(&self, api: &Api, world: &World, owner: u32) -> String {
        match self.owner {
            Owner::Tenant(_) | Owner::Nested(_, "tenant") => api.tenant(owner),
            _ => world.subject(api, owner),
        }
    }
}

impl Kind {
    const fn is_personal(self) -> bool {
        matches!(
            self,
            Self::Name
                | Self::Email
                | Self::Phone
                | Self::Street
                | Self::Birth
                | Self::Card
                | Self::Iban
                | Self::Ssn
                | Self::Nhs
        )
    }

    /// A client may write it.
    const fn is_input(self) -> bool {
        matches!(
            self,
            Self::Amount
                | Self::Title
                | Self::Sentence
                | Self::Street
                | Self::City
                | Self::Count
                | Self::Flag
        )
    }
}

fn write_subject(json: &mut Json, name: &str, subject: &str) {
    // Numbers are written as numbers.
    if subject.bytes().all(|digit| digit.is_ascii_digit()) {
        json.plain(name, subject);
    } else {
        json.text(name, subject);
    }
}

pub(crate) fn write_field(json: &mut Json, name: &str, kind: Kind, person: Person, object: u64) {
    let hash = mix(object, number_of(name));
    match kind {
        Kind::Name => json.text(name, &person.name()),
        Kind::Email => json.text(name, &person.email()),
        Kind::Phone => json.text(name, &person.phone()),
        Kind::Street => json.text(name, &person.street()),
        Kind::City => json.text(name, person.city()),
        Kind::Birth => json.text(name, &person.birth()),
        Kind::Card => json.text(name, &person.card()),
        Kind::LastFour => json.text(name, &person.card()[12..]),
        // That of the other side, where the field says so.
        Kind::Iban if name != "iban" => json.text(name, &Person(hash).iban()),
        Kind::Iban => json.text(name, &person.iban()),
        Kind::Ssn => json.text(name, &person.ssn()),
        Kind::Nhs => json.text(name, &person.nhs()),
        Kind::Amount => json.plain(name, format_args!("{}.{:02}", 1 + hash % 900, hash >> 20 & 63)),
        Kind::Count => json.plain(name, 1 + hash % 60),
        Kind::Flag => json.plain(name, hash & 1 == 1),
        Kind::Time => json.text(
            name,
            &values::date_time((MONDAY - (hash % 300) as i64 * DAY) / SECOND + (hash >> 9) as i64 % 86_400),
        ),
        Kind::Title => json.text(name, &values::words(hash, 2, " ")),
        Kind::Sentence => json.text(name, &values::words(hash, 4 + hash % 5, " ")),
        Kind::Status(list) => json.text(name, choose(list, hash)),
        Kind::PasswordHash => json.text(name, &format!("$2b$12${}", values::opaque(mix(person.0, 50), 53))),
    };
}
