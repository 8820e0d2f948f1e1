//! A value with where it stands, so that every fault can say so.

use serde_json::Value;

/// A value of a file, and the pointer to it.
#[derive(Debug, Clone)]
pub(crate) struct At<'d> {
    /// The file, as the reader counts them.
    pub(crate) file: usize,
    /// The value.
    pub(crate) node: &'d Value,
    /// JSON pointer (RFC 6901).
    pub(crate) pointer: String,
}

impl<'d> At<'d> {
    pub(crate) const fn root(file: usize, node: &'d Value) -> Self {
        Self { file, node, pointer: String::new() }
    }

    /// The member of that name, unless it is absent or null.
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let node = self.node.get(key).filter(|node| !node.is_null())?;
        Some(self.below(key, node))
    }

    /// Every member.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'d str, Self)> + '_ {
        let members = self.node.as_object().into_iter().flatten();
        members.map(|(key, node)| (key.as_str(), self.below(key, node)))
    }

    /// Every element.
    pub(crate) fn items(&self) -> impl Iterator<Item = Self> + '_ {
        let items = self.node.as_array().into_iter().flatten().enumerate();
        items.map(|(index, node)| self.below(&index.to_string(), node))
    }

    pub(crate) fn text(&self, key: &str) -> Option<&'d str> {
        self.node.get(key)?.as_str()
    }

    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.node.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Names the value for tables: its address, since each stands in the tree once.
    pub(crate) fn name(&self) -> usize {
        std::ptr::from_ref(self.node).addr()
    }

    fn below(&self, key: &str, node: &'d Value) -> Self {
        let escaped = key.replace('~', "~0").replace('/', "~1");
        Self { file: self.file, node, pointer: format!("{}/{escaped}", self.pointer) }
    }
}
