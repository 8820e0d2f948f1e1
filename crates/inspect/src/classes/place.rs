//! Where somebody is: postal addresses and positions.

use super::form::{Form, Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const ADDRESS: DataClass = DataClass {
    name: "address",
    title: "Postal address",
    summary: "Street, or street and place, under a name that says so",
    kind: ClassKind::Personal,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::Medium,
    keys: &[
        "address",
        "street",
        "street address",
        "streetaddress",
        "address line",
        "address line1",
        "address line2",
        "addressline1",
        "addressline2",
        "line1",
        "address1",
        "address2",
        "home address",
        "postal address",
        "mailing address",
        "billing address",
        "shipping address",
        "delivery address",
        "residential address",
        "full address",
        "formatted address",
        "strasse",
        "straße",
        "anschrift",
        "adresse",
        "direccion",
        "indirizzo",
        "domicilio",
        "endereco",
    ],
    example: ("streetAddress", "742 Evergreen Terrace"),
    twin: "742",
    gate: Gate::new(Forms::of(&[Form::Text]), 6, 65),
    check: address,
};

pub(super) const GEO: DataClass = DataClass {
    name: "geo",
    title: "Position on earth",
    summary: "Latitude and longitude with four decimals and more: in one text, side by side, or an array of the two",
    kind: ClassKind::Personal,
    region: None,
    strength: Strength::Named,
    sensitivity: Sensitivity::Medium,
    keys: &[
        "lat",
        "latitude",
        "lon",
        "lng",
        "long",
        "longitude",
        "geo",
        "geo location",
        "geolocation",
        "coordinate",
        "location",
        "position",
        "gps",
        "lat lng",
        "lat lon",
        "latlng",
        "latlon",
        "geopoint",
        "geo point",
        "ll",
    ],
    example: ("location", "52.520008, 13.404954"),
    twin: "152.520008, 13.404954",
    gate: Gate::new(Forms::of(&[Form::Grouped, Form::Token, Form::Text]), 5, 50).first(b"-+0123456789g"),
    check: geo,
};

/// A house number, and words of letters.
fn address(value: &Value<'_>) -> Option<Evidence> {
    let letters = value.text.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let words =
        value.text.split(|byte| matches!(byte, b' ' | b',' | b'\n')).filter(|word| !word.is_empty()).count();
    let mail = value.text.contains(&b'@') || value.text.windows(3).any(|window| window == b"://");
    let numbered = !value.digits().is_empty();
    (letters >= 4 && words >= 2 && numbered && !mail).then_some(Evidence::Shape)
}

fn geo(value: &Value<'_>) -> Option<Evidence> {
    let text = value.str()?;
    let text = text.strip_prefix("geo:").unwrap_or(text);
    let Some((first, second)) = text.split_once([',', ' ']) else {
        return coordinate(text, 180.0).then_some(Evidence::Shape);
    };
    let pair = coordinate(first, 90.0) && coordinate(second.trim(), 180.0);
    pair.then_some(Evidence::Shape)
}

/// A number of degrees with at least four decimals, which is ten metres.
fn coordinate(text: &str, most: f64) -> bool {
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.'));
    plain && (4..=16).contains(&decimals) && text.parse::<f64>().is_ok_and(|degrees| degrees.abs() <= most)
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn addresses_need_a_name_and_a_number() {
        assert_eq!(found("shippingAddress", "Unter den Linden 77"), ["address"]);
        assert_eq!(found("title", "742 Evergreen Terrace"), [""; 0]);
        assert_eq!(found("address", "see below"), [""; 0]);
        assert_ne!(found("address", "jane@example.com"), ["address"]);
        assert_ne!(found("ipAddress", "203.0.113.77"), ["address"]);
    }

    #[test]
    fn positions_need_a_name_and_decimals() {
        assert_eq!(found("position.lat", "52.520008"), ["geo"]);
        assert_eq!(found("longitude", "-122.419416"), ["geo"]);
        assert_eq!(found("price", "52.520008"), [""; 0]);
        assert_eq!(found("lat", "52.5"), [""; 0]);
        assert_eq!(found("lat", "1852.520008"), [""; 0]);
    }
}
