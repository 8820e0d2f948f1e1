//! The prior: which described template a call belongs to, before anything is learned.

use super::pattern::{self, Segment};
use super::routes::Routes;
use crate::template;
use crate::templates::Path;
use std::collections::BTreeMap;
use std::sync::Arc;
use tapwire_openapi::{Description, Operation, PathItem, Server};

/// A description, and the service it was given for.
#[derive(Debug, Clone)]
pub struct Given {
    /// The description.
    pub description: Arc<Description>,
    /// The service it describes, whatever addresses it names; `None` where those say it.
    pub service: Option<Arc<str>>,
}

impl Given {
    /// Whether a server of it is where a service of that name lives. An address without host is anywhere, unless the
    /// description was given for one service.
    fn is_of(&self, server: &Server, service: &str) -> Named {
        match (&self.service, &server.host) {
            (Some(name), _) if **name == *service => Named::Yes,
            (None, Some(_)) if server.is_at(service) => Named::Yes,
            (None, None) => Named::Anywhere,
            _ => Named::No,
        }
    }
}

/// Whether a description names a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Yes,
    Anywhere,
    No,
}

/// Where an endpoint stands in the descriptions that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Documented {
    /// The description, as they were given.
    pub description: usize,
    /// The path, as the description lists them.
    pub path: usize,
    /// The operation of it; `None` where the path is described and the method is not.
    pub operation: Option<usize>,
}

/// A described template at one base path.
#[derive(Debug)]
struct Pattern {
    template: Arc<str>,
    /// The server among all.
    server: u32,
    description: usize,
    path: usize,
    /// Whether a concrete segment stands behind the base path: else it is any path's, on a server that may be anywhere.
    anchored: bool,
    /// Operations by method.
    methods: BTreeMap<Box<str>, usize>,
}

impl Pattern {
    /// As calls of that method meet it.
    fn described(&self, number: u32, method: &str) -> Described {
        let operation = self.methods.get(method).copied();
        let documented = Documented { description: self.description, path: self.path, operation };
        Described { number, template: Arc::clone(&self.template), documented }
    }
}

/// A described template that a call belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    /// Names it among all.
    pub(crate) number: u32,
    pub(crate) template: Arc<str>,
    pub(crate) documented: Documented,
}

/// Which servers of the descriptions a service is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// By number, sorted.
    servers: Vec<u32>,
    /// Whether they are there because they name no host.
    anywhere: bool,
}

/// Every description, as calls ask for them.
#[derive(Debug)]
pub(crate) struct Prior {
    given: Arc<[Given]>,
    /// The description of each server.
    servers: Vec<(usize, Server)>,
    patterns: Vec<Pattern>,
    routes: Routes,
}

impl Prior {
    pub(crate) fn new(given: Arc<[Given]>) -> Self {
        let mut prior = Self { servers: Vec::new(), patterns: Vec::new(), routes: Routes::default(), given };
        for index in 0..prior.given.len() {
            if let Some(given) = prior.given.get(index).cloned() {
                prior.add(index, &given.description);
            }
        }
        prior
    }

    pub(crate) fn given(&self) -> &[Given] {
        &self.given
    }

    fn add(&mut self, index: usize, description: &Description) {
        for (number, item) in description.paths.iter().enumerate() {
            let mut by_server: BTreeMap<&Server, BTreeMap<Box<str>, usize>> = BTreeMap::new();
            for (place, operation) in item.operations.iter().enumerate() {
                for server in operation.servers.as_ref().unwrap_or(&description.servers) {
                    by_server.entry(server).or_default().insert(operation.method.as_str().into(), place);
                }
            }
            for (server, mut methods) in by_server {
                // HEAD is placed as GET.
                if let (Some(head), None) = (methods.get("HEAD").copied(), methods.get("GET")) {
                    methods.insert("GET".into(), head);
                }
                self.add_pattern(index, number, item, server, methods);
            }
        }
    }

    fn add_pattern(
        &mut self,
        description: usize,
        path: usize,
        item: &PathItem,
        server: &Server,
        methods: BTreeMap<Box<str>, usize>,
    ) {
        let Some((template, segments)) = pattern::read(&server.base, &item.template) else { return };
        let base = server.base.split('/').filter(|part| !part.is_empty()).count();
        let concrete = |segment: &Segment| matches!(segment, Segment::Word(_));
        let anchored = segments.is_empty() || segments.iter().skip(base).any(concrete);
        let number = u32::try_from(self.patterns.len()).unwrap_or(u32::MAX);
        let server = self.server(description, server);
        self.routes.add(&segments, number);
        let template = template.into();
        self.patterns.push(Pattern { template, server, description, path, anchored, methods });
    }

