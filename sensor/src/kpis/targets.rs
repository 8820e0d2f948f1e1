//! `[[kpi.target]]`: what KPIs should be, and by when.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use tapwire_inventory::kpis::{KPIS, Kpi, Scope, Target};

/// `[kpi]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KpiSettings {
    /// Targets.
    pub(crate) target: Vec<TargetSettings>,
}

/// One `[[kpi.target]]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetSettings {
    /// The KPI's name (`tapwire list kpis`).
    pub(crate) name: String,
    /// What it should be, in its unit: percent, seconds, findings a day.
    pub(crate) value: f64,
    /// The last day on which it may be missed, such as 2026-12-31 (UTC).
    pub(crate) by: toml::Value,
    /// Only for this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    /// Only for what this owner answers for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// Only for what carries this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
}

/// The targets of the configuration.
pub(crate) fn targets(settings: &KpiSettings) -> Result<Vec<Target>, Failure> {
    settings.target.iter().map(target).collect()
}

fn target(settings: &TargetSettings) -> Result<Target, Failure> {
    let failed = |what: String| Failure::new(format!("kpi.target '{}': {what}", settings.name));
    let kpi = Kpi::named(&settings.name).ok_or_else(|| failed(unknown(&settings.name)))?;
    let text = match &settings.by {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let by =
        day_of(&text).ok_or_else(|| failed(format!("by: '{text}' is no date; write it like 2026-12-31")))?;
    if !settings.value.is_finite() || settings.value < 0.0 {
        return Err(failed(format!("value: {} is no figure; give 0 or more", settings.value)));
    }
    let scopes = [
        settings.service.as_deref().map(|name| Scope::Service(name.into())),
        settings.owner.as_deref().map(|name| Scope::Owner(Some(name.into()))),
        settings.tag.as_deref().map(|name| Scope::Tag(name.into())),
    ];
    let mut scopes = scopes.into_iter().flatten();
    let scope = scopes.next().unwrap_or(Scope::All);
    if scopes.next().is_some() {
        return Err(failed("give one of service, owner and tag, or none for everything".into()));
    }
    Ok(Target { kpi, value: settings.value, by, scope })
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = KPIS.iter().map(|kpi| kpi.name).collect();
    match tapwire_expr::nearest(name, &names) {
        Some(near) => format!("there is no KPI of that name; did you mean '{near}'?"),
        None => "there is no KPI of that name; tapwire list kpis shows them".into(),
    }
}

/// The number of a day: days since 1970-01-01.
pub(crate) fn day_of(date: &str) -> Option<i64> {
    let date: jiff::civil::Date = date.trim().parse().ok()?;
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.until(date).ok().map(|span| span.get_days().into())
}

/// A day as people write it.
pub(crate) fn date(day: i64) -> String {
    let days = i32::try_from(day).unwrap_or(i32::MAX);
    let date = jiff::Span::new()
        .try_days(days)
        .ok()
        .and_then(|span| jiff::civil::date(1970, 1, 1).checked_add(span).ok());
    date.map_or_else(|| "unknown".into(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Target>, String> {
        let settings: KpiSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        targets(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn a_target_is_of_everything_or_of_one_scope() {
        let all = read("[[target]]\nname = \"tls-coverage\"\nvalue = 95\nby = 2026-12-31").unwrap();
        let one =
            read("[[target]]\nname = \"drift\"\nvalue = 1.5\nby = \"2026-12-31\"\nowner = \"pay\"").unwrap();
        assert_eq!((all[0].value, all[0].by, &all[0].scope), (95.0, 20_818, &Scope::All));
        assert_eq!(one[0].scope, Scope::Owner(Some("pay".into())));
        assert_eq!(date(20_818), "2026-12-31");
    }

    #[test]
    fn what_is_wrong_is_one_line_that_says_what_to_write() {
        for (text, expected) in [
            ("name = \"tls-covrage\"\nvalue = 1\nby = 2026-12-31", "did you mean 'tls-coverage'?"),
            ("name = \"drift\"\nvalue = 1\nby = \"soon\"", "by: 'soon' is no date; write it like 2026-12-31"),
            ("name = \"drift\"\nvalue = 1\nby = \"2026-02-30\"", "is no date"),
            ("name = \"drift\"\nvalue = -1\nby = 2026-12-31", "give 0 or more"),
            ("name = \"drift\"\nvalue = 1\nby = 2026-12-31\nservice = \"a\"\ntag = \"b\"", "give one of"),
        ] {
            let error = read(&format!("[[target]]\n{text}")).unwrap_err();
            assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
        }
    }
}
