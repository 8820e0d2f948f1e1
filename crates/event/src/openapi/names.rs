//! Names out of traffic, as they may leave.

use crate::Redactor;

/// A longer subtype is no media type.
const LONGEST_SUBTYPE: usize = 64;

/// Redacts names.
pub(super) struct Names<'a> {
    redactor: &'a mut Redactor,
}

impl<'a> Names<'a> {
    pub(super) const fn new(redactor: &'a mut Redactor) -> Self {
        Self { redactor }
    }

    pub(super) fn host(&mut self, host: &str) -> String {
        self.redactor.shown_host(host)
    }

    pub(super) fn method(&mut self, method: &str) -> String {
        self.redactor.shown_method(method)
    }

    /// An operation, a parameter, a member.
    pub(super) fn name(&mut self, name: &str) -> String {
        self.redactor.shown_operation(name)
    }

    /// A template. Its parameters' names are the sensor's own or a description's, wherever they stand.
    pub(super) fn template(&mut self, template: &str) -> String {
        let shown = self.redactor.shown_path(template);
        let parts = shown.split('/').zip(template.split('/')).map(|(shown, own)| {
            let is_parameter = own.starts_with('{') && own.ends_with('}') && own.matches('{').count() == 1;
            if is_parameter { own } else { shown }
        });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// A media type without parameters as it may leave: `*/*` for what is none.
pub fn shown_media_type(text: &str) -> &str {
    const TYPES: [&str; 9] =
        ["application", "audio", "font", "image", "message", "model", "multipart", "text", "video"];
    let known = text.split_once('/').filter(|(kind, subtype)| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        // `vnd.ms-excel.sheet.2007` has four.
        let digits = subtype.bytes().filter(u8::is_ascii_digit).count();
        TYPES.contains(kind)
            && (1..=LONGEST_SUBTYPE).contains(&subtype.len())
            && subtype.bytes().all(plain)
            && digits <= 4
    });
    if known.is_some() { text } else { "*/*" }
}

/// Names of the parameters of a path, each once.
pub(super) fn parameters(path: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for name in path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// `GET /v1/orders/{orderId}/lines` → `getV1OrdersOrderIdLines`.
pub(super) fn operation_id(method: &str, path: &str) -> String {
    let mut id = method.to_ascii_lowercase();
    id.retain(|letter| letter.is_ascii_alphanumeric());
    let mut upper = true;
    for letter in path.chars() {
        if !letter.is_ascii_alphanumeric() {
            upper = true;
        } else if std::mem::take(&mut upper) {
            id.push(letter.to_ascii_uppercase());
        } else {
            id.push(letter);
        }
    }
    if path == "/" {
        id.push_str("Root");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_ids_are_names() {
        assert_eq!(operation_id("GET", "/v1/orders/{orderId}/line-items"), "getV1OrdersOrderIdLineItems");
        assert_eq!(operation_id("M-SEARCH", "/"), "msearchRoot");
    }

    #[test]
    fn parameters_of_a_path_come_once() {
        assert_eq!(parameters("/a/{id}/b/{bId}.json/{id}"), ["id", "bId"]);
    }
}
