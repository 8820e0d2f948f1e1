//! What a configuration adds to the lists: policies and data classes of one's own.

use super::{Entry, entry};
use crate::cli::{ConfigArgs, Listing};
use crate::failure::Failure;
use crate::paper::{Paper, plain};
use crate::settings::Effective;
use std::path::PathBuf;
use tapwire_detect::policies::{Rule, Rules};
use tapwire_inspect::classes::UserClass;

/// Of the file that was named; nothing where none was.
#[derive(Default)]
pub(super) struct Own {
    policies: Rules,
    classes: Vec<UserClass>,
}

impl Own {
    pub(super) fn of(config: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(config) = config else { return Ok(Self::default()) };
        let effective = Effective::load(&ConfigArgs { config: Some(config), ..ConfigArgs::default() })?;
        Ok(Self { policies: effective.settings.rules()?, classes: effective.settings.data_class })
    }

    fn policies(&self) -> impl Iterator<Item = &Rule> {
        self.policies.iter().filter(|rule| rule.own)
    }

    pub(super) fn entries(&self, what: Listing) -> Vec<Entry> {
        match what {
            Listing::Policies => {
                let text = |rule: &Rule| {
                    let severity = rule.severity.name().to_lowercase();
                    format!("{} ({severity}; of the configuration)", plain(&rule.title))
                };
                self.policies().map(|rule| entry(plain(&rule.id), text(rule))).collect()
            }
            Listing::DataClasses => {
                let text = "a data class of the configuration".to_owned();
                self.classes.iter().map(|class| entry(plain(&class.name), text.clone())).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether something has that name.
    pub(super) fn explain(&self, name: &str, paper: &mut Paper) -> bool {
        let policy = self.policies().find(|rule| rule.id == name);
        if let Some(rule) = policy {
            let title = paper.strong(&plain(&rule.title));
            paper.line(&format!("{title} ({}, a policy of the configuration)", plain(&rule.id)));
            paper.hang("  ", &format!("Endpoints that {}.", plain(&rule.says)));
            paper.line("");
            paper.row("severity", rule.severity.name());
            paper.row("where", &plain(&rule.text));
            for (row, text) in
                [("see", &rule.references.join(", ")), ("fix", &rule.fix), ("test", &rule.test)]
            {
                if !text.is_empty() {
                    paper.row(row, &plain(text));
                }
            }
        }
        let class = self.classes.iter().find(|class| class.name == name);
        if let Some(class) = class {
            paper.line(&format!("{}, a data class of the configuration", paper.strong(&plain(&class.name))));
            paper.row("pattern", &plain(&class.pattern));
            if let Some(validator) = &class.validator {
                paper.row("checked as", &plain(validator));
            }
            let names = if class.keys.is_empty() { "any".to_owned() } else { plain(&class.keys.join(", ")) };
            paper.row("names", &names);
        }
        policy.is_some() || class.is_some()
    }
}
