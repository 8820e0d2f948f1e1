//! Path items and operations of all versions.

use crate::at::At;
use crate::model::{
    Body, Content, Dialect, Operation, Parameter, ParameterPlace, PathItem, Response, StatusRange,
};
use crate::reference::Documents;
use crate::schema::{Kinds, Schema, SchemaReader};
use crate::security;
use crate::server::Server;

/// Methods of a path item; later versions may add `query`.
const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];
/// Content-Type where version 2.0 says none.
const USUAL: &str = "application/json";
/// In which `in: formData` may be sent.
const FORMS: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];

/// What is the same for all operations of a description.
pub(crate) struct Shared<'d> {
    pub(crate) dialect: Dialect,
    pub(crate) security: Vec<Vec<String>>,
    pub(crate) consumes: Vec<String>,
    pub(crate) produces: Vec<String>,
    pub(crate) documents: Documents<'d>,
    pub(crate) schemas: SchemaReader<'d>,
}

impl<'d> Shared<'d> {
    /// Reads a path with its operations.
    pub(crate) fn path_item(&mut self, template: &str, at: At<'d>) -> Option<PathItem> {
        let item = self.documents.resolve(at)?;
        if !item.node.is_object() {
            self.documents.fault(&item, "no path item: it has to be an object");
            return None;
        }
        let servers = servers(&item);
        let common = self.parameters(&item);
        let mut operations = Vec::new();
        for method in METHODS {
            let Some(at) = item.get(method) else { continue };
            if !at.node.is_object() {
                self.documents.fault(&at, "no operation: it has to be an object");
                continue;
            }
            operations.push(self.operation(method, &at, &common, servers.clone()));
        }
        Some(PathItem { template: template.to_owned(), operations })
    }

    fn operation(
        &mut self,
        method: &str,
        at: &At<'d>,
        common: &[Parameter],
        of_path: Option<Vec<Server>>,
    ) -> Operation {
        let own = self.parameters(at);
        let replaced = |parameter: &Parameter| {
            own.iter().any(|mine| mine.place == parameter.place && mine.name == parameter.name)
        };
        let mut parameters: Vec<Parameter> = common.iter().filter(|one| !replaced(one)).cloned().collect();
        parameters.extend(own);
        let request = match self.dialect {
            Dialect::V2 => self.swagger_body(at),
            Dialect::V30 | Dialect::V31 => self.request_body(at),
        };
        Operation {
            method: method.to_ascii_uppercase(),
            id: at.text("operationId").map(str::to_owned),
            servers: servers(at).or(of_path),
            deprecated: at.is_true("deprecated"),
            parameters,
            request,
            responses: self.responses(at),
            security: at
                .get("security")
                .map_or_else(|| self.security.clone(), |own| security::requirements(&own)),
        }
    }

    /// Parameters, without those of version 2.0 that are bodies.
    fn parameters(&mut self, at: &At<'d>) -> Vec<Parameter> {
        let Some(list) = at.get("parameters") else { return Vec::new() };
        let mut found = Vec::new();
        for one in list.items() {
            let Some(one) = self.documents.resolve(one) else { continue };
            let (Some(name), Some(place)) = (one.text("name"), one.text("in")) else {
                self.documents.fault(&one, "no parameter: it lacks `name` or `in`");
                continue;
            };
            let place = match place {
                "path" => ParameterPlace::Path,
                "query" | "querystring" => ParameterPlace::Query,
                "header" => ParameterPlace::Header,
                "cookie" => ParameterPlace::Cookie,
                "body" | "formData" if self.dialect == Dialect::V2 => continue,
                _ => {
                    self.documents.fault(&one, format!("in: {place}: no place of parameters"));
                    continue;
                }
            };
            let parameter = Parameter {
                name: name.to_owned(),
                place,
                required: one.is_true("required") || place == ParameterPlace::Path,
                deprecated: one.is_true("deprecated"),
                schema: self.schema_of_parameter(&one),
            };
            found.push(parameter);
        }
        found
    }

    fn schema_of_parameter(&mut self, at: &At<'d>) -> Option<crate::SchemaId> {
        let schema = match (self.dialect, at.get("schema")) {
            (_, Some(schema)) => schema,
            // In version 2.0 a parameter is its own schema.
            (Dialect::V2, None) => at.clone(),
            (_, None) => {
                let content = at.get("content")?;
                let (_, first) = content.members().next()?;
                first.get("schema")?
            }
        };
        self.schemas.id(schema, &mut self.documents)
    }

    fn request_body(&mut self, at: &At<'d>) -> Option<Body> {
        let body = self.documents.resolve(at.get("requestBody")?)?;
        let content = self.content(&body);
        Some(Body { required: body.is_true("required"), content })
    }

