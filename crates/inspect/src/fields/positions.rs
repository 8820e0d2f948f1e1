//! Positions on earth whose halves are values of their own: `{"lat": …, "lng": …}`, and `[…, …]` as in GeoJSON (RFC 7946, 3.1.1).
//!
//! Half of a position says nothing, and looks like a price, a latency or a point of a chart. So a half waits for the other
//! beside it.

use super::{FieldIndex, Fields, Step};
use crate::classes::{Hit, Hits, Seen};

/// Half of a position that waits for the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half {
    hit: Hit,
    at: FieldIndex,
    /// Where it lies: members of one object, parameters of one query.
    beside: (Step, FieldIndex),
    way: Way,
    degrees: f64,
}

/// Which half it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Latitude,
    Longitude,
    /// One of so many numbers of an array, this one with it.
    Element(u8),
}

/// The most that a latitude has.
const POLE: f64 = 90.0;

impl Fields {
    /// Takes half of a position out of what a value was found to be, until the other half comes. Whether it was one.
    pub(super) fn withhold(&mut self, at: FieldIndex, seen: &Seen<'_>, hits: &mut Hits) -> bool {
        let Some(hit) = self.positions.and_then(|class| hits.find(class)) else { return false };
        let text = seen.text.trim_ascii();
        let Some(degrees) = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok()) else {
            return false;
        };
        hits.remove(hit.class);
        self.half_came(at, hit, degrees);
        true
    }

    fn half_came(&mut self, at: FieldIndex, hit: Hit, degrees: f64) {
        let before = self.half.take();
        let Some(field) = self.list.get(at) else { return };
        let name = self.list.name(field);
        let beside = match field.step {
            step @ (Step::Member | Step::Attribute) => (step, field.parent),
            step => (step, FieldIndex::NOWHERE),
        };
        let way = match field.step {
            Step::Element => Way::Element(1),
            _ if has(name, b"lat") && degrees.abs() <= POLE => Way::Latitude,
            _ if has(name, b"lon") || has(name, b"lng") => Way::Longitude,
            _ => return,
        };
        let half = Half { hit, at, beside, way, degrees };
        self.half = match (before, way) {
            (Some(Half { at: first, way: Way::Element(count), degrees: other, .. }), Way::Element(_))
                if first == at =>
            {
                let least = if other.abs() < degrees.abs() { other } else { degrees };
                Some(Half { way: Way::Element(count.saturating_add(1)), degrees: least, ..half })
            }
            (Some(other), Way::Latitude | Way::Longitude) if other.beside == beside && other.way != way => {
                self.count_half(other.at, other.hit);
                self.count_half(at, hit);
                None
            }
            _ => Some(half),
        };
    }

    /// An array whose elements lie at `at` ended: two of its two or three numbers may be a position, the third a height.
    pub(super) fn array_ended(&mut self, at: FieldIndex, items: usize) {
        let Some(half) = self.half.take_if(|half| matches!(half.way, Way::Element(_))) else { return };
        let position = matches!(half.way, Way::Element(2 | 3)) && half.degrees.abs() <= POLE;
        if half.at == at && position && (2..=3).contains(&items) {
            self.count_half(at, half.hit);
            self.count_half(at, half.hit);
        }
    }

    fn count_half(&mut self, at: FieldIndex, hit: Hit) {
        if let Some(field) = self.list.fields.get_mut(at.get()) {
            field.take_in(&Hits::one(hit));
        }
    }
}

