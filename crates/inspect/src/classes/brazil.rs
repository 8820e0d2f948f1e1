//! Numbers of Brazil: both have two check digits and a layout of their own.

use super::check::{all_same, weighted};
use super::form::{Forms, Value};
use super::{ClassKind, DataClass, Evidence, Gate, Sensitivity, Strength};

pub(super) const CPF: DataClass = DataClass {
    name: "br-cpf",
    title: "Taxpayer number of a person in Brazil (CPF)",
    summary: "Eleven digits, the last two of them check digits; in its own layout it counts under any name",
    kind: ClassKind::NationalId,
    region: Some("br"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::High,
    keys: &["cpf", "cpf number", "numero cpf", "documento", "cpfcnpj", "cpf cnpj"],
    example: ("cpf", "529.982.247-25"),
    twin: "529.982.247-26",
    gate: Gate::new(Forms::NUMBER, 11, 14),
    check: cpf,
};

pub(super) const CNPJ: DataClass = DataClass {
    name: "br-cnpj",
    title: "Company number of Brazil (CNPJ)",
    summary: "Fourteen digits, the last two of them check digits; in its own layout it counts under any name",
    kind: ClassKind::NationalId,
    region: Some("br"),
    strength: Strength::Checked,
    sensitivity: Sensitivity::Low,
    keys: &["cnpj", "cnpj number", "numero cnpj", "documento", "cpfcnpj", "cpf cnpj"],
    example: ("cnpj", "11.222.333/0001-81"),
    twin: "11.222.333/0001-82",
    gate: Gate::new(Forms::NUMBER, 14, 18),
    check: cnpj,
};

fn cpf(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 11] = value.exactly()?;
    let fits = checked(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2], 9)
        && checked(&digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 10);
    evidence(value, fits && !all_same(&digits), "999.999.999-99")
}

fn cnpj(value: &Value<'_>) -> Option<Evidence> {
    let digits: [u8; 14] = value.exactly()?;
    let fits = checked(&digits, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 12)
        && checked(&digits, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], 13);
    evidence(value, fits && !all_same(&digits), "99.999.999/9999-99")
}

fn checked(digits: &[u8], weights: &[u8], place: usize) -> bool {
    let check = match weighted(digits, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    digits.get(place).map(|digit| u32::from(*digit)) == Some(check)
}

fn evidence(value: &Value<'_>, fits: bool, layout: &str) -> Option<Evidence> {
    match fits {
        false => None,
        true if value.is_like(layout) => Some(Evidence::Sure),
        true => value.is_plain().then_some(Evidence::Checked),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::found;

    #[test]
    fn the_layout_or_the_name_says_it() {
        assert_eq!(found("x", "529.982.247-25"), ["br-cpf"]);
        assert_eq!(found("cliente.cpf", "52998224725"), ["br-cpf"]);
        assert_eq!(found("phone", "52998224725"), ["phone"]);
        assert_eq!(found("id", "52998224725"), [""; 0]);
        assert_eq!(found("cpf", "111.111.111-11"), [""; 0]);
        assert_eq!(found("x", "11.222.333/0001-81"), ["br-cnpj"]);
        assert_eq!(found("ts", "11222333000181"), [""; 0]);
    }
}
