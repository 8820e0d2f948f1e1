//! The data classes of an exchange: what the fields of its heads and bodies told.

use super::{ClassId, DataClass, REPORTED};
use crate::fields::{ClassHits, Field, FieldList, Step};
use crate::{CredentialKind, Observation, Place};

/// A class of data at one place of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The class.
    pub class: ClassId,
    /// Whether it stands in the request.
    pub in_request: bool,
    /// Values of that class there.
    pub count: u32,
    /// The best score of them, of 100.
    pub score: u8,
    /// Whether all of them are numbers that payment providers publish for tests.
    pub is_test: bool,
    at: At<'a>,
}

/// Where something was found.
#[derive(Debug, Clone, Copy)]
enum At<'a> {
    /// A field of a head or body.
    Field(&'a FieldList, &'a Field),
    /// The header `Authorization`, which is no parameter of an API.
    Authorization,
}

impl Found<'_> {
    /// Where it stands: `request.body.$.card.number`, `request.query.email`, `response.header.x-user`. Names in it are content, and
    /// leave only through redaction.
    pub fn place(&self) -> String {
        let half = if self.in_request { "request" } else { "response" };
        match self.at {
            At::Authorization => format!("{half}.header.authorization"),
            At::Field(list, field) => {
                let body =
                    matches!(field.step, Step::Document | Step::Member | Step::Element | Step::Attribute);
                format!("{half}.{}{}", if body { "body." } else { "" }, list.path(field))
            }
        }
    }
}

impl Observation {
    /// The classes of data in URL, headers, cookies and bodies of both sides, in the order of the traffic.
    pub fn data_classes(&self) -> impl Iterator<Item = Found<'_>> {
        let lists = [
            (true, &self.request_fields),
            (true, &self.request_payload.list),
            (false, &self.response_fields),
            (false, &self.response_payload.list),
        ];
        let fields = lists.into_iter().flat_map(|(in_request, list)| {
            let list = list.as_deref();
            list.into_iter().flat_map(FieldList::fields).flat_map(move |field| {
                let hits = field.classes.iter().filter(|hits| hits.score >= REPORTED);
                hits.filter_map(move |hits| found(in_request, list?, field, hits))
            })
        });
        self.authorization().into_iter().chain(fields)
    }

    /// Whether a body holds what nobody may keep, or could: one that was not walked to its end could.
    pub fn body_is_never_kept(&self, in_request: bool) -> bool {
        let payload = if in_request { &self.request_payload } else { &self.response_payload };
        let fields = payload.list.as_deref().into_iter().flat_map(FieldList::fields);
        let classes = fields.flat_map(|field| &field.classes).filter(|hits| hits.score >= REPORTED);
        let builtin = |hits: &ClassHits| ClassId::from_number(hits.class).and_then(ClassId::builtin);
        classes.filter_map(builtin).any(DataClass::is_never_kept)
    }

    /// What the header `Authorization` holds.
    fn authorization(&self) -> Option<Found<'_>> {
        let head = self.exchange.request_head()?;
        let credential = self.credentials.iter().find(|credential| {
            let name = credential.name.filter(|_| credential.place == Place::Header);
            name.is_some_and(|name| head.slice(name).is(b"authorization"))
        })?;
        let class = match credential.kind {
            CredentialKind::Basic => "basic-credentials",
            CredentialKind::Jwt => "jwt",
            _ => "api-key",
        };
        let class = ClassId::of(class)?;
        Some(Found { class, in_request: true, count: 1, score: 90, is_test: false, at: At::Authorization })
    }

    /// The name of a class that [`Observation::data_classes`] found.
    pub fn class_name(&self, class: ClassId) -> &str {
        match (class.builtin(), &self.own_classes) {
            (Some(class), _) => class.name,
            (None, Some(classes)) => classes.name(class),
            (None, None) => "",
        }
    }
}

fn found<'a>(in_request: bool, list: &'a FieldList, field: &'a Field, hits: &ClassHits) -> Option<Found<'a>> {
    Some(Found {
        class: ClassId::from_number(hits.class)?,
        in_request,
        count: hits.reported,
        score: hits.score,
        is_test: hits.tests == hits.reported,
        at: At::Field(list, field),
    })
}

#[cfg(test)]
mod tests {
    use crate::transcript::exchange;
    use crate::{Config, Inspector, TokenKey};

    fn places(request: &str, response: &str) -> Vec<String> {
        let mut inspector = Inspector::new(Config::new(TokenKey::new([7; 32])));
        let observation = inspector.exchange(exchange(1, request.as_bytes(), response.as_bytes()));
        let found = observation.data_classes();
        found
            .map(|found| format!("{} {}×{}", observation.class_name(found.class), found.place(), found.count))
            .collect()
    }

    #[test]
    fn classes_are_found_in_every_place() {
        let body = r#"{"card":{"number":"4539578763621486","cvv":"737"},"guests":[{"email":"a@example.com"},{"email":"b@example.com"}]}"#;
        let request = format!(
            "POST /ssn/536-22-8471?mail=jane%40example.com HTTP/1.1\r\nHost: shop\r\nAuthorization: Basic amFuZTpwdw==\r\n\
             X-Phone: +49 30 901820\r\nCookie: iban=DE89370400440532013000\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = "<user><ssn>536-22-8471</ssn></user>";
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        assert_eq!(
            places(&request, &response),
            [
                "basic-credentials request.header.authorization×1",
                "us-ssn request.path.1×1",
                "email request.query.mail×1",
                "phone request.header.x-phone×1",
                "iban request.cookie.iban×1",
                "card request.body.$.card.number×1",
                "cvv request.body.$.card.cvv×1",
                "email request.body.$.guests[].email×2",
                "us-ssn response.body.$.user.ssn×1",
            ]
        );
    }

    #[test]
    fn forms_and_parts_have_classes_too() {
        let form = "POST /x HTTP/1.1\r\nHost: shop\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 40\r\n\r\n\
             cc_number=4539+5787+6362+1486&amount=100";
        assert_eq!(places(form, ""), ["card request.body.$.cc_number×1"]);
    }

    #[test]
    fn nothing_is_found_in_plain_calls() {
        let request = "GET /v1/orders/1767268800123?page=2 HTTP/1.1\r\nHost: shop\r\nX-Request-Id: 4539578763621486\r\n\r\n";
        let body =
            r#"{"id":"123e4567-e89b-12d3-a456-426614174000","at":1767268800123,"total":4539578763621486}"#;
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(places(request, &response), [""; 0]);
    }
}