/// Whether a name has that in it, whatever its case.
fn has(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use crate::classes::{ClassId, Classes};
    use crate::fields::Equipment;
    use crate::ids::{IdKey, MAX_IDS};
    use std::sync::Arc;

    /// The fields of a body that report a position, each with how many values.
    fn positions(content_type: &str, body: &str) -> Vec<(String, u32)> {
        let format = crate::payload::by_media_type(content_type.as_bytes()).expect("a format");
        let mut parser = (format.parser)();
        let classes = Arc::new(Classes::default());
        parser.equip(&Equipment { classes, ids: IdKey::default(), max_ids: MAX_IDS, odd: false });
        parser.feed(body.as_bytes());
        let list = parser.finish(true).list.expect("fields");
        let geo = ClassId::of("geo").expect("a class").get();
        let reported = |field: &&crate::fields::Field| {
            field.classes.iter().find(|hits| hits.class == geo && hits.reported > 0).map(|hits| hits.reported)
        };
        let fields = list.fields().iter().filter_map(|field| Some((list.path(field), reported(&field)?)));
        fields.collect()
    }

    fn json(body: &str) -> Vec<(String, u32)> {
        positions("application/json", body)
    }

    #[test]
    fn latitude_and_longitude_side_by_side_are_a_position() {
        let both = |name: &str| vec![(format!("$.{name}.lat"), 1), (format!("$.{name}.lng"), 1)];
        assert_eq!(json(r#"{"home":{"lat":52.520008,"city":"B","lng":13.404954}}"#), both("home"));
        assert_eq!(json(r#"{"home":{"lng":"13.404954","lat":"52.520008"}}"#).len(), 2);
        let many = r#"{"stops":[{"latitude":52.5200,"longitude":13.4049},{"latitude":52.5201,"longitude":13.4050}]}"#;
        assert_eq!(json(many), [("$.stops[].latitude".into(), 2), ("$.stops[].longitude".into(), 2)]);
        assert_eq!(positions("application/x-www-form-urlencoded", "lat=52.520008&lon=13.404954").len(), 2);
        assert_eq!(positions("application/xml", "<p><lat>52.520008</lat><lon>13.404954</lon></p>").len(), 2);
        // Less than four decimals, no latitude, one half alone, and halves of different objects.
        assert_eq!(json(r#"{"home":{"lat":52.520,"lng":13.404}}"#), []);
        assert_eq!(json(r#"{"home":{"lat":152.520008,"lng":13.404954}}"#), []);
        assert_eq!(json(r#"{"p99":{"lat":12.3456},"p50":{"long":3.4567}}"#), []);
    }

    #[test]
    fn arrays_as_geojson_has_them_are_positions() {
        let point = r#"{"type":"Point","coordinates":[13.404954,52.520008]}"#;
        assert_eq!(json(point), [("$.coordinates[]".into(), 2)]);
        assert_eq!(json(r#"{"coordinates":[-122.419416,37.774929,12.5]}"#), [("$.coordinates[]".into(), 2)]);
        let line = r#"{"coordinates":[[13.4049,52.5200],[13.4051,52.5203],[13.4060,52.5210]]}"#;
        assert_eq!(json(line), [("$.coordinates[][]".into(), 6)]);
        assert_eq!(json(r#"{"location":"52.520008, 13.404954"}"#), [("$.location".into(), 1)]);
        // Both beyond the poles, too many numbers, too few decimals.
        assert_eq!(json(r#"{"coordinates":[113.404954,152.520008]}"#), []);
        assert_eq!(json(r#"{"coordinates":[13.4049,52.5200,13.4051,52.5203]}"#), []);
        assert_eq!(json(r#"{"coordinates":[13.4,52.5]}"#), []);
    }

    #[test]
    fn numbers_that_only_look_so_are_none() {
        for body in [
            r#"{"prices":[13.4049,52.5200],"price":{"net":13.4049,"gross":52.5200}}"#,
            r#"{"position":52.520008,"location":13.404954}"#,
            r#"{"versions":["13.4049","52.5200"],"version":"52.5200,13.4049"}"#,
            r#"{"chart":{"points":[[1.0001,52.5200],[2.0002,53.1200]],"x":13.4049,"y":52.5200}}"#,
            r#"{"series":[{"x":13.4049,"y":52.5200}],"rates":{"EUR":1.0834,"USD":1.0000}}"#,
        ] {
            assert_eq!(json(body), [], "{body}");
        }
    }
}