    fn content(&mut self, at: &At<'d>) -> Vec<Content> {
        let Some(content) = at.get("content") else { return Vec::new() };
        let mut found = Vec::new();
        for (name, one) in content.members() {
            let Some(one) = self.documents.resolve(one) else { continue };
            let schema = one.get("schema").and_then(|schema| self.schemas.id(schema, &mut self.documents));
            found.push(Content { media_type: media_type(name), schema });
        }
        found
    }

    /// `in: body` and `in: formData` of version 2.0.
    fn swagger_body(&mut self, at: &At<'d>) -> Option<Body> {
        let (mut form, mut required, mut whole) = (Schema::default(), false, None);
        for one in at.get("parameters").iter().flat_map(At::items).collect::<Vec<_>>() {
            let Some(one) = self.documents.resolve(one) else { continue };
            match one.text("in") {
                Some("body") => {
                    required = one.is_true("required");
                    whole = Some(
                        one.get("schema").and_then(|schema| self.schemas.id(schema, &mut self.documents)),
                    );
                }
                Some("formData") => {
                    let name = one.text("name").unwrap_or_default();
                    required |= one.is_true("required");
                    if one.is_true("required") {
                        form.required.insert(name.into());
                    }
                    if let Some(id) = self.schemas.id(one.clone(), &mut self.documents) {
                        form.properties.insert(name.into(), id);
                    }
                }
                _ => {}
            }
        }
        let types = media_types(at, "consumes", &self.consumes);
        let (schema, usual, types): (_, &[&str], Vec<String>) = match whole {
            Some(schema) => (schema, &[USUAL], types),
            None if form.properties.is_empty() => return None,
            None => {
                form.kinds = Kinds::OBJECT;
                let id = self.schemas.made(form);
                (Some(id), &FORMS, types.into_iter().filter(|one| FORMS.contains(&one.as_str())).collect())
            }
        };
        let types = or_usual(types, usual);
        let content = types.into_iter().map(|media_type| Content { media_type, schema }).collect();
        Some(Body { required, content })
    }

    fn responses(&mut self, at: &At<'d>) -> Vec<Response> {
        let Some(responses) = at.get("responses") else { return Vec::new() };
        let mut found = Vec::new();
        for (name, one) in responses.members().filter(|(name, _)| !name.starts_with("x-")) {
            let Some(status) = status(name) else {
                self.documents.fault(&one, "no status: write 200, 2XX or default");
                continue;
            };
            let Some(one) = self.documents.resolve(one) else { continue };
            let content = match self.dialect {
                Dialect::V2 => self.swagger_content(at, &one),
                Dialect::V30 | Dialect::V31 => self.content(&one),
            };
            found.push(Response { status, content });
        }
        found
    }

    fn swagger_content(&mut self, operation: &At<'d>, response: &At<'d>) -> Vec<Content> {
        let Some(schema) = response.get("schema") else { return Vec::new() };
        let schema = self.schemas.id(schema, &mut self.documents);
        let types = or_usual(media_types(operation, "produces", &self.produces), &[USUAL]);
        types.into_iter().map(|media_type| Content { media_type, schema }).collect()
    }
}

/// A list of media types of version 2.0: the operation's own, else all operations'.
fn media_types(at: &At<'_>, key: &str, common: &[String]) -> Vec<String> {
    at.get(key).map_or_else(|| common.to_vec(), |list| texts(&list))
}

fn or_usual(types: Vec<String>, usual: &[&str]) -> Vec<String> {
    if types.is_empty() { usual.iter().map(|one| (*one).to_owned()).collect() } else { types }
}

/// A list of media types, normalised.
pub(crate) fn texts(list: &At<'_>) -> Vec<String> {
    list.items().filter_map(|one| one.node.as_str()).map(media_type).collect()
}

fn media_type(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn status(name: &str) -> Option<StatusRange> {
    if name.eq_ignore_ascii_case("default") {
        return Some(StatusRange::Default);
    }
    let class = name.strip_suffix("XX").or_else(|| name.strip_suffix("xx"));
    match class {
        Some(class) => class.parse().ok().filter(|class| (1..=5).contains(class)).map(StatusRange::Class),
        None => name.parse().ok().filter(|code| (100..=599).contains(code)).map(StatusRange::Code),
    }
}

fn servers(at: &At<'_>) -> Option<Vec<Server>> {
    let list = at.get("servers")?;
    let all: Vec<Server> = list.items().flat_map(|one| Server::read(&one)).collect();
    (!all.is_empty()).then_some(all)
}
