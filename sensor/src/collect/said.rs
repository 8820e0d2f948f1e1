//! What sensors say of an endpoint beside its calls, put together.
//!
//! Of several sensors the worst score counts, with its reasons, and every state that one of them says; `orphan` counts where nobody
//! saw a call. Who answers for it and where it belongs, the latest says that says something.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use tapwire_inventory::{Score, State};
use tapwire_lake::{SeenEndpoint, Teller, Told};

/// What files say of it, by name.
const TEXTS: [&str; 4] = ["owner", "zone", "criticality", "asset"];

/// Words of all sensors on one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Whether a sensor said something.
    pub(crate) is_rated: bool,
    /// In the order in which lists show them.
    pub(crate) states: Vec<String>,
    /// Exposure and threat; `None` where no sensor that saw it said one.
    pub(crate) scores: [Option<Scored>; 2],
    /// Owner, zone, criticality and asset, where one is known.
    pub(crate) texts: Vec<(&'static str, String)>,
    /// Of all of them.
    pub(crate) tags: BTreeSet<String>,
}

/// A score with what adds to it.
#[derive(Debug, Default)]
pub(crate) struct Scored {
    pub(crate) points: u64,
    pub(crate) reasons: Value,
}

impl Scored {
    fn of(said: &Map<String, Value>, score: Score) -> Option<Self> {
        let points = said.get(score.name())?.as_u64()?;
        let reasons = said.get(&format!("{}_reasons", score.name())).cloned();
        Some(Self { points, reasons: reasons.unwrap_or_else(|| Value::Array(Vec::new())) })
    }
}

impl Said {
    pub(crate) fn of(one: &SeenEndpoint) -> Self {
        let mut words: Vec<_> = one.sensors.values().filter_map(|told| told.word.as_ref()).collect();
        // The latest first; of equals the one that is listed first.
        words.sort_by_key(|word| std::cmp::Reverse(word.ms));
        let mut said = Self { is_rated: !words.is_empty(), ..Self::default() };
        let mut states = BTreeSet::new();
        for word in words.into_iter().map(tapwire_lake::Word::said) {
            states.extend(texts(&word, "states"));
            said.tags.extend(texts(&word, "tags"));
            for (worst, score) in said.scores.iter_mut().zip(Score::ALL) {
                let scored = Scored::of(&word, score);
                let is_worse = |new: &Scored| worst.as_ref().is_none_or(|known| new.points > known.points);
                *worst = scored.filter(is_worse).or(worst.take());
            }
            for name in TEXTS {
                let text = word.get(name).and_then(Value::as_str);
                if let Some(text) = text.filter(|_| said.texts.iter().all(|(known, _)| *known != name)) {
                    said.texts.push((name, text.to_owned()));
                }
            }
        }
        if one.calls > 0 || one.messages > 0 {
            states.remove(State::Orphan.name());
        }
        said.states = states.into_iter().collect();
        said.states.sort_by_key(|name| {
            State::ALL.iter().position(|state| state.name() == name).unwrap_or(usize::MAX)
        });
        // The order of lists.
        said.texts.sort_by_key(|(name, _)| TEXTS.iter().position(|known| known == name));
        said
    }

    /// Points of a score; 0 where none was said.
    pub(crate) fn points(&self, score: Score) -> u64 {
        self.score(score).map_or(0, |scored| scored.points)
    }

    /// A score, where one was said.
    pub(crate) fn score(&self, score: Score) -> Option<&Scored> {
        let [exposure, threat] = &self.scores;
        match score {
            Score::Exposure => exposure.as_ref(),
            Score::Threat => threat.as_ref(),
        }
    }

    /// The worse of both scores.
    pub(crate) fn worst(&self) -> u64 {
        Score::ALL.into_iter().map(|score| self.points(score)).max().unwrap_or_default()
    }

    /// A text that files say.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }

    /// Adds it to an endpoint's object. The owner that calls name goes before.
    pub(crate) fn add_to(&self, object: &mut Value) {
        if !self.is_rated {
            return;
        }
        object["states"] = self.states.clone().into();
        for score in Score::ALL {
            if let Some(scored) = self.score(score) {
                object[score.name()] = scored.points.into();
                object[format!("{}_reasons", score.name())] = scored.reasons.clone();
            }
        }
        for (name, text) in &self.texts {
            if object.get(*name).is_none() {
                object[*name] = text.as_str().into();
            }
        }
        if !self.tags.is_empty() {
            object["tags"] = self.tags.iter().map(String::as_str).collect();
        }
    }
}

fn texts(word: &Map<String, Value>, name: &str) -> Vec<String> {
    let all = word.get(name).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Sensors that told of an endpoint: calls, and their own words with the time of them.
pub(crate) fn sensors(one: &SeenEndpoint) -> Vec<Value> {
    one.sensors.iter().map(|(teller, told)| sensor(teller, told)).collect()
}

fn sensor(teller: &Teller, told: &Told) -> Value {
    let mut object = told.word.as_ref().map(tapwire_lake::Word::said).unwrap_or_default();
    let time = |ms: i64| Value::from(crate::summary::milliseconds(ms));
    if let Some(word) = &told.word {
        object.insert("told".into(), time(word.ms));
    }
    let members = [
        ("sensor", teller.name.as_str().into()),
        ("site", teller.site.as_deref().into()),
        ("tenant", teller.tenant.as_deref().into()),
        ("calls", told.calls.into()),
    ];
    object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    if told.times != tapwire_lake::NEVER {
        object.insert("first_seen".into(), time(told.times.0));
        object.insert("last_seen".into(), time(told.times.1));
    }
    object.into()
}