    /// The number of a server. Those of one description follow each other.
    fn server(&mut self, description: usize, server: &Server) -> u32 {
        let own = self.servers.iter().enumerate().rev().take_while(|(_, (owner, _))| *owner == description);
        let known = own.into_iter().find(|(_, (_, known))| known == server).map(|(number, _)| number);
        let number = known.unwrap_or_else(|| {
            self.servers.push((description, server.clone()));
            self.servers.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// What describes a service: the servers that name it, else those that name no host.
    pub(crate) fn scope(&self, service: &str) -> Scope {
        let of = |wanted: Named| -> Vec<u32> {
            let all = self.servers.iter().enumerate().filter(|(_, (description, server))| {
                self.given.get(*description).is_some_and(|given| given.is_of(server, service) == wanted)
            });
            all.filter_map(|(number, _)| u32::try_from(number).ok()).collect()
        };
        let named = of(Named::Yes);
        match named.is_empty() {
            true => Scope { servers: of(Named::Anywhere), anywhere: true },
            false => Scope { servers: named, anywhere: false },
        }
    }

    /// The described template of a call: the most specific that has the method, else the most specific.
    pub(crate) fn find(&self, scope: &Scope, path: Path<'_>, method: &str) -> Option<Described> {
        if scope.servers.is_empty() {
            return None;
        }
        let mut texts = [""; 32];
        let mut canonical = Vec::new();
        let segments = segments(path, &mut texts, &mut canonical)?;
        let mut best = None;
        self.routes.find(segments, &mut |number| {
            let Some(pattern) = self.patterns.get(number as usize) else { return false };
            let mine = scope.servers.binary_search(&pattern.server).is_ok();
            if !mine || scope.anywhere && !pattern.anchored {
                return false;
            }
            let operation = pattern.methods.get(method).copied();
            if best.is_none() || operation.is_some() {
                best = Some((number, operation));
            }
            operation.is_some()
        });
        let (number, _) = best?;
        Some(self.patterns.get(number as usize)?.described(number, method))
    }

    /// The described templates by their text.
    pub(crate) fn by_template(&self) -> BTreeMap<Arc<str>, Vec<u32>> {
        let mut all: BTreeMap<Arc<str>, Vec<u32>> = BTreeMap::new();
        for (number, pattern) in (0..).zip(&self.patterns) {
            all.entry(Arc::clone(&pattern.template)).or_default().push(number);
        }
        all
    }

    /// The one of these templates that a scope has: with that method, else the first.
    pub(crate) fn described(&self, scope: &Scope, numbers: &[u32], method: &str) -> Option<Described> {
        let patterns =
            numbers.iter().filter_map(|number| Some((*number, self.patterns.get(*number as usize)?)));
        let mut mine = patterns.filter(|(_, pattern)| {
            scope.servers.binary_search(&pattern.server).is_ok() && (!scope.anywhere || pattern.anchored)
        });
        let first = mine.next()?;
        let has = |(_, pattern): &(u32, &Pattern)| pattern.methods.contains_key(method);
        let (number, pattern) = if has(&first) { first } else { mine.find(has).unwrap_or(first) };
        Some(pattern.described(number, method))
    }

    /// Every described operation of a scope, with the template that its calls have.
    pub(crate) fn operations<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> impl Iterator<Item = (Documented, &'a Arc<str>, &'a Operation)> + 'a {
        let mine =
            self.patterns.iter().filter(|pattern| scope.servers.binary_search(&pattern.server).is_ok());
        mine.flat_map(move |pattern| {
            pattern.methods.values().filter_map(move |place| {
                let Pattern { description, path, .. } = *pattern;
                let documented = Documented { description, path, operation: Some(*place) };
                Some((documented, &pattern.template, self.operation(documented)?))
            })
        })
    }

    /// The operation that an endpoint is.
    pub(crate) fn operation(&self, documented: Documented) -> Option<&Operation> {
        let description = &self.given.get(documented.description)?.description;
        description.paths.get(documented.path)?.operations.get(documented.operation?)
    }

    /// Descriptions of a scope, and whether they name its service.
    pub(crate) fn descriptions(&self, scope: &Scope) -> (Vec<usize>, bool) {
        let mut all: Vec<usize> = scope
            .servers
            .iter()
            .filter_map(|server| self.servers.get(*server as usize).map(|(description, _)| *description))
            .collect();
        all.dedup();
        (all, !scope.anywhere)
    }
}

/// The segments of a path as templates have words. `None` for a path that is longer than is looked at.
fn segments<'t>(
    path: Path<'t>,
    texts: &'t mut [&'t str; 32],
    canonical: &'t mut Vec<String>,
) -> Option<&'t [&'t str]> {
    let bytes = |segment: &tapwire_inspect::PathSegment| path.head.slice(segment.range).bytes();
    let plain = |bytes: &[u8]| bytes.iter().all(|byte| template::is_plain(*byte));
    canonical.extend(path.segments.iter().map(bytes).filter(|bytes| !plain(bytes)).map(template::word));
    let mut odd = canonical.iter();
    for (place, segment) in texts.iter_mut().zip(path.segments) {
        let bytes = bytes(segment);
        *place = if plain(bytes) { std::str::from_utf8(bytes).ok()? } else { odd.next()? };
    }
    texts.get(..path.segments.len()).filter(|all| all.len() < 32)
}
